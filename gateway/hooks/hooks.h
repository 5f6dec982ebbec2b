#ifndef SLUICE_HOOKS_HOOKS_H
#define SLUICE_HOOKS_HOOKS_H

#include "common/bucket.h"
#include "common/wheel.h"
#include "gateway/hooks/answer.h"
#include "gateway/hooks/circuit.h"
#include "gateway/hooks/turns.h"
#include "gateway/https.h"
#include "gateway/options.h"

/*
 * Calls to the back end: each is one POST with a JSON object, and has one end. Of the calls to
 * one URL, 32 are under way at once, and 1,000 wait, 32 of them of one user; the slots go round
 * the users. Those of connect-hook have 16 slots of their own, 4 for an address. A call has its
 * time from the event on that it is about, waiting included. A URL that fails too often is left
 * alone for a while (circuit.h). How a call ends:
 *     HOOK_DONE     the back end has answered: answer->body is an object
 *     HOOK_ERROR    it has refused: answer->code, message and data
 *     HOOK_REFUSED  it was never sent
 *     HOOK_UNKNOWN  it was sent, and no good answer came; the back end may have acted on it
 * Nothing here knows what is said: bodies are written by those who call, and answers read by
 * them.
 */
#define HOOK_RUNNING         32
#define HOOK_WAITING         1000
#define HOOK_USER_WAITING    32
#define HOOK_CONNECT_RUNNING 16
#define HOOK_ADDRESS_RUNNING 4
#define HOOK_ID_SIZE         33

enum hook_result { HOOK_DONE, HOOK_ERROR, HOOK_REFUSED, HOOK_UNKNOWN };

struct hook_call;
struct hook_target;

/* Called once, in a later turn than hooks_begin. The answer is valid until it returns. It may
 * free the call, begin it again (after hook_open), and begin and cancel others. */
typedef void hook_done(struct hook_call *call, enum hook_result result,
                       const struct hook_answer *answer);

enum hook_state { HOOK_IDLE, HOOK_OPEN, HOOK_WAITS, HOOK_RUNS, HOOK_ENDS };

/* Embedded by whoever calls, zeroed. It must not move while it is not idle. */
struct hook_call {
    enum hook_state state;
    enum hook_type type;
    enum hook_end end; /* HOOK_ENDS: what is to be told */
    bool trial;
    char id[HOOK_ID_SIZE];
    struct hooks *hooks;
    struct hook_target *target;
    struct turn turn;
    struct list link; /* in hooks.all or hooks.ending */
    struct wheel_timer timer;
    struct buf body; /* while it is HOOK_OPEN, the caller appends members to it */
    struct buf headers;
    size_t most;
    uint64_t began; /* when it was sent, in us of uv_hrtime */
    struct hook_transfer *transfer;
    hook_done *done;
};

/* What a call is about, besides its body. */
struct hook_ask {
    struct slice url;     /* one that hooks_check_url lets pass */
    struct slice user;    /* whose turn it takes: a user, or an address of guests */
    struct slice headers; /* to pass on: a line each, NAME: VALUE, that ends with \n */
    uint64_t arrived;     /* when the event came, by the loop's clock; 0: now */
    uint64_t timeout;     /* ms; 0: hook-timeout */
    size_t most;          /* bytes of an answer; 0: hook-answer */
    hook_done *done;
};

/* A node has one. */
struct hooks {
    const struct options *options; /* read at each call, since they are LIVE */
    struct metrics *metrics;
    struct https https;
    struct map targets;
    struct list all;    /* calls that wait or run */
    struct list ending; /* calls whose end is to be told */
    uv_timer_t soon;    /* tells it */
    struct wheel wheel;
    unsigned waiting;
    unsigned running;
    bool closed;
};

/* The other arguments are borrowed. Returns NULL, or why no back end can be called. */
const char *hooks_init(struct hooks *h, uv_loop_t *loop, const struct options *options,
                       struct metrics *metrics);
/* Gives up calls that have had their time. */
void hooks_tick(struct hooks *h, uint64_t now);
/* Ends all calls, each with its `done`, and closes all handles. From here on a call that begins
 * is refused before hooks_begin returns. */
void hooks_close(struct hooks *h);
/* After the loop has closed the handles. */
void hooks_deinit(struct hooks *h);

/* Circuits that are not closed, of all URLs. */
unsigned hooks_circuits_open(struct hooks *h);

/*
 * Begins the body of a call that is idle, {"id":…,"type":…,"time":…. What the caller appends to
 * call->body until hooks_begin begins with a comma. id: of a repeat, the call's own from
 * before, and 32 characters at most; NULL: a new one. time: when it happened, in ms since 1970;
 * 0: now.
 */
void hook_open(struct hook_call *call, enum hook_type type, const char *id, uint64_t time);
/* Ends the body, and sends it when it is its turn. `ask` and its texts need not outlive the
 * call. */
void hooks_begin(struct hooks *h, struct hook_call *call, const struct hook_ask *ask);
/* `done` will not be called. A request under way is cut off: the back end may have acted on it.
 * Nothing happens if the call is idle. */
void hook_cancel(struct hook_call *call);

#endif
