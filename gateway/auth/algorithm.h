#ifndef SLUICE_AUTH_ALGORITHM_H
#define SLUICE_AUTH_ALGORITHM_H

#include "common/slice.h"

/*
 * The signatures that a token may have (RFC 7518, RFC 8037). A row each: symbol, name, kind of
 * key, digest. A kind of key fits its own rows only, so a public key can never be a secret.
 */
#define ALGORITHM_TABLE(X)                                                                     \
    X(HS256, "HS256", SECRET, "SHA256")                                                        \
    X(HS384, "HS384", SECRET, "SHA384")                                                        \
    X(HS512, "HS512", SECRET, "SHA512")                                                        \
    X(RS256, "RS256", RSA, "SHA256")                                                           \
    X(RS384, "RS384", RSA, "SHA384")                                                           \
    X(RS512, "RS512", RSA, "SHA512")                                                           \
    X(PS256, "PS256", RSA, "SHA256")                                                           \
    X(ES256, "ES256", P256, "SHA256")                                                          \
    X(ES384, "ES384", P384, "SHA384")                                                          \
    X(EDDSA, "EdDSA", ED25519, NULL)

enum key_kind { KEY_SECRET, KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };

#define ALGORITHM_ENUM(symbol, name, kind, digest) ALGORITHM_##symbol,
enum algorithm { ALGORITHM_TABLE(ALGORITHM_ENUM) ALGORITHM_COUNT, ALGORITHM_NONE = -1 };
#undef ALGORITHM_ENUM

/* The algorithm of this very name (case counts), or ALGORITHM_NONE. */
enum algorithm algorithm_find(struct slice name);
enum key_kind algorithm_kind(enum algorithm a);
/* OpenSSL's name of the digest, or NULL: the signature has its own. */
const char *algorithm_digest(enum algorithm a);

#endif
