#ifndef SLUICE_DATA_SCAN_H
#define SLUICE_DATA_SCAN_H

#include "gateway/data/key_kind.h"
#include "gateway/data/store.h"

/* Goes through all keys of a deployment, one master after the other. A key may come twice. */
#define SCAN_CURSOR 24

struct scan {
    struct store *store;
    unsigned link;            /* the master that is gone through */
    char cursor[SCAN_CURSOR]; /* where it goes on there */
    bool over;
    struct buf pattern;
    void (*on_key)(void *owner, struct slice key);
    void *owner;
};

/* on_key is called within scan_step, while the reply is read: it may send commands. */
void scan_init(struct scan *s, struct store *store,
               void (*on_key)(void *owner, struct slice key), void *owner);
/* Reads the next keys, about a thousand. False: it has failed, or all were read. */
bool scan_step(struct scan *s);
void scan_deinit(struct scan *s);

#endif
