#ifndef SLUICE_AUTH_KEY_H
#define SLUICE_AUTH_KEY_H

#include <openssl/evp.h>

#include "common/buf.h"
#include "common/list.h"
#include "gateway/auth/algorithm.h"

/* A key that verifies tokens: a secret, or a public key. */
struct key {
    struct list link;
    enum key_kind kind;
    enum algorithm bound; /* the only algorithm for it, or ALGORITHM_NONE: all of its kind */
    EVP_PKEY *public;     /* owned; NULL for a secret */
    struct buf secret;
    struct buf kid; /* empty: it has no name, and may be tried for each token */
};

#define KEY_SECRET_LEAST 32   /* bytes */
#define KEY_RSA_LEAST    2048 /* bits */

/*
 * These return a key of the caller, or NULL with *why set to what is wrong, a constant text.
 * Both refuse what is too weak.
 */
struct key *key_from_secret(struct slice secret, const char **why);
/* Takes `public` over, even if it fails. */
struct key *key_from_public(EVP_PKEY *public, const char **why);
/* Frees it, and overwrites a secret first. It must be in no list. */
void key_free(struct key *k);

bool key_fits(const struct key *k, enum algorithm a);
/* Does a check by this key take long, up to some 2 ms? One by another takes 0.2 ms at most. */
bool key_is_dear(const struct key *k);
/*
 * True if `signature`, as a token has it (RFC 7518: of ECDSA r and s in full length), is the
 * signature of `text` by this key. The algorithm must fit the key. Secrets are compared in
 * constant time.
 */
bool key_verify(const struct key *k, enum algorithm a, struct slice text,
                struct slice signature);

#endif
