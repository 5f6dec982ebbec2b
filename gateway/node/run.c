#include "gateway/node/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_out.h"
#include "gateway/node/config.h"
#include "gateway/node/signals.h"
#include "gateway/node/start.h"
#include "gateway/node/worker.h"
#include "gateway/node/workers.h"

#define LOG_END_MS 100 /* how long the reader of the log may take to read its end */

static uint64_t time_us(void) {
    uv_timeval64_t now = {.tv_sec = 0};
    uv_gettimeofday(&now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec;
}

int node_run(struct options *options) {
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL || uv_loop_init(&n->loop) != 0) {
        fprintf(stderr, "sluice: start: out of memory\n");
        return 1;
    }
    signals_end_early();
    n->started_us = time_us();
    n->options = options;
    if (worker_begin(n) != 0)
        _exit(1);
    if (n->seats == NULL && config_workers(options) > 1) {
        int status = workers_run(n);
        log_out_finish(LOG_END_MS);
        _exit(status); /* its sockets close, now that the workers are gone */
    }
    if (node_start(n) != 0)
        _exit(1); /* nothing was begun that would have to be undone */
    uv_run(&n->loop, UV_RUN_DEFAULT);
    node_deinit(n);
    int status = uv_loop_close(&n->loop);
    if (status != 0)
        LOG(LOG_ERROR, "loop_close", "why", uv_strerror(status), NULL);
    free(n);
    log_out_finish(LOG_END_MS);
    return status == 0 ? 0 : 1;
}
