#ifndef SLUICE_DATA_DEPLOYMENT_H
#define SLUICE_DATA_DEPLOYMENT_H

#include "common/buf.h"
#include "gateway/options.h"
#include "gateway/redis/partition.h"
#include "gateway/redis/topology.h"

/*
 * Where the data of a deployment are, as its options say it: in which Redis, under which
 * prefix, in how many partitions. A node and the commands about its data read it here.
 */
struct deployment {
    struct redis_address address;     /* with Sentinels or a Cluster the host is "" */
    struct topology_config sentinels; /* seeds: of Sentinels or a Cluster; `node` is not set */
    char prefix[65];
    unsigned partitions; /* 1 with one Redis */
};

/* What is wrong with an option. The texts live as long as the options. */
struct deployment_fault {
    const char *flag;
    const char *value; /* "": not to be repeated */
    const char *why;
};

/* Reads redis-url, prefix, redis-partitions, redis-timeout and redis-sentinel-…. False: *f says
 * why; its texts are valid until the fourth call of log_text from now. */
bool deployment_read(struct deployment *d, const struct options *o, struct deployment_fault *f);

/* The partition in which a name is, and the tag of a partition: NULL with one Redis. */
unsigned deployment_partition(const struct deployment *d, struct slice name);
const char *deployment_tag(const struct deployment *d, unsigned partition);
/* Appends what the name's keys begin with, as sluice:{room:lobby}. */
void deployment_base(const struct deployment *d, struct buf *out, struct slice name);
/* Appends what the own keys of a partition begin with, as sluice: or sluice:{14}. */
void deployment_head(const struct deployment *d, struct buf *out, unsigned partition);

#endif
