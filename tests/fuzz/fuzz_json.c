/*
 * libFuzzer on the JSON scanner: any bytes. Every value and key must lie within the text, a
 * string that was unescaped and escaped again must be the same string, and what is accepted
 * cJSON must accept, too, with as many members. Any bytes, escaped, must be a string.
 */
#include <cjson/cJSON.h>

#include "common/json.h"
#include "common/name.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#define DECODED_MOST 4096

static struct slice text;
static bool has_lone_surrogate; /* which cJSON does not accept */

static void string(struct json_value value) {
    char out[DECODED_MOST], again[DECODED_MOST];
    struct json_value parsed;
    struct buf escaped;
    ptrdiff_t len = json_decode(value, out, sizeof out);
    has_lone_surrogate = has_lone_surrogate || (len < 0 && value.raw.len < sizeof out);
    if (len < 0)
        return;
    check(utf8_valid((struct slice){out, (size_t)len}));
    buf_init(&escaped);
    json_escape(&escaped, (struct slice){out, (size_t)len});
    check(json_parse(buf_bytes(&escaped), &parsed) == JSON_OK);
    check(json_decode(parsed, again, sizeof again) == len &&
          memcmp(out, again, (size_t)len) == 0);
    buf_deinit(&escaped);
}

static void number(struct json_value value) {
    uint64_t n;
    char digits[DIGITS_SIZE];
    if (json_uint64(value, &n)) {
        check(json_is_integer(value));
        check(slice_eq(slice_digits(n, digits), value.raw));
    }
}

static void name(struct json_value value, bool user) {
    struct name out;
    struct json_value again;
    struct buf escaped;
    if (!name_from_json(value, user, &out)) {
        check(out.len == 0);
        return;
    }
    check(user ? name_valid_user(name_slice(&out)) : name_valid(name_slice(&out)));
    buf_init(&escaped);
    json_escape(&escaped, name_slice(&out));
    check(json_parse(buf_bytes(&escaped), &again) == JSON_OK);
    check(name_from_json(again, user, &out));
    buf_deinit(&escaped);
}

static void value_of(struct json_value value, const cJSON *same, int depth);

static void members(struct json_value value, const cJSON *same, int depth) {
    const cJSON *child = same != NULL ? same->child : NULL;
    struct json_iter it;
    json_iter_init(&it, value);
    while (json_iter_next(&it)) {
        check(fuzz_within(it.key, value.raw) && fuzz_within(it.value.raw, value.raw));
        check((it.key.len > 0) == (value.type == JSON_OBJECT));
        check(same == NULL || child != NULL);
        if (value.type == JSON_OBJECT)
            string((struct json_value){JSON_STRING, it.key});
        value_of(it.value, child, depth + 1);
        child = child != NULL ? child->next : NULL;
    }
    check(child == NULL);
}

static void value_of(struct json_value value, const cJSON *same, int depth) {
    static const int types[] = {
        cJSON_Invalid, cJSON_NULL,   cJSON_True,  cJSON_False,
        cJSON_Number,  cJSON_String, cJSON_Array, cJSON_Object,
    };
    check(depth <= JSON_MAX_DEPTH + 1 && fuzz_within(value.raw, text));
    check(same == NULL || same->type == types[value.type]);
    if (value.type == JSON_STRING)
        string(value);
    else if (value.type == JSON_NUMBER)
        number(value);
    name(value, true);
    name(value, false);
    members(value, same, depth);
}

static void fields(struct json_value value) {
    static const char *const names[] = {"event", "data", "ack"};
    struct json_value found[3];
    json_fields(value, names, found, 3);
    for (int i = 0; i < 3; i++)
        check(fuzz_within(found[i].raw, text));
}

static void escape_any(void) {
    struct json_value value;
    struct buf escaped;
    buf_init(&escaped);
    json_escape_any(&escaped, text);
    check(utf8_valid(buf_bytes(&escaped)));
    check(json_parse(buf_bytes(&escaped), &value) == JSON_OK && value.type == JSON_STRING);
    buf_deinit(&escaped);
}

static void same_as_cjson(struct json_value value) {
    has_lone_surrogate = false;
    value_of(value, NULL, 0);
    cJSON *other = cJSON_ParseWithLength(text.ptr, text.len);
    check(other != NULL || has_lone_surrogate);
    if (other != NULL)
        value_of(value, other, 0);
    cJSON_Delete(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct json_value value;
    text = (struct slice){(const char *)data, size};
    escape_any();
    if (!utf8_valid(text) || size >= DECODED_MOST)
        return 0;
    int result = json_parse(text, &value);
    check((result == JSON_OK) == (value.type != JSON_NONE));
    fields(value);
    if (result == JSON_OK)
        same_as_cjson(value);
    return 0;
}
