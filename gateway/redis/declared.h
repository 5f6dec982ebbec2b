#ifndef SLUICE_REDIS_DECLARED_H
#define SLUICE_REDIS_DECLARED_H

#include <stdint.h>

#include "common/buf.h"

/*
 * The keys that a call of a script declares. Managed services refuse a script that has no KEYS,
 * and one that touches a key which is not in KEYS. So each script declares all that it may
 * touch, on every Redis: the bases that it is called with, such as sluice:{room:lobby}, which
 * stay KEYS[1] and so on; then for each base the keys that begin with it, such as
 * sluice:{room:lobby}:log; then those that there are once in a partition, such as sluice:clock.
 * The script itself puts names together as if it had not been told them. Keys whose names its
 * caller does not know come after these (found.h).
 *
 * As text: "meta log/unread/>here; clock term" says that the first base has the suffixes :meta
 * and :log, the second one :unread, and all others :here. Without the `>`, the fourth base has
 * those of the first again. "@2 meta ?ids:0" says that :ids:0 is only declared if the script's
 * argument 2 (of redis_script) is not empty; "@2/5 meta ?ids:0", if argument 2, 7, 12 or so on
 * is not. A name of the partition that ends with a colon, as in "; events:", is completed by
 * the first argument. "^tap" is only declared where there is a tap.
 */
#define DECLARED_NAMES  26
#define DECLARED_GROUPS 3

struct declared_group {
    unsigned char first, count; /* of the names */
};

struct declared {
    unsigned char group_count;
    unsigned char again; /* the group that comes after the last one */
    struct declared_group groups[DECLARED_GROUPS];
    struct declared_group wide; /* the names that there are once in a partition */
    signed char when;           /* the argument without which some are left out; -1: none are */
    unsigned char every;        /* or, so many later, another one; 0: no other one */
    uint32_t optional;          /* a bit for each name that is left out */
    struct slice names[DECLARED_NAMES];
};

/* Reads the text, which is kept by reference. It is one of this program's, so it is right. */
void declared_read(struct declared *d, const char *text, bool tapped);
/* Has a call with these arguments the names that may be left out? */
static inline bool declared_whole(const struct declared *d, const struct slice args[],
                                  size_t count) {
    if (d->when < 0)
        return true;
    for (size_t i = (size_t)d->when; i < count; i += d->every) {
        if (args[i].len > 0)
            return true;
        if (d->every == 0)
            break;
    }
    return false;
}
/* How many keys a call with so many bases has. */
size_t declared_count(const struct declared *d, size_t bases, bool whole);

/* What stands around a name in Redis (partition.h): a base is open, name, close; a key of the
 * partition is head, name. */
struct declared_names {
    struct slice head, open, close;
    struct slice first; /* the call's first argument; or empty */
};
/* Appends the keys of a call, as RESP. */
void declared_put(const struct declared *d, struct buf *out,
                  const struct declared_names *around, const struct slice bases[], size_t count,
                  bool whole);

#endif
