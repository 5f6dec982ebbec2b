#ifndef SLUICE_AUTH_CLAIMS_H
#define SLUICE_AUTH_CLAIMS_H

#include "gateway/auth/identity.h"

/* What a token's claims (RFC 7519, section 4) must be like. */
struct claims_rules {
    const char *issuer;   /* iss must be this; empty: any, or none */
    const char *audience; /* aud must be or have this; empty: any, or none */
    int64_t leeway_ms;
    const struct grant *grant; /* for lists that the claim `sluice` does not have */
    bool guests;               /* there are guests, whose names nobody else may have */
};

/*
 * Reads the payload of a token whose signature is good, in base64url. Returns a reference for
 * the caller; or NULL, with *why set to what is wrong, in words for the client (valid until
 * four more texts are made by log_text).
 */
struct identity *claims_read(struct slice payload, const struct claims_rules *rules,
                             int64_t now_ms, const char **why);

/*
 * Reads what the back end has answered about a connection: {user?, username?, role?, grants?,
 * expires?, data?}. Without a user it is a guest, if there are guests; socket is the id of its
 * socket. iat_ms: when the back end was asked. Returns and fails as claims_read; but *why is
 * NULL if nobody is named, and there are no guests.
 */
struct identity *claims_answered(struct json_value answer, const struct claims_rules *rules,
                                 struct slice socket, int64_t iat_ms, const char **why);

/* Makes a guest. NULL: no memory. */
struct identity *claims_guest(const struct grant *grant, struct slice socket);

#endif
