/*
 * libFuzzer on the offset with which a client of Socket.IO comes back: any text. Each mark must
 * lie within it, and what is written from what was read must be read as the same.
 */
#include "gateway/session/offset.h"
#include "tests/fuzz/fuzz.h"

#define PARTITIONS 3

static void put_mark(struct buf *out, const struct mark *m) {
    buf_printf(out, "%llx.%s.", (unsigned long long)m->at.seq, m->at.epoch);
    buf_slice(out, m->channel);
}

static void put_tides(struct buf *out, const struct offset *o, unsigned partitions) {
    struct tide tides[PARTITIONS];
    for (unsigned i = 0; i < partitions; i++)
        tides[i] =
            (struct tide){.time = o->tides[i].time, .term = o->tides[i].term, .settled = true};
    tides_put(out, tides, partitions, o->time);
    buf_char(out, '.');
}

static void put(struct buf *out, const struct offset *o, unsigned partitions) {
    bool apart = partitions > 1;
    buf_str(out, o->plain ? (apart ? "*" : "") : (apart ? "+" : "~"));
    buf_printf(out, "%llx.", (unsigned long long)o->time);
    if (!o->plain)
        buf_printf(out, "%x.", o->term);
    if (apart)
        put_tides(out, o, partitions);
    for (size_t i = 0; i < o->count; i++) {
        buf_str(out, i > 0 ? " " : "");
        put_mark(out, &o->marks[i]);
    }
}

static void check_same(const struct offset *a, const struct offset *b) {
    check(a->plain == b->plain && a->time == b->time && a->term == b->term);
    check(a->count == b->count);
    for (unsigned i = 0; i < PARTITIONS; i++)
        check(a->tides[i].time == b->tides[i].time && a->tides[i].term == b->tides[i].term);
    for (size_t i = 0; i < a->count; i++) {
        check(a->marks[i].at.seq == b->marks[i].at.seq);
        check(strcmp(a->marks[i].at.epoch, b->marks[i].at.epoch) == 0);
        check(slice_eq(a->marks[i].channel, b->marks[i].channel));
    }
}

static void parse(struct slice all, unsigned partitions) {
    static struct offset o, again;
    struct buf text;
    memset(&o, 0, sizeof o);
    memset(&again, 0, sizeof again);
    if (!offset_parse(&o, all, partitions))
        return;
    check(o.count > 0 && o.count <= OFFSET_MARKS_MOST && (!o.plain || o.count == 1));
    for (size_t i = 0; i < o.count; i++) {
        check(o.marks[i].channel.len > 0 && fuzz_within(o.marks[i].channel, all));
        check(o.marks[i].at.epoch[0] != '\0' && offset_mark(&o, o.marks[i].channel) != NULL);
    }
    buf_init(&text);
    put(&text, &o, partitions);
    check(offset_parse(&again, buf_bytes(&text), partitions));
    check_same(&o, &again);
    buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    parse(all, 1);
    parse(all, PARTITIONS);
    return 0;
}
