#ifndef SLUICE_CLIENT_EVENT_MAP_H
#define SLUICE_CLIENT_EVENT_MAP_H

#include "gateway/client/client.h"

/*
 * The map: what becomes of an application's own events (PROTOCOL.md, "Events of your own"). A
 * line of it is
 *     EVENT ACTION [WHERE] [modifier...]
 * and the first line that fits an event counts. EVENT is exact or ends in `*`, in quotes if it
 * has blanks.
 */
enum map_action {
    MAP_ROOM,
    MAP_ALL,
    MAP_USER,
    MAP_SOCKET,
    MAP_JOIN,
    MAP_LEAVE,
    MAP_RPC,
    MAP_STREAM,
    MAP_DROP
};

/* A string or an integer out of an event's arguments: `N`, `N.a.b`; or `=text` itself. */
struct pick {
    struct slice text; /* as it stands in the line, for errors; empty: no pick */
    unsigned argument; /* N */
    struct slice path; /* "a.b", or empty: the argument itself */
    bool is_text;      /* it is the text itself, as JSON: */
    size_t length;     /* its length */
    char bytes[NAME_MAX_LEN + 2];
};

struct map_line {
    struct event_row row; /* its name is that of the line's action */
    struct slice event;   /* without the `*` */
    bool prefix;          /* any name that begins with it fits */
    enum map_action action;
    struct pick where;
    struct slice target;  /* the URL of an rpc, the name of a stream */
    struct slice nsp;     /* "/" or another one */
    struct slice as;      /* the name under which it goes on; empty: its own */
    struct pick id;       /* where its id stands; or empty */
    struct slice ack;     /* what a callback gets: JSON; or empty */
    unsigned first, last; /* the arguments that go on, both included */
    bool is_volatile, others, from, open;
    uint64_t timeout; /* of an rpc, ms; 0: hook-timeout */
};

#define EVENT_NAME_MOST 128
#define ARGUMENTS_MOST  10

/* The lines of one reading of the options. */
struct event_map {
    struct event_map *former; /* owned: one that events under way may still name */
    char *text;
    size_t count;
    struct map_line lines[];
};

/*
 * Reads the option `event`, a line for each entry. handle: of each line's row. Returns a map of
 * the caller, or NULL with *why set to what is wrong (valid until four more texts are made by
 * log_text).
 */
struct event_map *event_map_read(const char *text,
                                 void (*handle)(struct request *r, struct json_value data),
                                 const char **why);
/* Was it read from that text? m may be NULL. */
bool event_map_is(const struct event_map *m, const char *text);
void event_map_free(struct event_map *m); /* with its formers; NULL is fine */

/* The first line that fits an event of this namespace; NULL: none. */
const struct map_line *event_map_find(const struct event_map *m, struct slice event,
                                      struct slice nsp);
/* The line of a row that is not one of EVENT_TABLE's. */
static inline const struct map_line *map_line_of(const struct event_row *row) {
    return container_of(row, const struct map_line, row);
}

/* Is that a name that an event may have: 1 to 128 bytes of UTF-8, no control characters, quotes
 * or backslashes? */
bool event_name_valid(struct slice name);

/* Picks a value out of an array of arguments: a string, an integer, or the pick's own text.
 * JSON_NONE: there is none. */
struct json_value pick_value(const struct pick *p, struct json_value args);

#endif
