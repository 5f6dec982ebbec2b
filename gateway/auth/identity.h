#ifndef SLUICE_AUTH_IDENTITY_H
#define SLUICE_AUTH_IDENTITY_H

#include "common/name.h"
#include "gateway/auth/grant.h"

/* What says who it is: a token; the back end, by connect-hook; or nothing, and it is a guest.
 */
enum identity_kind { IDENTITY_TOKEN, IDENTITY_HOOK, IDENTITY_GUEST };

/* What is known of the user of a connection, as from a valid token, whose times these are.
 * Counted by reference; never changed once made. */
struct identity {
    unsigned refs;
    enum identity_kind kind;
    bool asked; /* the back end has said so, perhaps of a guest; at exp it is asked again */
    struct name sub;      /* the user id */
    struct name username; /* 1 to 128 bytes of any text; empty: the token has none */
    struct name role;     /* the same */
    bool has_iat;
    int64_t iat_ms;      /* times in ms since 1970 */
    int64_t exp_ms;      /* INT64_MAX: it does not end, and nor does until_ms */
    int64_t until_ms;    /* exp and jwt-leeway: from then on the token is no good */
    struct grant *grant; /* owned */
    char *data;          /* owned: JSON of the back end's for a login's answer; or NULL */
};

/* The user of a guest is this and the id of its socket. */
#define GUEST_PREFIX "guest-"

static inline bool is_guest(const struct identity *who) {
    return who != NULL && who->kind == IDENTITY_GUEST;
}

struct identity *identity_ref(struct identity *who);
/* Frees it with the last reference. NULL is fine. */
void identity_unref(struct identity *who);

#endif
