#ifndef SLUICE_API_KEYS_H
#define SLUICE_API_KEYS_H

#include "gateway/net/http_request.h"
#include "gateway/options.h"

/*
 * Who may use the API: the bearer of `api-key`, or of the key in `api-key-file`, may do
 * everything, that of `admin-token` may only read. Digests are compared, all of them each time,
 * so that the time of an answer tells nothing of a key.
 */
#define API_KEY_LEAST 32
#define API_KEY_MOST  1023

struct api_keys {
    struct {
        bool given;
        unsigned char digest[32];
    } keys[3];
};

/* Reads the options, and the file. Returns what is wrong with the option whose flag is in *flag
 * then, or NULL. out may be NULL, to check alone. */
const char *api_keys_read(struct api_keys *out, const struct options *o, const char **flag);

/* Some key is configured. */
bool api_keys_given(const struct api_keys *k);
/* May the request be answered? writes: it changes something. */
bool api_keys_allow(const struct api_keys *k, const struct http_request *request, bool writes);

#endif
