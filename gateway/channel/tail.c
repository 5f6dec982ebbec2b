#include "gateway/channel/tail.h"

#include <stdlib.h>

#define TAIL_BYTES  262144
#define TAIL_FRAMES 1024

struct tail {
    struct buf bytes;
    size_t ends[TAIL_FRAMES];
    unsigned count;
};

bool tail_record(struct tail **tail, const struct message *m) {
    struct tail *t = *tail;
    if (t == NULL)
        t = *tail = calloc(1, sizeof *t);
    if (t == NULL || t->count == TAIL_FRAMES || t->bytes.len + m->frame.len > TAIL_BYTES)
        return false;
    buf_slice(&t->bytes, m->frame);
    if (t->bytes.failed)
        return false;
    t->ends[t->count++] = t->bytes.len;
    return true;
}

void tail_forget(struct tail **tail) {
    if (*tail == NULL)
        return;
    buf_deinit(&(*tail)->bytes);
    free(*tail);
    *tail = NULL;
}

static bool frame_at(const struct tail *t, unsigned i, struct message *m) {
    size_t begin = i > 0 ? t->ends[i - 1] : 0;
    return message_parse(m, (struct slice){t->bytes.data + begin, t->ends[i] - begin});
}

unsigned tail_unexplained(const struct tail *tail, const struct position *at) {
    unsigned count = 0;
    for (unsigned i = 0; tail != NULL && i < tail->count; i++) {
        struct message m;
        if (frame_at(tail, i, &m))
            count += m.seq > at->seq || !slice_is(m.epoch, at->epoch);
    }
    return count;
}

void tail_replay(const struct tail *tail, struct slice epoch, uint64_t seq,
                 bool (*each)(void *arg, struct message *m), void *arg) {
    for (unsigned i = 0; tail != NULL && i < tail->count; i++) {
        struct message m;
        if (!frame_at(tail, i, &m) || m.seq != seq + 1 || !slice_eq(m.epoch, epoch))
            continue;
        seq = m.seq;
        if (!each(arg, &m))
            return;
    }
}
