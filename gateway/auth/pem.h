#ifndef SLUICE_AUTH_PEM_H
#define SLUICE_AUTH_PEM_H

#include "gateway/auth/keys.h"

/*
 * Adds the public keys of a PEM text (RFC 7468), as many as it has: PUBLIC KEY, or RSA PUBLIC
 * KEY. Returns NULL, or what is wrong (valid until four more texts are made by log_text); then
 * some may have been added.
 */
const char *pem_read(struct keys *keys, struct slice text);

#endif
