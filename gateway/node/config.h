#ifndef SLUICE_NODE_CONFIG_H
#define SLUICE_NODE_CONFIG_H

#include "gateway/node/node.h"

/* What a node takes from its options, and what is wrong with them beyond their rows. */

/* Says on standard error what is wrong with an option's value ("": not to be repeated), and
 * where the value comes from. Returns 1. */
int config_complain(const struct options *o, const char *flag, const char *value,
                    const char *why);

/*
 * Reads the options at the start, before anything is begun: the node's name, its prefix, the
 * configuration of Redis, the bundle, the channels of the raw door. The log is open from here
 * on. Returns 0; or 1, said on standard error.
 */
int config_read(struct node *n, struct redis_config *redis);

/* What LIVE options ask for is done: at the start, and after a reload. */
void config_apply(struct node *n);

/* What is wrong with the values of LIVE options: false, or true with *f filled in. The texts
 * hold until the next call, and as long as the options. */
struct config_fault {
    const char *flag;
    const char *value; /* empty: not to be repeated */
    const char *why;
};
bool config_is_wrong(const struct options *o, struct config_fault *f);

#endif
