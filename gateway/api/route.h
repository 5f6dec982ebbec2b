#ifndef SLUICE_API_ROUTE_H
#define SLUICE_API_ROUTE_H

#include "common/json.h"
#include "gateway/api/keys.h"

/*
 * A route of the API, as a row of the table (table.c) says it. The table serves the routes,
 * checks what comes by it, and is what /openapi.json and /docs tell.
 */
struct api_call;

/* What a field is. Its type says how it is checked and described (route.c). */
enum api_type {
    API_VALUE,     /* any JSON */
    API_ARRAY,     /* at most `most` values */
    API_SWITCH,    /* true or false */
    API_NUMBER,    /* an integer from `least` to `most` */
    API_SECONDS,   /* since 1970, perhaps with a fraction; its route checks the range */
    API_TEXT,      /* at most `most` bytes */
    API_ROOM,      /* the name of a room */
    API_USER,      /* the id of a user, also as an integer */
    API_SOCKET,    /* the id of a connection */
    API_USER_LIST, /* at most `most` ids of users */
    API_CHANNEL,   /* a channel that takes messages: topic:, room:, user:, socket: or all */
    API_CHANNELS,  /* 1 to `most` of these */
    API_LOG,       /* a channel with a log: topic:, room:, user: or dm: */
    API_EVENT,     /* the name of an event */
    API_NAMESPACE, /* of Socket.IO: "/admin" */
    API_OTHERS,    /* at most `most` texts user:ID or socket:ID */
    API_TEXTS,     /* an array of texts, which are base64 */
    API_REQUESTS,  /* at most `most` requests of a batch */
    API_TYPES
};

struct api_field {
    const char *name; /* NULL: the list ends */
    enum api_type type;
    bool needed;
    uint64_t least, most;
    const char *help;
};

#define API_FIELDS 10 /* the most of a body */
#define API_PARTS  2  /* the most of a path that stand for something */

/* How long a body may be. */
enum api_size { API_NO_BODY, API_SMALL, API_MIDDLE, API_MESSAGE, API_LARGE };

struct api_route {
    const char *method;
    const char *path; /* below /api/v1; {name} stands for a part of it */
    unsigned rights;  /* any of them is needed */
    enum api_size size;
    const struct api_field *query; /* or NULL */
    const struct api_field *body;
    const char *rule; /* of JSON Schema, about the body as a whole; or NULL */
    bool once;        /* it takes Idempotency-Key: it sends something */
    bool alone;       /* it cannot be an item of a batch */
    const char *also; /* refusals besides those that any such route has: "404", "409" or NULL */
    const char *name; /* of the operation */
    const char *about;  /* what it does */
    const char *type;   /* of the answer */
    const char *answer; /* its JSON Schema */
    void (*handle)(struct api_call *c);
};

/* What stands in the parts of a path. Their names in the table are words of this list. */
enum api_type api_part_type(struct slice name);

/* Is it a value of the field's type? */
bool api_field_good(const struct api_field *f, struct json_value value);
/* The same for what was decoded from a path or a query. */
bool api_text_good(const struct api_field *f, struct slice text);
/* Appends the JSON Schema of the field. */
void api_field_schema(struct buf *out, const struct api_field *f);
/* Appends what it is, in words. */
void api_field_words(struct buf *out, const struct api_field *f);

/* Is this the name of a channel of one of the kinds? What follows "dm:" is two ids in their
 * order. */
bool api_channel_good(struct slice name);
bool api_log_good(struct slice name);

#endif
