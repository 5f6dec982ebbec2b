#include "gateway/hooks/answer.h"

#include "common/utf8.h"

/* Codes that a client takes for ours, and acts on. */
static bool is_ours(const char *code) {
    static const char *const ours[] = {"unavailable", "rate_limited", "internal"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(code, ours[i]) == 0)
            return true;
    return false;
}

static bool is_code(const char *code) {
    size_t len = strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len > 0 && code[len] == '\0' && !is_ours(code);
}

static void take_code(struct hook_answer *out, struct json_value code) {
    ptrdiff_t len = json_decode(code, out->code, sizeof out->code - 1);
    out->code[len > 0 ? len : 0] = '\0';
    if (len <= 0 || strlen(out->code) != (size_t)len || !is_code(out->code))
        strcpy(out->code, "rejected");
}

static bool read_object(struct slice text, struct json_value *out) {
    return utf8_valid(text) && json_parse(text, out) == JSON_OK && out->type == JSON_OBJECT;
}

void hook_error_read(struct hook_answer *out, struct json_value error) {
    static const char *const names[] = {"code", "message", "data"};
    struct json_value values[3];
    json_fields(error, names, values, 3);
    take_code(out, values[0]);
    if (values[1].type == JSON_STRING)
        out->message = values[1];
    out->data = values[2];
}

static bool read_error(struct hook_answer *out, struct slice text) {
    static const char *const outer[] = {"error"};
    struct json_value whole, error;
    if (!read_object(text, &whole))
        return false;
    json_fields(whole, outer, &error, 1);
    if (error.type == JSON_OBJECT)
        hook_error_read(out, error);
    return error.type == JSON_OBJECT;
}

static enum hook_end read_refusal(struct hook_answer *out, enum hook_type type,
                                  struct slice text) {
    if (read_error(out, text))
        return HOOK_END_ERROR;
    if (type == HOOK_CONNECT && (out->status == 401 || out->status == 403)) {
        strcpy(out->code, "unauthorized");
        return HOOK_END_ERROR;
    }
    out->why = "a 4xx says why by {\"error\":{\"code\":...}}";
    return HOOK_END_STATUS;
}

enum hook_end hook_answer_read(struct hook_answer *out, enum hook_type type, long status,
                               struct slice text) {
    *out = (struct hook_answer){.status = status, .text = text};
    if (status / 100 == 4)
        return read_refusal(out, type, text);
    if (status / 100 == 2 && (text.len == 0 || status == 204 || type == HOOK_WEBHOOK)) {
        out->body = (struct json_value){JSON_OBJECT, SLICE("{}")};
        return HOOK_END_GOOD;
    }
    if (status != 200) {
        out->why = "neither 200, 204, an empty 2xx nor a 4xx";
        return HOOK_END_STATUS;
    }
    if (read_object(text, &out->body))
        return HOOK_END_GOOD;
    out->body = (struct json_value){.type = JSON_NONE};
    out->why = "not a JSON object";
    return HOOK_END_BODY;
}
