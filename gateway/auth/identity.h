#ifndef SLUICE_AUTH_IDENTITY_H
#define SLUICE_AUTH_IDENTITY_H

#include "common/name.h"
#include "gateway/auth/grant.h"

/* What a valid token says of its bearer. Counted by reference; never changed once made. */
struct identity {
    unsigned refs;
    struct name sub;      /* the user id */
    struct name username; /* 1 to 128 bytes of any text; empty: the token has none */
    struct name role;     /* the same */
    bool has_iat;
    int64_t iat_ms; /* times in ms since 1970 */
    int64_t exp_ms;
    int64_t until_ms;    /* exp and jwt-leeway: from then on the token is no good */
    struct grant *grant; /* owned */
};

struct identity *identity_ref(struct identity *who);
/* Frees it with the last reference. NULL is fine. */
void identity_unref(struct identity *who);

#endif
