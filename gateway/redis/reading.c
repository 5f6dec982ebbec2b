#include "gateway/redis/reading.h"

#include "common/list.h"
#include "gateway/read_buffer.h"

#define FEED_BYTES     16384      /* with more at once the reader is 2 to 5 times slower */
#define TURN_BUDGET_NS 1000000ULL /* for parsing and fan-out in one turn of the loop */

/* Handles whole replies until none is left (true) or the turn's budget is spent (false). */
static bool drain_replies(struct reading *r, uint64_t until) {
    for (unsigned n = 1; r->on; n++) {
        const struct reply *reply;
        int got = reply_reader_next(r->reader, &reply);
        if (got == 0)
            return true;
        if (got < 0) {
            r->on_broken(r, "not the Redis protocol, or out of memory");
            return true;
        }
        r->on_reply(r, reply);
        if (uv_hrtime() > until) /* one may be a message to ten thousand */
            return false;
    }
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_idle(uv_idle_t *idle) {
    struct reading *r = container_of(idle, struct reading, idle);
    if (!drain_replies(r, uv_hrtime() + TURN_BUDGET_NS))
        return;
    uv_idle_stop(idle);
    if (r->on)
        uv_read_start(r->stream, read_buffer, on_read);
}

static void take(struct reading *r, struct slice bytes) {
    r->read_at = uv_hrtime();
    uint64_t until = r->read_at + TURN_BUDGET_NS;
    bool done = true;
    for (size_t at = 0; at < bytes.len && r->on; at += FEED_BYTES) {
        size_t len = bytes.len - at < FEED_BYTES ? bytes.len - at : FEED_BYTES;
        if (!reply_reader_feed(r->reader, bytes.ptr + at, len)) {
            r->on_broken(r, "out of memory");
            return;
        }
        if (done)
            done = drain_replies(r, until);
    }
    if (!done && r->on) {
        uv_read_stop(r->stream);
        uv_idle_start(&r->idle, on_idle);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct reading *r = stream->data;
    if (n == 0 || !r->on)
        return;
    if (n < 0) {
        r->on_broken(r, n == UV_EOF ? "Redis closed the connection" : uv_strerror((int)n));
        return;
    }
    struct slice bytes = {buf->base, (size_t)n};
    if (r->tls != NULL)
        tls_read(r->tls, bytes, &bytes);
    take(r, bytes);
    if (r->tls != NULL && r->on)
        r->on_records(r);
}

void reading_init(struct reading *r, uv_loop_t *loop) {
    uv_idle_init(loop, &r->idle);
}

bool reading_begin(struct reading *r, uv_stream_t *stream) {
    r->reader = reply_reader_create();
    if (r->reader == NULL)
        return false;
    r->stream = stream;
    r->on = true;
    stream->data = r;
    uv_read_start(stream, read_buffer, on_read);
    return true;
}

void reading_end(struct reading *r) {
    r->on = false;
    uv_idle_stop(&r->idle);
}

void reading_forget(struct reading *r) {
    reply_reader_destroy(r->reader);
    r->reader = NULL;
}
