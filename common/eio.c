#include "common/eio.h"

bool eio_read(struct slice text, struct eio_packet *out) {
    if (text.len == 0)
        return false;
    char type = text.ptr[0];
    if (type != EIO_BINARY && (type < EIO_OPEN || type > EIO_NOOP))
        return false;
    out->type = (enum eio_type)type;
    out->data = (struct slice){text.ptr + 1, text.len - 1};
    return true;
}

void eio_payload_init(struct eio_payload *p, struct slice body) {
    p->at = body.len > 0 ? body.ptr : NULL;
    p->end = body.len > 0 ? body.ptr + body.len : NULL;
}

bool eio_payload_next(struct eio_payload *p, struct slice *packet) {
    if (p->at == NULL)
        return false;
    const char *stop =
        p->at < p->end ? memchr(p->at, EIO_SEPARATOR, (size_t)(p->end - p->at)) : NULL;
    const char *end = stop != NULL ? stop : p->end;
    *packet = (struct slice){p->at, (size_t)(end - p->at)};
    p->at = stop != NULL ? stop + 1 : NULL;
    return true;
}

static void separate(struct buf *payload) {
    if (payload->len > 0)
        buf_char(payload, EIO_SEPARATOR);
}

void eio_payload_text(struct buf *payload, struct slice text) {
    separate(payload);
    buf_slice(payload, text);
}

void eio_payload_binary(struct buf *payload, struct slice bytes) {
    separate(payload);
    buf_char(payload, EIO_BINARY);
    eio_base64_encode(bytes, payload);
}

/* --- base64 ---------------------------------------------------------------------------------
 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of each digit, and one more so that 0 means: none. */
static void values_init(unsigned char values[256]) {
    memset(values, 0, 256);
    for (unsigned i = 0; i < 64; i++)
        values[(unsigned char)digits[i]] = (unsigned char)(i + 1);
}

/* Four digits (of which the last `padding` are padding) as three bytes. False: not valid. */
static bool decode_group(const unsigned char values[256], const char *in, unsigned padding,
                         char out[3]) {
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = i < 4 - padding ? values[(unsigned char)in[i]] : 1;
        if (value == 0)
            return false;
        bits = bits << 6 | (value - 1);
    }
    out[0] = (char)(bits >> 16);
    out[1] = (char)(bits >> 8);
    out[2] = (char)bits;
    return padding == 0 || (bits & ((1U << 8 * padding) - 1)) == 0;
}

bool eio_base64_decode(struct slice text, struct buf *out) {
    unsigned char values[256];
    size_t before = out->len;
    if (text.len % 4 != 0)
        return false;
    if (text.len == 0 || !buf_reserve(out, text.len / 4 * 3))
        return true;
    values_init(values);
    unsigned padding = text.ptr[text.len - 1] != '='   ? 0
                       : text.ptr[text.len - 2] != '=' ? 1
                                                       : 2;
    for (size_t at = 0; at < text.len; at += 4) {
        unsigned short_by = at + 4 == text.len ? padding : 0;
        if (!decode_group(values, text.ptr + at, short_by, out->data + out->len)) {
            out->len = before;
            return false;
        }
        out->len += 3 - short_by;
    }
    return true;
}

void eio_base64_read(struct slice text, struct buf *out) {
    unsigned char values[256];
    uint32_t bits = 0;
    unsigned have = 0;
    if (text.len == 0 || !buf_reserve(out, text.len / 4 * 3 + 3))
        return;
    values_init(values);
    values['-'] = values['+'];
    values['_'] = values['/'];
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        unsigned value = values[(unsigned char)text.ptr[i]];
        if (value == 0)
            continue;
        bits = bits << 6 | (value - 1);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        out->data[out->len++] = (char)(bits >> have);
    }
}

void eio_base64_encode(struct slice bytes, struct buf *out) {
    if (bytes.len == 0 || !buf_reserve(out, (bytes.len + 2) / 3 * 4))
        return;
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char *to = out->data + out->len;
    for (size_t at = 0; at < bytes.len; at += 3, to += 4) {
        size_t left = bytes.len - at;
        uint32_t bits = (uint32_t)in[at] << 16;
        if (left > 1)
            bits |= (uint32_t)in[at + 1] << 8;
        if (left > 2)
            bits |= in[at + 2];
        to[0] = digits[bits >> 18];
        to[1] = digits[bits >> 12 & 63];
        to[2] = digits[bits >> 6 & 63];
        to[3] = digits[bits & 63];
        if (left < 3)
            to[3] = '=';
        if (left < 2)
            to[2] = '=';
    }
    out->len = (size_t)(to - out->data);
}

/* --- refusals, queries ----------------------------------------------------------------------
 */

int eio_error_status(enum eio_error e) {
#define STATUS(symbol, code, status, message) [code] = (status),
    static const int statuses[] = {EIO_ERROR_TABLE(STATUS)};
#undef STATUS
    return statuses[e];
}

const char *eio_error_body(enum eio_error e) {
#define BODY(symbol, code, status, message)                                                    \
    [code] = "{\"code\":" #code ",\"message\":\"" message "\"}",
    static const char *const bodies[] = {EIO_ERROR_TABLE(BODY)};
#undef BODY
    return bodies[e];
}

struct slice eio_query(struct slice query, const char *name) {
    size_t len = strlen(name);
    const char *at = query.ptr;
    const char *end = query.len > 0 ? at + query.len : at;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t n = (size_t)((stop != NULL ? stop : end) - at);
        if (n > len && at[len] == '=' && memcmp(at, name, len) == 0)
            return (struct slice){at + len + 1, n - len - 1};
        at += n + 1;
    }
    return (struct slice){NULL, 0};
}
