#include "gateway/node/signals.h"

#include <signal.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/node/drain.h"
#include "gateway/node/reload.h"

static void end_now(int number) {
    (void)number;
    _exit(0);
}

/* A signal that process 1 of a container does not handle would not end it. */
void signals_end_early(void) {
    signal(SIGTERM, end_now);
    signal(SIGINT, end_now);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct node *n = handle->data;
    LOG(LOG_INFO, "signal", "number", log_text("%d", number), NULL);
    if (number == SIGHUP)
        node_reload(n);
    else if (number == SIGTERM)
        drain_begin(n);
    else
        drain_hurry(n);
}

void signals_take(uv_loop_t *loop, uv_signal_t handles[3], uv_signal_cb callback, void *data) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t waits; /* a SIGHUP is blocked since guard_signals (main.c) */
    for (int i = 0; i < 3; i++) {
        uv_signal_init(loop, &handles[i]);
        handles[i].data = data;
        uv_signal_start(&handles[i], callback, numbers[i]);
    }
    sigemptyset(&waits);
    sigaddset(&waits, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &waits, NULL);
}

void signals_watch(struct node *n) {
    signals_take(&n->loop, n->signals, on_signal, n);
}
