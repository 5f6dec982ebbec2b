#ifndef SLUICE_CLI_FOLLOW_H
#define SLUICE_CLI_FOLLOW_H

#include <stdbool.h>

/*
 * For commands that go on until they are told to end: by SIGINT or SIGTERM, or as nobody reads
 * their standard output any more.
 */
void follow_begin(void);
/* Has one of the signals come? */
bool follow_stopped(void);
/* Waits. Returns false, perhaps sooner, when it is time to end. */
bool follow_wait(int ms);

#endif
