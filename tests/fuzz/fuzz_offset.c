/*
 * libFuzzer on the offset with which a client of Socket.IO comes back: any text. Each mark must
 * lie within it, and what is written from what was read must be read as the same.
 */
#include "gateway/session/offset.h"
#include "tests/fuzz/fuzz.h"

static void put_mark(struct buf *out, const struct mark *m) {
    buf_printf(out, "%llx.%s.", (unsigned long long)m->at.seq, m->at.epoch);
    buf_slice(out, m->channel);
}

static void put(struct buf *out, const struct offset *o) {
    if (o->plain)
        buf_printf(out, "%llx.", (unsigned long long)o->time);
    else
        buf_printf(out, "~%llx.%x.", (unsigned long long)o->time, o->term);
    for (size_t i = 0; i < o->count; i++) {
        buf_str(out, i > 0 ? " " : "");
        put_mark(out, &o->marks[i]);
    }
}

static void check_same(const struct offset *a, const struct offset *b) {
    check(a->plain == b->plain && a->time == b->time && a->term == b->term);
    check(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        check(a->marks[i].at.seq == b->marks[i].at.seq);
        check(strcmp(a->marks[i].at.epoch, b->marks[i].at.epoch) == 0);
        check(slice_eq(a->marks[i].channel, b->marks[i].channel));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct offset o, again;
    struct slice all = {(const char *)data, size};
    struct buf text;
    memset(&o, 0, sizeof o);
    memset(&again, 0, sizeof again);
    if (!offset_parse(&o, all))
        return 0;
    check(o.count > 0 && o.count <= OFFSET_MARKS_MOST && (!o.plain || o.count == 1));
    for (size_t i = 0; i < o.count; i++) {
        check(o.marks[i].channel.len > 0 && fuzz_within(o.marks[i].channel, all));
        check(o.marks[i].at.epoch[0] != '\0' && offset_mark(&o, o.marks[i].channel) != NULL);
    }
    buf_init(&text);
    put(&text, &o);
    check(offset_parse(&again, buf_bytes(&text)));
    check_same(&o, &again);
    buf_deinit(&text);
    return 0;
}
