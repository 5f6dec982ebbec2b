/*
 * libFuzzer on attachments in messages that are JSON: any valid UTF-8 as the data of a message
 * that somebody published. What comes out as attachments must come back as the same data, and
 * what a client sends with attachments must be JSON.
 */
#include "common/utf8.h"
#include "gateway/doors/sio_binary.h"
#include "tests/fuzz/fuzz.h"

static struct net net; /* only its slabs are used */

/* The bytes of an attachment: its frame without the header (RFC 6455, 5.2). */
static struct slice payload_of(struct region r) {
    const char *frame = r.slab->bytes + r.at;
    unsigned len = (unsigned char)frame[1];
    size_t head = len == 127 ? 10 : len == 126 ? 4 : 2;
    check(r.len >= head);
    return (struct slice){frame + head, r.len - head};
}

static void same(const struct message *a, const struct message *b) {
    check(a->attached_count == b->attached_count);
    for (unsigned i = 0; i < a->attached_count; i++)
        check(slice_eq(payload_of(a->attached[i].plain), payload_of(b->attached[i].plain)));
}

/* Sends it again, as a client does. */
static void again(const struct message *m, struct slice plain) {
    struct slice bytes[SIO_BINARY_MOST];
    struct sio_message sent = {.attachments = bytes, .attachment_count = m->attached_count};
    struct message back = {.channel = SLICE("\"room:a\"")};
    struct json_value value;
    struct buf data, out;
    check(m->attached_count > 0 && m->attached_count <= SIO_BINARY_MOST);
    for (unsigned i = 0; i < m->attached_count; i++)
        bytes[i] = payload_of(m->attached[i].plain);
    check(json_parse(plain, &value) == JSON_OK);
    plain = value.raw; /* without space around it */
    buf_init(&data);
    buf_init(&out);
    if (sio_binary_in(SLICE("sendMessage"), value, &sent, &data) == NULL) {
        back.data = buf_bytes(&data);
        check(json_parse(back.data, &value) == JSON_OK);
        check(sio_binary_out(&back, &net, &out) == SIO_BINARY_SOME);
        check(slice_eq(buf_bytes(&out), plain));
        same(m, &back);
    }
    message_done(&back, &net.slabs);
    buf_deinit(&data);
    buf_deinit(&out);
}

/* An event with an attachment that its data need not mention. */
static void in(struct json_value data) {
    static const char *const events[] = {"sendMessage", "publish", "private_message", "typing"};
    struct slice bytes = SLICE("\1\2\3");
    struct sio_message sent = {.attachments = &bytes, .attachment_count = 1};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct json_value value;
        struct buf out;
        buf_init(&out);
        if (sio_binary_in(slice_of(events[i]), data, &sent, &out) == NULL)
            check(json_parse(buf_bytes(&out), &value) == JSON_OK);
        buf_deinit(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    struct message m = {.channel = SLICE("\"room:a\"")};
    struct json_value value;
    struct buf out;
    if (!utf8_valid(all) || json_parse(all, &value) != JSON_OK)
        return 0;
    char *copy = fuzz_copy(all);
    m.data = (struct slice){copy, size};
    buf_init(&out);
    if (sio_binary_out(&m, &net, &out) == SIO_BINARY_SOME)
        again(&m, buf_bytes(&out));
    check(json_parse(m.data, &value) == JSON_OK);
    in(value);
    message_done(&m, &net.slabs);
    slabs_rest(&net.slabs);
    buf_deinit(&out);
    free(copy);
    return 0;
}
