#ifndef SLUICE_REDIS_READING_H
#define SLUICE_REDIS_READING_H

#include <uv.h>

#include "gateway/redis/reply.h"

/*
 * Reads replies from a stream, as many in a turn of the loop as its budget of time allows: they
 * may ring doorbells, and so cause much work. While some are left over, the stream is not read,
 * so what comes meanwhile waits in the kernel and in Redis.
 */
struct reading {
    uv_stream_t *stream;
    struct reply_reader *reader; /* NULL: nothing has been read since the last stream */
    uv_idle_t idle;              /* more replies have come than a turn may handle */
    uint64_t read_at;            /* ns: when the replies being handled were read */
    bool on;
    /* A reply, which holds until it returns. It may end the reading. */
    void (*on_reply)(struct reading *r, const struct reply *reply);
    /* Nothing more can be read; reading_end is due. */
    void (*on_broken)(struct reading *r, const char *why);
};

/* The callbacks are set. The owner closes `idle` at last. */
void reading_init(struct reading *r, uv_loop_t *loop);
/* False: no memory, and the stream is not read. */
bool reading_begin(struct reading *r, uv_stream_t *stream);
/* Nothing is called any more. Does nothing the second time. */
void reading_end(struct reading *r);
/* The stream is closed: forgets what was read of it. Another one may begin. */
void reading_forget(struct reading *r);

#endif
