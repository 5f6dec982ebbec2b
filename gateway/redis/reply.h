#ifndef SLUICE_REDIS_REPLY_H
#define SLUICE_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/* A Redis reply (RESP2). It belongs to its reader, and is valid until the next call for that
 * reader. */
enum reply_type {
    REPLY_STRING,
    REPLY_STATUS,
    REPLY_ERROR,
    REPLY_INTEGER,
    REPLY_NIL,
    REPLY_ARRAY
};

struct reply {
    enum reply_type type;
    long long integer;    /* REPLY_INTEGER */
    struct slice text;    /* REPLY_STRING, REPLY_STATUS, REPLY_ERROR */
    size_t count;         /* REPLY_ARRAY */
    struct reply **items; /* REPLY_ARRAY */
};

/* The i-th item, or a nil reply if there is none or `r` is not an array: no check is needed
 * before a look into a script's answer. */
const struct reply *reply_item(const struct reply *r, size_t i);
/* The number of an integer, or of a string of at most 18 digits; 0 for anything else. */
long long reply_number(const struct reply *r);
/* The text of a string or status; empty for anything else. */
struct slice reply_text(const struct reply *r);

/* A copy that outlives the reader's next call, in one piece of memory: the caller frees it.
 * NULL without memory. */
struct reply *reply_copy(const struct reply *r);

struct reply_reader;

/* NULL without memory. */
struct reply_reader *reply_reader_create(void);
void reply_reader_destroy(struct reply_reader *r);
/* Takes bytes from the wire, best at most 16 KiB a call. False: out of memory. */
bool reply_reader_feed(struct reply_reader *r, const char *bytes, size_t len);
/* Frees the last reply. Returns 1: *out is the next whole reply; 0: feed more; -1: not RESP2,
 * or out of memory, and the reader cannot be used any more. */
int reply_reader_next(struct reply_reader *r, const struct reply **out);

#endif
