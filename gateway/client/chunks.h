#ifndef SLUICE_CLIENT_CHUNKS_H
#define SLUICE_CLIENT_CHUNKS_H

#include "common/err.h"
#include "common/name.h"
#include "gateway/options.h"

/* The pieces of messages that come in pieces, until a message is complete. */

/* The pieces of all connections of the node. */
struct chunk_store {
    const struct options *options;
    size_t bytes;
};

struct event_row;

/* A message that is not complete. */
struct chunked {
    struct chunked *next;
    uint64_t touched; /* loop time at which its last piece came */
    const struct event_row *row;
    struct slice head; /* owned: the first piece's data, with the event's other fields */
    size_t total;
    size_t have;
    size_t bytes; /* the memory that it holds, this struct included */
    struct name id;
    struct slice pieces[]; /* owned; ptr NULL: has not come yet; the first points into head */
};

/* The incomplete messages of a connection. */
struct chunks {
    struct chunk_store *store;
    struct chunked *first;
    unsigned count;
    size_t bytes;
};

/* NULL: no memory. */
struct chunks *chunks_make(struct chunk_store *store);
/* all may be NULL. */
void chunks_free(struct chunks *all);
/* Drops messages for which no piece has come in chunk-timeout. all may be NULL. */
void chunks_expire(struct chunks *all, uint64_t now);

/* NULL: there is none. */
struct chunked *chunked_find(struct chunks *all, const struct name *id);
/* Begins a message, in *out. ERR_TOO_MANY: too many messages are incomplete; ERR_TOO_LARGE:
 * they would hold more than max-chunked; ERR_INTERNAL: no memory. */
enum err chunked_begin(struct chunks *all, const struct name *id, size_t total,
                       struct chunked **out);
/* Copies the bytes of a piece. With index 0 the bytes become the head, in which the first piece
 * is; the caller then sets pieces[0]. Returns ERR_OK, ERR_TOO_LARGE or ERR_INTERNAL. */
enum err chunked_take(struct chunks *all, struct chunked *c, size_t index, struct slice bytes,
                      uint64_t now);
void chunked_free(struct chunks *all, struct chunked *c);

#endif
