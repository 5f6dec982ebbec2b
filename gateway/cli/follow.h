#ifndef SLUICE_CLI_FOLLOW_H
#define SLUICE_CLI_FOLLOW_H

#include "gateway/cli/command.h"

/*
 * For commands that go on until they are told to end: by SIGINT or SIGTERM, or as nobody reads
 * their standard output any more.
 */
struct follow {
    bool begun; /* an answer came */
    bool away;  /* and then none, which was said */
};
void follow_begin(struct follow *f);
/* Has one of the signals come? */
bool follow_stopped(void);
/* Waits. Returns false, perhaps sooner, when it is time to end. */
bool follow_wait(int ms);

/*
 * After an answer. A node that ends comes back, or a proxy passes us to another, so once there
 * was one, a request without an answer is only named. Returns whether to go on; else *status is
 * the exit code, and a mistake was named.
 */
bool follow_answered(struct follow *f, const struct command *c, const struct caller *caller,
                     enum caller_result result, int *status);
/* Writes it to standard output. Returns as above. */
bool follow_write(const struct command *c, const struct buf *out, int *status);

#endif
