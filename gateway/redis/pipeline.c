#include "gateway/redis/pipeline.h"

#include <uv.h>

#define KEPT_MOST (1U << 20) /* bytes of memory that an empty buffer may keep */

bool pipeline_put(struct pipeline *p, struct slice head, struct slice tail) {
    if (!buf_reserve(&p->out, head.len + tail.len)) {
        p->out.failed = false; /* its bytes are whole commands */
        return false;
    }
    buf_slice(&p->out, head);
    buf_slice(&p->out, tail);
    return true;
}

bool pipeline_send(struct pipeline *p, int script, unsigned argc, struct slice head,
                   struct slice tail, redis_done done, void *arg) {
    size_t before = p->out.len;
    if (!pipeline_put(p, head, tail))
        return false;
    if (pipeline_push(p, script, argc, tail, done, arg))
        return true;
    p->out.len = before;
    return false;
}

void pipeline_take(struct pipeline *p) {
    struct buf swap = p->writing;
    p->writing = p->out;
    p->out = swap;
    for (uint64_t now = uv_hrtime(); p->unsent != NULL; p->unsent = p->unsent->next)
        p->unsent->sent_at = now;
}

void pipeline_written(struct pipeline *p) {
    buf_clear(&p->writing);
    if (p->writing.cap > KEPT_MOST)
        buf_deinit(&p->writing);
}

void pipeline_fail(struct pipeline *p) {
    struct command *unsent = p->unsent;
    bool sent = true;
    struct command *c = p->first;
    p->first = p->last = p->unsent = NULL;
    p->in_flight = 0;
    p->kept = 0;
    while (c != NULL) {
        struct command *next = c->next;
        if (c == unsent)
            sent = false;
        if (c->done != NULL)
            c->done(c->arg, NULL, sent ? OUTCOME_UNKNOWN : OUTCOME_REFUSED);
        free(c);
        c = next;
    }
}

void pipeline_forget(struct pipeline *p) {
    buf_deinit(&p->out);
    buf_deinit(&p->writing);
}

void resp_bulk(struct buf *b, struct slice s) {
    buf_char(b, '$');
    buf_u64(b, s.len);
    buf_append(b, "\r\n", 2);
    buf_slice(b, s);
    buf_append(b, "\r\n", 2);
}
