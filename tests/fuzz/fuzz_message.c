/*
 * libFuzzer on frames of the log, which come by doorbells and by pages: any bytes. Each part
 * must lie within the frame, an entry of a log must be JSON, and what a node writes itself it
 * must read again.
 */
#include "common/utf8.h"
#include "gateway/channel/message.h"
#include "tests/fuzz/fuzz.h"

static void parts(const struct message *m, struct slice all) {
    check(slice_eq(m->frame, all));
    check(fuzz_within(m->channel, all) && fuzz_within(m->epoch, all));
    check(fuzz_within(m->event, all) && fuzz_within(m->origin, all));
    check(fuzz_within(m->data, all) && m->data.len > 0);
    size_t bin = m->bin.len > 0 ? strlen(",\"bin\":") + m->bin.len : 0;
    check(m->data.ptr + m->data.len + bin + 1 == all.ptr + all.len);
    check(fuzz_within(m->bin, all) && fuzz_within(m->user, all) && fuzz_within(m->socket, all));
    check(fuzz_within(m->nsp, all) && fuzz_within(m->except, all));
    check(!m->has_args || (m->data.len >= 2 && m->data.ptr[0] == '['));
    check(m->channel.len >= 2 && m->channel.ptr[0] == '"');
    check(m->ephemeral == (m->seq == 0) && m->ephemeral == (m->epoch.len == 0));
}

/* What this node publishes of its own. */
static void written(struct slice data) {
    struct message m;
    struct buf frame;
    struct json_value value;
    buf_init(&frame);
    if (json_parse(data, &value) == JSON_OK) {
        check(message_ephemeral(&m, &frame, SLICE("room:a\"b"), "roster", value.raw));
        check(slice_eq(m.data, value.raw) && slice_is(m.event, "roster"));
        check(message_parse_entry(&m, buf_bytes(&frame)) && m.ephemeral);
        buf_clear(&frame);
        check(message_bare(&m, &frame, "roster", value.raw) && slice_eq(m.data, value.raw));
        buf_clear(&frame);
    }
    check(message_text(&m, &frame, SLICE("topic:t"), data));
    check(message_parse_entry(&m, buf_bytes(&frame)));
    buf_deinit(&frame);
}

/* Somebody publishes by hand: the channel and the text are what they are. */
static void by_hand(struct slice all) {
    struct message m;
    struct buf frame;
    buf_init(&frame);
    check(message_text(&m, &frame, all, all));
    check(message_parse_entry(&m, buf_bytes(&frame)));
    buf_deinit(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    struct message m;
    struct json_value value;
    if (message_parse(&m, all))
        parts(&m, all);
    if (message_parse_entry(&m, all))
        check(utf8_valid(all) && json_parse(all, &value) != JSON_E_SYNTAX);
    if (utf8_valid(all)) {
        written(all);
        by_hand(all);
    }
    return 0;
}
