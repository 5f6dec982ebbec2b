#include "common/eio.h"

#include "common/base64.h"

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
    base64_encode(bytes, payload);
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
