#include "common/name.h"

#include "common/utf8.h"

/* Unicode's White_Space above ASCII. */
static bool is_wide_space(uint32_t c) {
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_control(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool name_valid(struct slice name) {
    if (name.len == 0 || name.len > NAME_MAX_LEN || !utf8_valid(name))
        return false;
    for (size_t at = 0; at < name.len;) {
        uint32_t c = utf8_decode(name, at, &at);
        if (is_control(c) || c == ' ' || is_wide_space(c) || c == '{' || c == '}')
            return false;
    }
    return true;
}

bool name_valid_user(struct slice id) {
    return name_valid(id) && memchr(id.ptr, ':', id.len) == NULL;
}

void name_set(struct name *out, struct slice s) {
    out->len = (unsigned char)s.len;
    if (s.len != 0)
        memcpy(out->bytes, s.ptr, s.len);
}

static ptrdiff_t read_text(struct json_value value, bool user, char *out) {
    if (value.type == JSON_STRING)
        return json_decode(value, out, NAME_MAX_LEN);
    if (!user || !json_is_integer(value) || value.raw.len > NAME_MAX_LEN)
        return -1;
    memcpy(out, value.raw.ptr, value.raw.len);
    return (ptrdiff_t)value.raw.len;
}

bool name_from_json(struct json_value value, bool user, struct name *out) {
    out->len = 0;
    ptrdiff_t len = read_text(value, user, out->bytes);
    if (len <= 0)
        return false;
    struct slice text = {out->bytes, (size_t)len};
    if (!(user ? name_valid_user(text) : name_valid(text)))
        return false;
    out->len = (unsigned char)len;
    return true;
}
