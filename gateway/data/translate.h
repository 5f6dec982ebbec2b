#ifndef SLUICE_DATA_TRANSLATE_H
#define SLUICE_DATA_TRANSLATE_H

#include "gateway/data/key_kind.h"
#include "gateway/data/store.h"

/*
 * What a Cluster writes otherwise than one Redis does, where two users and their conversation
 * are not all in one partition (gateway/redis/lua/dm.lua, inbox.lua): counts of unread messages
 * and the ids of private messages.
 */
struct translation {
    struct store *from, *to;
    struct key_kind kind; /* of the key, whose bytes stay the caller's until all is answered */
    char ttl[24];         /* of the key, ms; "0": for ever */
};

/* Is there something to translate in a key of this kind? */
bool translate_wanted(const struct translation *t);
/* Reads the key's fields from the source, and writes them over the copy in the target, whose
 * command must have been sent. */
void translate_key(struct translation *t, struct slice key);

/* Appends the key's name in the target, and notes ids of messages in the index of their
 * partition, by which leases delete old ones. */
void translate_name(const struct deployment *to, struct buf *out, const struct key_kind *k);
void translate_note_ids(struct store *to, struct slice name, struct slice bucket,
                        struct slice key);

#endif
