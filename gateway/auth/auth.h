#ifndef SLUICE_AUTH_AUTH_H
#define SLUICE_AUTH_AUTH_H

#include <uv.h>

#include "gateway/auth/identity.h"
#include "gateway/auth/jwks.h"
#include "gateway/options.h"

/*
 * Checks tokens (RFC 7519) with the keys that the options name. Identity is on as soon as a key
 * is configured. A node has one of these.
 */
struct auth {
    const struct options *options;
    uv_loop_t *loop;
    struct keys keys;     /* of the options' texts and files */
    struct grant *grants; /* of the option `grants` */
    struct jwks jwks;
    struct list waiting; /* checks that wait for news of it, the oldest first */
    unsigned waiting_count;
    uv_timer_t timer; /* gives the oldest one up; only while jwks is on */
};

/*
 * Reads the keys. The other arguments are borrowed. Returns NULL, or what is wrong with the
 * option whose flag is in *flag then; auth_deinit is due in any case, after auth_close if it
 * went well.
 */
const char *auth_init(struct auth *a, const struct options *options, uv_loop_t *loop,
                      struct metrics *metrics, const char **flag);
/* Begins to fetch the keys at jwks-url. */
void auth_open(struct auth *a);
/*
 * Reads keys and rights again, from `fresh`, which was loaded from changed sources, and from
 * the files it names. Returns NULL, or what is wrong; then all stays as it was. Identity can be
 * switched on and off by a restart only, and so can jwks-url.
 */
const char *auth_reload(struct auth *a, const struct options *fresh, const char **flag);
/* Closes its handles; no check may wait any more. */
void auth_close(struct auth *a);
void auth_deinit(struct auth *a);

/* A key is configured: tokens count. */
bool auth_has_keys(const struct auth *a);
/* Identity is on: there are keys, guests, or a back end to be asked. */
bool auth_on(const struct auth *a);
/* The flags of the options that switch identity on, for the log; valid as a text of log_text
 * is. */
const char *auth_sources(const struct auth *a);

/* A token with a key that is not known waits so long at most. */
#define AUTH_WAIT_MS 5000

/*
 * A check under way; embedded by whoever waits for it, zeroed, with `done` set. `done` gets a
 * reference for itself, or NULL and why: words for the client, valid until it returns, that say
 * which check failed and never hold the token.
 */
struct auth_check {
    struct list link;
    struct auth *auth; /* NULL: it does not wait */
    uint64_t until;    /* by the loop's clock: when it is given up */
    struct buf token;  /* a copy, while it waits */
    void (*done)(struct auth_check *check, struct identity *who, const char *why);
};

/* Checks `token`. May call `done` before it returns, else later: a key that is not known yet is
 * waited for, 5 s at most. `token` need not outlive the call. */
void auth_check_begin(struct auth *a, struct auth_check *check, struct slice token);
/* `done` will not be called any more. Nothing happens if the check is over, or never began. */
void auth_check_cancel(struct auth_check *check);

/* Makes a guest with the rights of the option `grants`. Returns a reference for the caller;
 * NULL: no memory. socket: the id of its socket, at most 64 bytes. */
struct identity *auth_guest(const struct auth *a, struct slice socket);

/* Who the back end has said it is (claims_answered). */
struct identity *auth_answered(const struct auth *a, struct json_value answer,
                               struct slice socket, int64_t iat_ms, const char **why);

/* The wall clock, ms since 1970. */
int64_t auth_now_ms(void);

#endif
