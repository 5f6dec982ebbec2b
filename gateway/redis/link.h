#ifndef SLUICE_REDIS_LINK_H
#define SLUICE_REDIS_LINK_H

#include <stdint.h>
#include <uv.h>

#include "common/buf.h"
#include "common/metrics.h"
#include "gateway/redis/address.h"
#include "gateway/redis/backoff.h"
#include "gateway/redis/greeting.h"
#include "gateway/redis/link_state.h"
#include "gateway/redis/pipeline.h"
#include "gateway/redis/reading.h"
#include "gateway/redis/records.h"
#include "gateway/redis/resolver.h"

/*
 * One connection to one Redis, plain or by TLS. It connects, greets (greeting.h), and then
 * carries pipelined commands or, on a subscriber link, pushed messages. When it falls, it fails
 * the commands under way, waits (backoff.h) and begins again, until it is closed.
 */
struct link;
struct link_events {
    void (*on_ready)(struct link *l);
    /* Called once for each on_ready and once for each failed attempt. All commands were failed
     * before. l->refused: Redis answers, but refuses the link. */
    void (*on_down)(struct link *l, const char *why);
    /* Subscriber links: a pushed array (message, subscribe, unsubscribe, pong); or PONG, while
     * nothing is subscribed. */
    void (*on_push)(struct link *l, const struct reply *push);
    /* An error reply, before its command is failed; here it is logged and counted. */
    void (*on_error)(struct link *l, struct slice text);
    /* A script was answered with MOVED, ASK, TRYAGAIN or STALE, and so had no effect. True: the
     * owner takes it over, with its `tail`, done and arg, and will send or fail it. False, or
     * NULL: it fails. */
    bool (*on_moving)(struct link *l, const struct command *c, struct slice text);
    /* A script wants more keys (found.h): the owner sends it again, or fails it. */
    void (*on_found)(struct link *l, const struct command *c, const struct reply *reply);
    /* Writes the head of EVAL for a script that Redis does not know (NOSCRIPT). */
    void (*put_eval)(struct link *l, struct buf *out, int script, unsigned argc);
    /* A script was sent with its text, and Redis has refused it without a look at that. NULL:
     * the owner need not know. */
    void (*on_unread)(struct link *l, int script);
};

struct link {
    uv_loop_t *loop;
    const struct redis_address *address;
    const struct link_events *events;
    void *owner;
    const char *name; /* for CLIENT SETNAME and the log */
    bool subscriber;
    uint64_t timeout_ms;     /* for connecting, and for each answer of the greeting */
    uint64_t backoff_ms;     /* the longest wait between attempts */
    uint64_t pause_ms;       /* the wait after the next fall; 0: as backoff.h says */
    SSL_CTX *tls_context;    /* the owner's; for an address with `tls` */
    struct metrics *metrics; /* gets the round trips; NULL: they are not measured */

    enum link_state state;
    bool closing;    /* link_close was called */
    bool distrusted; /* what it acknowledges may be lost: such commands end as unknown. The
                      * owner's; false again when the link is ready */
    bool moved;      /* the address has changed: the next attempt is at once */
    struct greeting greeting; /* has what the server told about itself */
    char why_text[256];
    char error[208];   /* Redis's last one, as text */
    unsigned attempts; /* failed attempts since it was ready */
    bool refused;      /* Redis refuses the attempt, or the link */
    bool proved;       /* it has done something useful since it is ready */
    uint64_t ready_at; /* loop time */
    enum setback setback;
    struct backoff backoff;

    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    uv_timer_t timer;
    uv_connect_t connecting;
    struct resolver resolver;
    uv_write_t write;
    bool write_busy;
    struct pipeline pipeline;
    struct reading reading;
    struct records records; /* on: the connection is under TLS */
    unsigned handles;       /* open handles and requests: the last to end tells the owner */
    void (*on_closed)(struct link *l);
};

/* Prepares the link; nothing is opened yet. backoff_ms may be changed after it. address, events
 * and name stay the caller's. */
void link_init(struct link *l, uv_loop_t *loop, const struct redis_address *address,
               const struct link_events *events, void *owner, const char *name, bool subscriber,
               uint64_t timeout_ms);
/* Begins to connect. Calls nothing back before it returns. */
void link_open(struct link *l);
/* The link has done something useful: an answer came that is no error, or a push. Only a link
 * that was proved, and was ready for a second, is tried again at once when it falls. */
void link_proved(struct link *l);
/* Why the link is not ready; NULL if it is. Valid until the link changes its state. */
const char *link_trouble(const struct link *l);
/* Drops the connection; it comes again by itself, soon if it was ready. on_down is called
 * before it returns. Does nothing while it is not connected. */
void link_reset(struct link *l, const char *why);
/* The address has changed: drops the connection, and goes there at once. on_down may be called
 * before it returns. Opens a link that is not open yet. */
void link_go(struct link *l, const char *why);
/* Drops the connection, and connects again after so long, or at link_go. on_down may be called
 * before it returns. */
void link_pause(struct link *l, uint64_t ms, const char *why);
/* Closes the link for good. on_closed is called in a later turn, when nothing is left of it. */
void link_close(struct link *l, void (*on_closed)(struct link *l));

/*
 * Sends a command. `head` is RESP up to the arguments in `tail`; both are copied. script: for
 * an EVALSHA, its script, which is sent again as EVAL when Redis answers NOSCRIPT (argc counts
 * all its arguments); -1 for other commands. done (may be NULL) is called once, in a later turn
 * or in link_reset. Returns false when the link is not ready or memory is short; then nothing
 * is sent, and done is never called.
 */
bool link_send(struct link *l, int script, unsigned argc, struct slice head, struct slice tail,
               redis_done done, void *arg);

/* Writes out the commands that the turn gathered. */
void link_flush(struct link *l);

#endif
