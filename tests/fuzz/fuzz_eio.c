/*
 * libFuzzer on the Engine.IO codec: any bytes as a payload, and as base64. What was read and is
 * put together again must be the same bytes.
 */
#include "common/base64.h"
#include "common/eio.h"
#include "tests/fuzz/fuzz.h"

static void payload(struct slice all, struct buf *again) {
    struct eio_payload p;
    struct slice text;
    struct eio_packet packet;
    unsigned count = 0;
    eio_payload_init(&p, all);
    while (eio_payload_next(&p, &text)) {
        if (count++ > 0)
            buf_char(again, EIO_SEPARATOR);
        buf_slice(again, text);
        if (eio_read(text, &packet))
            check(packet.data.len == text.len - 1 && text.ptr[0] == (char)packet.type);
    }
    check(slice_eq(buf_bytes(again), all));
}

static void base64(struct slice all, struct buf *bytes, struct buf *again) {
    if (base64_decode(all, bytes)) {
        base64_encode(buf_bytes(bytes), again);
        check(slice_eq(buf_bytes(again), all)); /* there is one way to write it */
        buf_clear(again);
        base64_read(all, again);
        check(slice_eq(buf_bytes(again), buf_bytes(bytes)));
    } else {
        check(bytes->len == 0);
    }
    buf_clear(bytes);
    buf_clear(again);
    base64_read(all, again); /* takes anything */
    check(again->len <= all.len);
    buf_clear(again);
    base64_encode(all, again);
    check(base64_decode(buf_bytes(again), bytes) && slice_eq(buf_bytes(bytes), all));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    struct buf one, other;
    buf_init(&one);
    buf_init(&other);
    payload(all, &one);
    buf_clear(&one);
    base64(all, &one, &other);
    eio_query(all, "sid");
    buf_deinit(&one);
    buf_deinit(&other);
    return 0;
}
