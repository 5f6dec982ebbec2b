#ifndef SLUICE_AUTH_JWK_H
#define SLUICE_AUTH_JWK_H

#include "gateway/auth/keys.h"

/*
 * Adds the keys of a JWK set (RFC 7517, RFC 7518 section 6, RFC 8037), or of one JWK, that can
 * verify tokens. A key's `alg` binds it. What is for other uses is left out: `use` or `key_ops`
 * without verifying, secrets (`oct`), curves and algorithms that are not known here; the log
 * tells of all but the former two.
 *
 * A key that is bad (too weak, incomplete, private, or of an alg for other keys) makes a strict
 * reader fail; another one leaves it out, and logs it. Returns NULL, or what is wrong (valid
 * until four more texts are made by log_text); then some may have been added.
 */
const char *jwk_read(struct keys *keys, struct slice text, bool strict);

#endif
