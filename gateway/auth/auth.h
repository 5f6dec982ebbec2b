#ifndef SLUICE_AUTH_AUTH_H
#define SLUICE_AUTH_AUTH_H

#include <uv.h>

#include "gateway/auth/identity.h"
#include "gateway/auth/keys.h"
#include "gateway/options.h"

/*
 * Checks tokens (RFC 7519) with the keys that the options name. Identity is on as soon as a key
 * is configured. A node has one of these.
 */
struct auth {
    const struct options *options;
    uv_loop_t *loop;
    struct keys keys;     /* of the options */
    struct grant *grants; /* of the option `grants` */
};

/*
 * Reads the keys. options and loop are borrowed. Returns NULL, or what is wrong with the option
 * whose flag is in *flag then; auth_deinit is due in any case.
 */
const char *auth_init(struct auth *a, const struct options *options, uv_loop_t *loop,
                      const char **flag);
void auth_deinit(struct auth *a);

/* A key is configured. */
bool auth_on(const struct auth *a);
/* The flags of the options with keys, for the log; valid as a text of log_text is. */
const char *auth_sources(const struct auth *a);

/*
 * A check under way; embedded by whoever waits for it, zeroed, with `done` set. `done` gets a
 * reference for itself, or NULL and why: words for the client, valid until it returns, that say
 * which check failed and never hold the token.
 */
struct auth_check {
    struct list link;
    uint64_t until; /* by the loop's clock: when it is given up */
    char *token;    /* a copy, while it waits */
    size_t token_len;
    void (*done)(struct auth_check *check, struct identity *who, const char *why);
};

/* Checks `token`. May call `done` before it returns, else later: a key that is not known yet is
 * waited for, 5 s at most. `token` need not outlive the call. */
void auth_check_begin(struct auth *a, struct auth_check *check, struct slice token);
/* `done` will not be called any more. Nothing happens if the check is over, or never began. */
void auth_check_cancel(struct auth_check *check);

/* The wall clock, ms since 1970. */
int64_t auth_now_ms(void);

#endif
