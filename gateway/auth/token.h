#ifndef SLUICE_AUTH_TOKEN_H
#define SLUICE_AUTH_TOKEN_H

#include "common/buf.h"
#include "gateway/auth/algorithm.h"

/*
 * The form of a token: a JWS in compact serialization (RFC 7515) with an integrity-protected
 * header. Keys and claims are the matter of others.
 */
#define TOKEN_LIMIT 8192 /* bytes */

struct token {
    struct slice signed_text; /* what the signature is of; in the token's text */
    struct slice payload;     /* still in base64url; the same */
    struct buf signature;
    struct buf kid; /* empty: the token names no key */
    bool has_kid;
    enum algorithm algorithm;
};

/*
 * Reads `text`, which must outlive the token. Returns NULL, or what is wrong, a constant text
 * for the client. token_deinit is due in any case.
 */
const char *token_read(struct token *t, struct slice text);
void token_deinit(struct token *t);

#endif
