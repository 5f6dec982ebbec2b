/*
 * libFuzzer on the Socket.IO codec: any valid UTF-8 as a packet. Slices must lie within it, and
 * head and payload put together again must be read as the same packet.
 */
#include "common/sio.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MOST 64

static void again(const struct sio_packet *p) {
    struct sio_packet q;
    struct buf text;
    buf_init(&text);
    sio_put_head(&text, p);
    buf_slice(&text, p->payload.raw);
    check(sio_read(buf_bytes(&text), MOST, &q) == SIO_OK);
    check(q.type == p->type && q.attachments == p->attachments && q.has_id == p->has_id &&
          q.id == p->id && slice_eq(q.nsp, p->nsp) && slice_eq(q.args, p->args) &&
          slice_eq(q.name.raw, p->name.raw));
    buf_deinit(&text);
}

/* What an application makes of an event's arguments is JSON, too. */
static void splice(const struct sio_packet *p) {
    struct json_value value;
    struct buf text;
    buf_init(&text);
    buf_str(&text, "[\"x\"");
    buf_str(&text, p->args.len > 0 ? "," : "");
    buf_slice(&text, p->args);
    buf_char(&text, ']');
    check(json_parse(buf_bytes(&text), &value) == JSON_OK);
    buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    struct sio_packet p;
    if (!utf8_valid(all) || sio_read(all, MOST, &p) != SIO_OK)
        return 0;
    check(slice_is(p.nsp, "/") || fuzz_within(p.nsp, all));
    check(fuzz_within(p.payload.raw, all) && fuzz_within(p.args, all) &&
          fuzz_within(p.name.raw, all));
    check(p.attachments <= MOST);
    again(&p);
    if (p.type != SIO_CONNECT && p.type != SIO_DISCONNECT)
        splice(&p);
    return 0;
}
