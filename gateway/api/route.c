#include "gateway/api/route.h"

#include "common/utf8.h"
#include "gateway/channel/name.h"

#define EVENT_MOST 128

/* --- texts ----------------------------------------------------------------------------------
 */

static bool is_room_name(const struct api_field *f, struct slice text) {
    (void)f;
    return name_valid(text);
}

static bool is_user(const struct api_field *f, struct slice text) {
    (void)f;
    return name_valid_user(text);
}

static bool is_text(const struct api_field *f, struct slice text) {
    return text.len <= f->most && utf8_valid(text) &&
           (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
}

static bool is_number(const struct api_field *f, struct slice text) {
    uint64_t n;
    return slice_number(text, f->most, &n) && n >= f->least;
}

static bool begins(struct slice text, const char *kind, struct slice *rest) {
    if (!slice_starts(text, slice_of(kind)))
        return false;
    *rest = channel_rest(text, slice_of(kind));
    return true;
}

static bool is_common(struct slice name) {
    struct slice rest;
    if (begins(name, "room:", &rest) || begins(name, "topic:", &rest))
        return name_valid(rest);
    return begins(name, "user:", &rest) && name_valid_user(rest);
}

bool api_channel_good(struct slice name) {
    struct slice rest;
    if (begins(name, "socket:", &rest))
        return name_valid(rest);
    return slice_is(name, "all") || is_common(name);
}

bool api_log_good(struct slice name) {
    struct slice rest;
    if (!begins(name, "dm:", &rest))
        return is_common(name);
    struct slice first = slice_cut(&rest, ':');
    return name_valid_user(first) && name_valid_user(rest) && slice_cmp(first, rest) <= 0;
}

static bool is_channel(const struct api_field *f, struct slice text) {
    (void)f;
    return api_channel_good(text);
}

static bool is_log(const struct api_field *f, struct slice text) {
    (void)f;
    return api_log_good(text);
}

static bool is_event(const struct api_field *f, struct slice text) {
    bool good = text.len > 0 && text.len <= EVENT_MOST && utf8_valid(text);
    (void)f;
    for (size_t i = 0; i < text.len && good; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        good = c >= ' ' && c != 127 && c != '"' && c != '\\';
    }
    return good;
}

static bool is_namespace(const struct api_field *f, struct slice text) {
    return text.len > 0 && text.ptr[0] == '/' && is_event(f, text) &&
           memchr(text.ptr, ',', text.len) == NULL && memchr(text.ptr, '?', text.len) == NULL;
}

static bool is_other(const struct api_field *f, struct slice text) {
    struct slice rest;
    (void)f;
    if (begins(text, "socket:", &rest))
        return name_valid(rest);
    return begins(text, "user:", &rest) && name_valid_user(rest);
}

/* As it stands in the JSON text: base64, in which a slash may be escaped. */
static bool is_base64(const struct api_field *f, struct slice text) {
    (void)f;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool sign = c == '+' || c == '/' || c == '=' || c == '-' || c == '_';
        bool slash = c == '\\' && i + 1 < text.len && text.ptr[i + 1] == '/';
        if (!letter && !sign && !slash)
            return false;
    }
    return true;
}

/* --- types ----------------------------------------------------------------------------------
 */

static const struct type {
    enum json_type json; /* of the value, or of those in it; JSON_NONE: any */
    bool list;           /* an array of such */
    bool integers;       /* integers are taken, too, as their digits */
    bool (*good)(const struct api_field *f, struct slice text);
    const char *schema; /* of one */
} types[API_TYPES] = {
    [API_VALUE] = {JSON_NONE, false, false, NULL, "{}"},
    [API_ARRAY] = {JSON_NONE, true, false, NULL, "{}"},
    [API_SWITCH] = {JSON_NONE, false, false, NULL, "{\"type\":\"boolean\"}"},
    [API_NUMBER] = {JSON_NUMBER, false, false, is_number, NULL},
    [API_SECONDS] = {JSON_NUMBER, false, false, NULL, "{\"type\":\"number\",\"minimum\":0}"},
    [API_TEXT] = {JSON_STRING, false, false, is_text, "{\"type\":\"string\"}"},
    [API_ROOM] = {JSON_STRING, false, false, is_room_name,
                  "{\"$ref\":\"#/components/schemas/Name\"}"},
    [API_USER] = {JSON_STRING, false, true, is_user,
                  "{\"$ref\":\"#/components/schemas/User\"}"},
    [API_SOCKET] = {JSON_STRING, false, false, is_room_name,
                    "{\"$ref\":\"#/components/schemas/Name\"}"},
    [API_USER_LIST] = {JSON_STRING, true, true, is_user,
                       "{\"$ref\":\"#/components/schemas/User\"}"},
    [API_CHANNEL] = {JSON_STRING, false, false, is_channel,
                     "{\"$ref\":\"#/components/schemas/Channel\"}"},
    [API_CHANNELS] = {JSON_STRING, true, false, is_channel,
                      "{\"$ref\":\"#/components/schemas/Channel\"}"},
    [API_LOG] = {JSON_STRING, false, false, is_log, "{\"$ref\":\"#/components/schemas/Log\"}"},
    [API_EVENT] = {JSON_STRING, false, false, is_event,
                   "{\"$ref\":\"#/components/schemas/Event\"}"},
    [API_NAMESPACE] = {JSON_STRING, false, false, is_namespace,
                       "{\"type\":\"string\",\"pattern\":\"^/\",\"maxLength\":128}"},
    [API_OTHERS] = {JSON_STRING, true, false, is_other,
                    "{\"type\":\"string\",\"pattern\":\"^(user|socket):.+$\"}"},
    [API_TEXTS] = {JSON_STRING, true, false, is_base64,
                   "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9+/=_-]*$\"}"},
    [API_REQUESTS] = {JSON_OBJECT, true, false, NULL,
                      "{\"$ref\":\"#/components/schemas/Request\"}"},
};

enum api_type api_part_type(struct slice name) {
    return slice_is(name, "room")      ? API_ROOM
           : slice_is(name, "socket")  ? API_SOCKET
           : slice_is(name, "channel") ? API_LOG
                                       : API_USER;
}

/* --- checks ---------------------------------------------------------------------------------
 */

#define TEXT_MOST 512

static bool is_one(const struct api_field *f, const struct type *t, struct json_value value) {
    char bytes[TEXT_MOST];
    if (t->integers && value.type == JSON_NUMBER)
        return json_is_integer(value) && t->good(f, value.raw);
    if (f->type == API_SWITCH)
        return value.type == JSON_TRUE || value.type == JSON_FALSE;
    if (t->json != JSON_NONE && value.type != t->json)
        return false;
    if (t->good == NULL)
        return true;
    if (value.type != JSON_STRING)
        return t->good(f, value.raw);
    if (f->type == API_TEXTS) /* it may be long, and goes on as it is */
        return t->good(f, (struct slice){value.raw.ptr + 1, value.raw.len - 2});
    ptrdiff_t len = json_decode(value, bytes, sizeof bytes);
    return len >= 0 && t->good(f, (struct slice){bytes, (size_t)len});
}

bool api_field_good(const struct api_field *f, struct json_value value) {
    const struct type *t = &types[f->type];
    struct json_iter it;
    uint64_t count = 0;
    if (!t->list)
        return is_one(f, t, value);
    if (value.type != JSON_ARRAY)
        return false;
    json_iter_init(&it, value);
    while (json_iter_next(&it)) {
        if (++count > f->most || !is_one(f, t, it.value))
            return false;
    }
    return count >= f->least;
}

bool api_text_good(const struct api_field *f, struct slice text) {
    return types[f->type].good(f, text);
}

/* --- descriptions ---------------------------------------------------------------------------
 */

static void put_numbers(struct buf *out, const struct api_field *f) {
    buf_printf(out, "{\"type\":\"integer\",\"minimum\":%llu,\"maximum\":%llu}",
               (unsigned long long)f->least, (unsigned long long)f->most);
}

void api_field_schema(struct buf *out, const struct api_field *f) {
    const struct type *t = &types[f->type];
    if (f->type == API_NUMBER)
        put_numbers(out, f);
    else if (t->list)
        buf_printf(out, "{\"type\":\"array\",\"minItems\":%llu,\"maxItems\":%llu,\"items\":%s}",
                   (unsigned long long)f->least, (unsigned long long)f->most, t->schema);
    else
        buf_str(out, t->schema);
}

void api_field_words(struct buf *out, const struct api_field *f) {
    static const char *const words[API_TYPES] = {[API_VALUE] = "any JSON",
                                                 [API_ARRAY] = "values",
                                                 [API_SWITCH] = "true or false",
                                                 [API_NUMBER] = "a number",
                                                 [API_SECONDS] = "seconds",
                                                 [API_TEXT] = "a text",
                                                 [API_ROOM] = "a room",
                                                 [API_USER] = "a user",
                                                 [API_SOCKET] = "a connection's id",
                                                 [API_USER_LIST] = "users",
                                                 [API_CHANNEL] = "a channel",
                                                 [API_CHANNELS] = "channels",
                                                 [API_LOG] = "a channel",
                                                 [API_EVENT] = "a name",
                                                 [API_NAMESPACE] = "a namespace",
                                                 [API_OTHERS] = "texts user:ID or socket:ID",
                                                 [API_TEXTS] = "texts of base64",
                                                 [API_REQUESTS] = "requests"};
    buf_str(out, words[f->type]);
    if (types[f->type].list || f->type == API_NUMBER)
        buf_printf(out, ", %llu to %llu", (unsigned long long)f->least,
                   (unsigned long long)f->most);
}
