#ifndef SLUICE_REDIS_READING_H
#define SLUICE_REDIS_READING_H

#include <uv.h>

#include "gateway/redis/reply.h"
#include "gateway/tls.h"

/*
 * Reads replies from a stream. A turn of the loop handles as many as its budget of time allows,
 * since replies may be doorbells (channel.h), which cause much work. While some replies are
 * left over, the stream is not read, so that further bytes wait in the kernel and in Redis.
 */
struct reading {
    uv_stream_t *stream;
    struct reply_reader *reader; /* NULL: nothing has been read since the last stream */
    uv_idle_t idle;              /* runs while replies are left over */
    uint64_t read_at;            /* ns: when the replies being handled were read */
    struct tls *tls;             /* what comes is its records; NULL: plain. Set by the owner */
    bool on;
    /* A reply, which is valid until the callback returns. The callback may end the reading. */
    void (*on_reply)(struct reading *r, const struct reply *reply);
    /* TLS has taken records: the handshake may be done now, or have failed, and there may be
     * something to write. Called after the replies that they held. */
    void (*on_records)(struct reading *r);
    /* Nothing more can be read. The owner calls reading_end. */
    void (*on_broken)(struct reading *r, const char *why);
};

/* The callbacks must be set. The owner closes `idle` at the end. */
void reading_init(struct reading *r, uv_loop_t *loop);
/* Returns false without memory; the stream is then not read. */
bool reading_begin(struct reading *r, uv_stream_t *stream);
/* Nothing is called after this. Does nothing when called again. */
void reading_end(struct reading *r);
/* The stream is closed: forgets the bytes that were read from it. Another stream may begin. */
void reading_forget(struct reading *r);

#endif
