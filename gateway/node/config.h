#ifndef SLUICE_NODE_CONFIG_H
#define SLUICE_NODE_CONFIG_H

#include "gateway/node/node.h"

/* Reads a node's configuration from its options, and checks what the options' table alone
 * cannot. */

/* Says on standard error what is wrong with an option's value ("": not to be repeated), and
 * where the value comes from. Returns 1. */
int config_complain(const struct options *o, const char *flag, const char *value,
                    const char *why);

/* How many processes the node has, of the option workers; 0: it is no number. */
unsigned config_workers(const struct options *o);

/*
 * Reads the options at the start, before anything is begun: the node's name, its prefix, the
 * configuration of Redis, the keys of tokens, the bundle, the
 * channels of the raw door. From here on the log is
 * open. Returns 0, or 1 after an error on standard error.
 */
int config_read(struct node *n, struct redis_config *redis);

/* Applies the LIVE options, at the start and after a reload. */
void config_apply(struct node *n);

/* Checks the values of the LIVE options. If one is wrong, returns true and fills in *f. The
 * texts are valid until the next call, and as long as the options. */
struct config_fault {
    const char *flag;
    const char *value; /* empty: not to be repeated */
    const char *why;
};
bool config_is_wrong(const struct options *o, struct config_fault *f);

#endif
