#ifndef SLUICE_API_ASK_H
#define SLUICE_API_ASK_H

#include "common/list.h"
#include "common/name.h"
#include "gateway/net/http_later.h"
#include "gateway/options.h"
#include "gateway/redis/redis.h"

/*
 * A request to the API. It is answered in JSON, or refused, at once or when Redis has answered.
 */

/* The parts of the node from which answers are made. */
struct api_source {
    const struct options *options;
    struct redis *redis;
    uv_loop_t *loop;
    const char *node;        /* its name */
    const char *incarnation; /* the present one: the text changes in its place */
};

/* Name, status, code, and the message, which follows the field's name if there is one. */
#define REFUSAL_TABLE(X)                                                                       \
    X(BAD_JSON, 400, "bad_json", "the body is no JSON object")                                 \
    X(BAD_FIELD, 400, "bad_field", "has a wrong value")                                        \
    X(UNAUTHORIZED, 401, "unauthorized", "a key is wanted: Authorization: Bearer")             \
    X(NOT_FOUND, 404, "not_found", "nothing is here")                                          \
    X(ONLY_READ, 405, "bad_method", "this path is only read")                                  \
    X(ONLY_POST, 405, "bad_method", "this path takes a POST")                                  \
    X(TOO_LARGE, 413, "too_large", "the body is too long")                                     \
    X(UNAVAILABLE, 503, "unavailable", "Redis cannot be reached or refuses")

#define REFUSAL_ENUM(symbol, status, code, message) REFUSAL_##symbol,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUM) REFUSAL_COUNT };
#undef REFUSAL_ENUM

/* These answer at once: with an error about a field (NULL: about none), or with JSON. */
void api_refuse(const struct http_request *request, enum refusal why, const char *field);
void api_answer(const struct http_request *request, struct slice body);

/* Reads a user's id from a path, where it is percent-encoded. Returns false after a refusal. */
bool api_user_read(const struct http_request *request, struct slice encoded, struct name *out);
/* Writes user:<id>, the name of the user's keys. */
#define USER_KEY_SIZE (NAME_MAX_LEN + 8)
struct slice api_user_key(const struct name *user, char out[USER_KEY_SIZE]);

/* A request that waits for Redis. */
struct ask {
    struct http_later later;
    struct list link; /* used by the owner; empty at first */
    struct name user; /* the owner's */
};

/* A zeroed struct of this size, which begins with a struct ask. NULL: no memory. */
void *ask_make(size_t size);
/*
 * Called after the script. If it was sent, the request waits for its callback; when Redis does
 * not answer within redis-timeout the request is refused, and the ask stays. If it was not
 * sent, the request is refused at once, and the ask (or NULL) is freed.
 */
void ask_begun(const struct api_source *source, const struct http_request *request,
               struct ask *ask, bool sent);
/* Redis has answered, or the link fell. Answers the request, if the client still waits, and
 * frees the ask. If the body is empty or failed, the request is refused as `unavailable`. */
void ask_answer(struct ask *ask, const struct buf *body);
void ask_refuse(struct ask *ask, enum refusal why);
/* For a callback of the owner's own in place of `late`, which answers with what there is so
 * far: as ask_answer, but the ask stays. */
void ask_answer_late(struct ask *ask, const struct buf *body);
/* Does anybody wait for the answer? */
static inline bool ask_is_open(const struct ask *ask) {
    return ask->later.http != NULL;
}

#endif
