#ifndef SLUICE_DATA_CLOCKS_H
#define SLUICE_DATA_CLOCKS_H

#include "gateway/data/store.h"

/* The clocks of a deployment's partitions (gateway/redis/lua/clock.lua). */
struct clocks {
    char latest[17];   /* the latest time that an append was given; "" if there was none */
    long long elapsed; /* µs: partition 0's clock less the steps by which it was set, */
    uint64_t at;       /* and when that was read (uv_hrtime) */
    struct buf state;  /* differs after any node ran on it, or a Redis was started again */
};

/* Reads them. False: the store has failed. Afterwards clocks_deinit is due in any case. */
bool clocks_read(struct clocks *c, struct store *s);
void clocks_deinit(struct clocks *c);
/* Sets those of another deployment, so that times go on rising, and ids of messages are
 * remembered for as long as they would have been. The terms stay as they are. */
void clocks_write(const struct clocks *c, struct store *s);

#endif
