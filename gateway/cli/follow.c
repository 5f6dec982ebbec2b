#include "gateway/cli/follow.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

/* A second signal ends the process at once. */
void follow_begin(void) {
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

bool follow_stopped(void) {
    return stopped != 0;
}

/* With no event asked for, poll() tells only that the other end is gone. A terminal that is
 * closed tells it so, too; SIGHUP is held (main.c). */
bool follow_wait(int ms) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (stopped)
        return false;
    return poll(&out, 1, ms) <= 0 && !stopped;
}
