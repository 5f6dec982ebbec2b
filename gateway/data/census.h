#ifndef SLUICE_DATA_CENSUS_H
#define SLUICE_DATA_CENSUS_H

#include "gateway/data/scan.h"

/* How many keys of each kind a deployment has, and how many messages its logs have. */
struct census {
    uint64_t keys[OWNER_COUNT][PART_COUNT];
    uint64_t messages[OWNER_COUNT];
    uint64_t classes[KEY_CLASSES];
    char example[KEY_CLASSES][160]; /* one key of each class; "" */
};

/* Counts. tell: called now and then. False: the store has failed. */
bool census_take(struct census *c, struct store *store,
                 void (*tell)(void *owner, uint64_t keys), void *owner);
/* Appends what differs, as `room log: 3 and 2`; nothing if all is the same. */
void census_compare(const struct census *a, const struct census *b, struct buf *out);
/* Appends a line for each kind that there is. */
void census_print(const struct census *c, struct buf *out);

#endif
