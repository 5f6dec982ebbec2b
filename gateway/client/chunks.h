#ifndef SLUICE_CLIENT_CHUNKS_H
#define SLUICE_CLIENT_CHUNKS_H

#include "common/err.h"
#include "common/name.h"
#include "gateway/options.h"

/* Messages that come in pieces, as far as they have come: what a connection holds of them. */

/* What all connections of the node hold. */
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
    size_t bytes; /* that it holds, this struct included */
    struct name id;
    struct slice pieces[]; /* owned; ptr NULL: not there yet; the first lies in head */
};

struct chunks {
    struct chunk_store *store;
    struct chunked *first;
    unsigned count;
    size_t bytes;
};

/* NULL: no memory. */
struct chunks *chunks_make(struct chunk_store *store);
/* NULL is good, here and below. */
void chunks_free(struct chunks *all);
/* Drops those for which no piece has come in chunk-timeout. */
void chunks_expire(struct chunks *all, uint64_t now);

/* NULL: there is none. */
struct chunked *chunked_find(struct chunks *all, const struct name *id);
/* Begins one, in *out. ERR_TOO_MANY: so many are not complete; ERR_TOO_LARGE: more than
 * max-chunked; ERR_INTERNAL: no memory. */
enum err chunked_begin(struct chunks *all, const struct name *id, size_t total,
                       struct chunked **out);
/* Takes the bytes of a piece, or those that make up the head (index 0), which then holds the
 * first piece too; the caller has its place in pieces[0] set. ERR_TOO_LARGE, ERR_INTERNAL. */
enum err chunked_take(struct chunks *all, struct chunked *c, size_t index, struct slice bytes,
                      uint64_t now);
void chunked_free(struct chunks *all, struct chunked *c);

#endif
