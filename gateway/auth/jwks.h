#ifndef SLUICE_AUTH_JWKS_H
#define SLUICE_AUTH_JWKS_H

#include "common/metrics.h"
#include "gateway/auth/fetch.h"
#include "gateway/auth/keys.h"

/*
 * The keys at jwks-url. The set is fetched at the start, then every 10 minutes, and when a
 * token names a key that is not in it. There is one fetch at a time. A set is kept until the
 * next one is here, through any outage.
 */
enum jwks_state {
    JWKS_OFF,      /* no URL; nothing else is valid */
    JWKS_WAITING,  /* for the time of the next fetch */
    JWKS_FETCHING, /* for the answer */
    JWKS_CLOSED
};

/* Times between fetches, ms. */
struct jwks_times {
    uint64_t refresh; /* after one that went well */
    uint64_t unknown; /* between those that tokens with unknown keys cause */
    uint64_t retry;   /* after the first failure while there is no set; doubled with each */
    uint64_t retry_most;
};

struct jwks {
    enum jwks_state state;
    const char *url; /* borrowed, as is ca */
    const char *ca;
    struct jwks_times times;
    uv_loop_t *loop;
    struct fetch fetch;
    uv_timer_t timer;
    struct keys keys;
    bool held;           /* there is a set */
    struct buf document; /* of which it was made */
    unsigned failures;   /* since the last one that went well */
    uint64_t due;        /* by the loop's clock; of the next fetch */
    uint64_t allowed;    /* before this, an unknown key causes none */
    struct metrics *metrics;
    void (*on_news)(void *owner); /* a fetch is over */
    void *owner;
};

/* An empty URL: it is off. Returns NULL, or what is wrong with the URL. Call jwks_deinit in any
 * case, after jwks_close if it went well. */
const char *jwks_init(struct jwks *j, uv_loop_t *loop, const char *url, const char *ca,
                      struct metrics *metrics, void (*on_news)(void *owner), void *owner);
/* Begins the first fetch. */
void jwks_open(struct jwks *j);
/*
 * A token's key is not in the set, or there is no set. Returns true if a fetch is under way, or
 * begins within `patience_ms`, so that it is worth to wait for on_news.
 */
bool jwks_ask(struct jwks *j, uint64_t patience_ms);
void jwks_close(struct jwks *j);
void jwks_deinit(struct jwks *j);

#endif
