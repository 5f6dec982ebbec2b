#ifndef SLUICE_REDIS_SLOTS_H
#define SLUICE_REDIS_SLOTS_H

#include "common/slice.h"

/* The slots of a Cluster, and the partitions' places among them. */
#define SLOTS 16384

/* The slot of a name or hash tag: the CRC16 (XMODEM) of its bytes. A name's partition is this
 * number modulo the number of partitions. */
unsigned slots_of_name(struct slice name);

/* The hash tag of a partition (0 to 63). The tags' slots are spread evenly, whichever of 16, 32
 * or 64 partitions are in use, so masters with equal shares of the slots have equal shares of
 * the partitions. */
const char *slots_tag(unsigned partition);
/* The partition that has this tag; -1 if none has. */
int slots_partition(struct slice tag);

#endif
