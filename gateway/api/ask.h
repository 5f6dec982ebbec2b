#ifndef SLUICE_API_ASK_H
#define SLUICE_API_ASK_H

#include "common/err.h"
#include "common/list.h"
#include "common/name.h"
#include "gateway/api/route.h"
#include "gateway/net/http_later.h"
#include "gateway/redis/redis.h"

/*
 * A call of the API: a request that came by HTTP, or an item of a batch. It is answered in
 * JSON, or refused, at once or when Redis has answered.
 */
struct api;
struct api_cluster;
struct api_item;
struct clients;

/* The parts of the node from which answers are made. */
struct api_source {
    const struct options *options;
    struct redis *redis;
    struct clients *clients;
    uv_loop_t *loop;
    const char *node;        /* its name */
    const char *incarnation; /* the present one: the text changes in its place */
    struct api_cluster *cluster;
    const struct api_route *routes; /* the table (table.h) */
    size_t route_count;
};

#define API_ROOT      "/api/v1"
#define API_PART_SIZE 272 /* the longest is dm: and two ids */

struct api_part {
    char bytes[API_PART_SIZE];
    size_t len;
};

/* Valid until its route's `handle` returns. */
struct api_call {
    const struct api_source *source;
    const struct api_route *route;
    struct api_key *key; /* who asks */
    struct api_part parts[API_PARTS];
    struct slice query;
    struct slice body;
    struct json_value fields[API_FIELDS]; /* of the body, in the order of the route's */
    struct slice once;                    /* Idempotency-Key; or empty */
    const struct http_request *http;      /* NULL: */
    struct api_item *item;                /* it is this item */
    bool headed; /* its body may still be there: the connection ends with a refusal */
};

static inline struct slice api_part(const struct api_call *c, unsigned i) {
    return (struct slice){c->parts[i].bytes, c->parts[i].len};
}

/* Somebody who calls routes otherwise than by HTTP, and embeds this. */
struct ask;
struct api_item {
    /* It is answered; may be called before dispatch_item returns. body: a JSON text. */
    void (*answered)(struct api_item *item, int status, struct slice body);
    struct ask *ask; /* of dispatch_item; NULL: it is answered */
    struct slice
        entry;    /* of a stream: what makes it take effect once (applied.lua); or empty */
    bool sends;   /* its route sends something (api_route.once) */
    bool refused; /* such routes are refused as unavailable, since one before it was */
};
/* Nobody waits for the item's answer any more. */
void api_item_forget(struct api_item *item);

/* Name, status, code, and the message, which follows the field's name if there is one. */
#define REFUSAL_TABLE(X)                                                                       \
    X(BAD_JSON, 400, "bad_json", "the body is no JSON object")                                 \
    X(MISSING_FIELD, 400, "missing_field", "is required")                                      \
    X(BAD_FIELD, 400, "bad_field", "has a wrong value")                                        \
    X(UNAUTHORIZED, 401, "unauthorized", "a key is wanted: Authorization: Bearer")             \
    X(FORBIDDEN, 403, "forbidden", "this key has no right to it")                              \
    X(NOT_FOUND, 404, "not_found", "nothing is here")                                          \
    X(BAD_METHOD, 405, "bad_method", "this path takes another method, which Allow names")      \
    X(NOT_A_MEMBER, 409, "not_a_member", "is no member of the room")                           \
    X(CONFLICT, 409, "conflict", "was used for another request")                               \
    X(TOO_MANY, 409, "too_many", "belongs to as many rooms as one may")                        \
    X(TOO_LARGE, 413, "too_large", "the body is too long")                                     \
    X(RATE_LIMITED, 429, "rate_limited", "too many requests of this key are under way")        \
    X(UNAVAILABLE, 503, "unavailable", "Redis cannot be reached or refuses")

#define REFUSAL_ENUM(symbol, status, code, message) REFUSAL_##symbol,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUM) REFUSAL_COUNT };
#undef REFUSAL_ENUM

/* These answer at once: with an error about a field (NULL: about none), with the methods of the
 * path, or with JSON. */
void api_refuse(const struct api_call *c, enum refusal why, const char *field);
void api_refuse_method(const struct api_call *c, const char *allow);
void api_answer(const struct api_call *c, struct slice body);
void api_answer_as(const struct api_call *c, const char *type, struct slice body);
/* Nothing was stored, or something may have been. */
void api_unavailable(const struct api_call *c, enum outcome outcome);
/* Writes {"error":…}. */
void api_put_refusal(struct buf *out, enum refusal why, const char *field,
                     enum outcome outcome);
int api_refusal_status(enum refusal why);

/* Decodes a parameter of the query and returns its length. -1: it is not there; -2: it is
 * wrong, or too long. */
ptrdiff_t api_query(const struct api_call *c, const char *name, char *out, size_t cap);
/* A number of the query, which was checked by the table. */
uint64_t api_query_number(const struct api_call *c, const char *name, uint64_t absent);
/* The digits of such a number; empty: it is not there. */
struct slice api_query_digits(const struct api_call *c, const char *name,
                              char out[DIGITS_SIZE]);

/* What is remembered of the call, so that a repeat is known and another request is noticed
 * (tagged.lua); empty without Idempotency-Key. */
#define ONCE_SIZE (API_NAME_MOST + 128 + 32)
struct slice api_once(const struct api_call *c, char out[ONCE_SIZE]);

/* Writes user:<id>, the name of the user's keys. */
#define USER_KEY_SIZE (NAME_MAX_LEN + 8)
struct slice api_user_key(struct slice user, char out[USER_KEY_SIZE]);

/* A call that waits for Redis. */
struct ask {
    struct http_later later;
    struct api_item *item; /* or NULL */
    struct api_key *key;   /* a reference; NULL: it does not wait yet */
    bool counts;           /* the key counts it */
    uint64_t patience;     /* ms until it is late; 0: redis-timeout */
    bool writes;           /* if Redis is late, it may have stored something */
    struct list link;      /* used by the owner; empty at first */
    struct name user;      /* the owner's */
};

/* A zeroed struct of this size, which begins with a struct ask. NULL: no memory. */
void *ask_make(size_t size);
/* Frees an ask that has not begun. */
void ask_free(struct ask *ask);
/*
 * Called after the script. If it was sent, the call waits for its callback; when Redis does
 * not answer within redis-timeout the call is refused, and the ask stays. If it was not
 * sent, the call is refused at once, and the ask (or NULL) is freed.
 */
void ask_begun(const struct api_call *c, struct ask *ask, bool sent);
/* Redis has answered, or the link fell. Answers the call, if somebody still waits, and frees
 * the ask. If the body is empty or failed, the call is refused as `unavailable`. */
void ask_answer(struct ask *ask, const struct buf *body);
void ask_refuse(struct ask *ask, enum refusal why, const char *field);
void ask_unavailable(struct ask *ask, enum outcome outcome);
/* For a callback of the owner's own in place of `late`, which answers with what there is so
 * far: as ask_answer, but the ask stays. */
void ask_answer_late(struct ask *ask, const struct buf *body);
/* Does anybody wait for the answer? */
static inline bool ask_is_open(const struct ask *ask) {
    return ask->later.http != NULL || ask->item != NULL;
}

#endif
