#include "gateway/cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "common/log.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

/* A second signal ends the process at once. */
void follow_begin(struct follow *f) {
    *f = (struct follow){0};
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

bool follow_answered(struct follow *f, const struct command *c, const struct caller *caller,
                     enum caller_result result, int *status) {
    bool again = result == CALLER_AWAY && f->begun;
    *status = COMMAND_DONE;
    if (result == CALLER_GOOD)
        *f = (struct follow){.begun = true};
    if (result == CALLER_GOOD || result == CALLER_STOPPED || stopped)
        return result == CALLER_GOOD;
    *status = COMMAND_FAILED;
    if (!again || !f->away)
        command_wrong(c, log_text("%s%s", caller_why(caller), again ? "; trying again" : ""),
                      COMMAND_FAILED);
    f->away = again;
    return again;
}

bool follow_write(const struct command *c, const struct buf *out, int *status) {
    *status = COMMAND_FAILED;
    if (out->failed) {
        command_wrong(c, "there is no memory left", COMMAND_FAILED);
        return false;
    }
    if (out->len > 0)
        fwrite(out->data, 1, out->len, stdout);
    if (command_flush())
        return true;
    if (errno == EPIPE)
        *status = COMMAND_DONE;
    else
        command_wrong(c, "standard output cannot be written", COMMAND_FAILED);
    return false;
}
