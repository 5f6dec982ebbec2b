#ifndef SLUICE_API_KEYS_H
#define SLUICE_API_KEYS_H

#include "gateway/net/http_request.h"
#include "gateway/options.h"

/*
 * Who may use the API. Each key has a name and rights: that of `api-key`, and that in the file
 * `api-key-file`, are called `default` and have all; those in the file `api-keys` are lines of
 * a name, a key and its rights. `admin-token` is a key that may only look on (API_ADMIN).
 * Digests are compared, all of them each time, so that the time of an answer tells nothing of a
 * key.
 */
#define API_KEY_LEAST  32
#define API_KEY_MOST   1023
#define API_NAME_MOST  64
#define API_UNDER_WAY  1000 /* requests that a key may have under way on a node */
#define API_KEYS_BYTES 262144

/* What a key may do. Of a route: any of these is good for it. */
enum api_right {
    API_PUBLISH = 1,
    API_READ = 2,
    API_USERS = 4,
    API_ALL = API_PUBLISH | API_READ | API_USERS,
    API_ADMIN = 8
};

/* A key lives as long as a request of its bearer, also when the keys were read again. */
struct api_key {
    char name[API_NAME_MOST + 1];
    unsigned rights;
    unsigned refs;
    unsigned under_way; /* requests that wait for their answers */
    unsigned char digest[32];
};

struct api_keys {
    struct api_key **all; /* owned, each with a reference */
    size_t count;
};

/* Reads the options, and the files. Returns what is wrong with the option whose flag is in
 * *flag then, or NULL. out may be NULL, to check alone; when something is wrong it stays as it
 * was. It begins zeroed. */
const char *api_keys_read(struct api_keys *out, const struct options *o, const char **flag);
void api_keys_deinit(struct api_keys *k);

/* The key that the request's header Authorization has, or NULL. */
struct api_key *api_keys_find(const struct api_keys *k, const struct http_request *request);

static inline struct api_key *api_key_ref(struct api_key *key) {
    key->refs++;
    return key;
}
void api_key_unref(struct api_key *key); /* may be NULL */

#endif
