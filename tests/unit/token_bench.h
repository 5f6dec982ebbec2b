#ifndef SLUICE_TESTS_TOKEN_BENCH_H
#define SLUICE_TESTS_TOKEN_BENCH_H

#include <openssl/evp.h>

#include "common/slice.h"

/* Signs tokens for tests, with OpenSSL alone. All texts are the caller's, to be freed; a
 * failure ends the test. */

/* A pair of keys for "RSA" (2048 bits), "P-256", "P-384", "P-521", "secp256k1", "Ed25519". They
 * are made once, and freed by bench_end. */
EVP_PKEY *bench_pair(const char *kind);
void bench_end(void);

/* Header and claims as they are given, signed with the pair and the digest ("SHA256", or NULL
 * for Ed25519); pss: RSA-PSS. */
char *bench_token(const char *header, const char *claims, EVP_PKEY *pair, const char *digest,
                  bool pss);
/* The same with HMAC. */
char *bench_mac_token(const char *header, const char *claims, struct slice secret,
                      const char *digest);
/* Header and claims in base64url, with this text as the signature. */
char *bench_plain_token(const char *header, const char *claims, const char *signature);

/* The public key of a pair: as PEM, or as a JWK with further members before the others, as
 * `"kid":"a",`. */
char *bench_pem(EVP_PKEY *pair);
char *bench_jwk(EVP_PKEY *pair, const char *members);

#endif
