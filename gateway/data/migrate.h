#ifndef SLUICE_DATA_MIGRATE_H
#define SLUICE_DATA_MIGRATE_H

#include <openssl/ssl.h>

#include "gateway/data/deployment.h"

/* Moves the data of a deployment to another Redis or Cluster, while no node runs on either. */
struct migration {
    struct deployment from, to;
    SSL_CTX *from_tls, *to_tls; /* or NULL */
    const char *from_name; /* says what the source is, in the target's note; without login */
    uint64_t lease_timeout_ms;
    bool dry; /* only counts what is in the source */
};

/*
 * Does it, with a loop of its own. Progress goes to standard error, the summary to standard
 * output. Returns the process's exit status: 0, or 1 with the reason on standard error; then it
 * can be run again, and goes on. May end the process (when a name is still being looked up).
 */
int migrate_run(const struct migration *m);

#endif
