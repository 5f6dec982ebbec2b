#include "gateway/node/workers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/node/config.h"
#include "gateway/node/ports.h"
#include "gateway/node/signals.h"
#include "gateway/node/worker.h"

#define LIVED_MS     10000 /* a worker that has run so long is started again at once */
#define BACKOFF_MS   50    /* after one that has not: twice as long each time, up to */
#define BACKOFF_MOST 2000
#define KILL_MS      5000 /* after the drain period: a worker ends within 2 s of it */

struct parent;

/* What the process keeps of a worker, beside its seat. */
struct child {
    uv_process_t process;
    uv_timer_t timer; /* until it is started again */
    struct parent *parent;
    unsigned number;     /* from 1 */
    uint64_t started;    /* ms of the loop */
    uint64_t backoff_ms; /* before the next start */
    bool runs;
};

struct parent {
    struct node *node;
    struct offer offer;
    struct seats *seats;
    int seats_fd;
    struct child *children;
    unsigned running;
    bool stops;
    bool killed;
    char **environment; /* with room for WORKER_SEAT before the NULL */
    size_t variables;
    uv_timer_t timer; /* until those that are left are killed */
    uv_signal_t signals[3];
};

/* --- the start of a worker ------------------------------------------------------------------
 */

static void on_exit_of(uv_process_t *process, int64_t status, int number);

/* The standard streams, and what the constants FD_ say. Returns how many. */
static int list_descriptors(const struct parent *p, const struct child *c,
                            uv_stdio_container_t *out) {
    const struct offer *o = &p->offer;
    bool path = o->public[c->number - 1].state == PORT_NONE;
    int fds[] = {0,
                 1,
                 2,
                 [FD_SEATS] = p->seats_fd,
                 [FD_PUBLIC] = o->public[path ? 0 : c->number - 1].fd,
                 [FD_OWN] = o->own[c->number - 1].fd,
                 [FD_INTERNAL] = -1};
    int count = FD_INTERNAL;
    if (o->internal.state != PORT_NONE)
        fds[count++] = o->internal.fd;
    for (int i = 0; i < count; i++)
        out[i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fds[i]};
    return count;
}

/* The same program, even if the file of that name is another one by now. */
static int spawn(struct child *c) {
    struct parent *p = c->parent;
    char seat[64];
    uv_stdio_container_t streams[FD_INTERNAL + 1];
    snprintf(seat, sizeof seat, WORKER_SEAT "=%u/%u/%d", c->number, p->seats->count,
             (int)getpid());
    p->environment[p->variables] = seat;
    uv_process_options_t how = {.exit_cb = on_exit_of,
                                .file = "/proc/self/exe",
                                .args = p->node->options->argv,
                                .env = p->environment,
                                .stdio_count = list_descriptors(p, c, streams),
                                .stdio = streams};
    int status = uv_spawn(&p->node->loop, &c->process, &how);
    p->environment[p->variables] = NULL;
    return status;
}

static const char *number_of(uint64_t n) {
    return log_text("%llu", (unsigned long long)n);
}

static void start_later(struct child *c);

static void start(struct child *c) {
    struct parent *p = c->parent;
    int status = spawn(c);
    if (status != 0) {
        LOG(LOG_ERROR, "worker_not_started", "worker", number_of(c->number), "why",
            uv_strerror(status), NULL);
        uv_close((uv_handle_t *)&c->process, NULL); /* also of one that could not be started */
        start_later(c);
        return;
    }
    struct seat *s = &p->seats->seat[c->number - 1];
    s->pid = c->process.pid;
    s->starts++;
    c->started = uv_now(&p->node->loop);
    c->runs = true;
    p->running++;
    LOG(LOG_INFO, "worker_started", "worker", number_of(c->number), "pid",
        number_of((uint64_t)s->pid), NULL);
}

/* --- its end --------------------------------------------------------------------------------
 */

static void on_time(uv_timer_t *timer) {
    struct child *c = timer->data;
    if (!c->parent->stops)
        start(c);
}

static void start_later(struct child *c) {
    uv_timer_start(&c->timer, on_time, c->backoff_ms, 0);
    c->backoff_ms = c->backoff_ms == 0 ? BACKOFF_MS : 2 * c->backoff_ms;
    if (c->backoff_ms > BACKOFF_MOST)
        c->backoff_ms = BACKOFF_MOST;
}

static void end_when_alone(struct parent *p) {
    if (!p->stops || p->running > 0)
        return;
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
    uv_stop(&p->node->loop);
}

static void on_exit_of(uv_process_t *process, int64_t status, int number) {
    struct child *c = container_of(process, struct child, process);
    struct parent *p = c->parent;
    uv_close((uv_handle_t *)process, NULL);
    seat_leave(p->seats, &p->seats->seat[c->number - 1]);
    c->runs = false;
    p->running--;
    if (uv_now(&p->node->loop) - c->started >= LIVED_MS)
        c->backoff_ms = 0;
    bool good = p->stops && status == 0 && number == 0;
    log_write(good ? LOG_INFO : LOG_WARN, "worker_ended", "worker", number_of(c->number),
              "status", number_of((uint64_t)status), "signal", number_of((uint64_t)number),
              NULL);
    if (p->stops)
        ports_withdraw(&p->offer);
    else
        start_later(c);
    end_when_alone(p);
}

/* --- signals --------------------------------------------------------------------------------
 */

static void send_all(struct parent *p, int number) {
    for (unsigned i = 0; i < p->seats->count; i++)
        if (p->children[i].runs)
            uv_process_kill(&p->children[i].process, number);
}

static void on_late(uv_timer_t *timer) {
    struct parent *p = timer->data;
    LOG(LOG_ERROR, "workers_killed", "workers", number_of(p->running), NULL);
    p->killed = true;
    send_all(p, SIGKILL);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct parent *p = handle->data;
    LOG(LOG_INFO, "signal", "number", number_of((uint64_t)number), NULL);
    send_all(p, number);
    if (number == SIGHUP)
        return;
    if (!p->stops)
        uv_timer_start(&p->timer, on_late, p->node->options->drain + KILL_MS, 0);
    p->stops = true;
    end_when_alone(p);
}

/* --- the process ----------------------------------------------------------------------------
 */

extern char **environ;

static bool copy_environment(struct parent *p) {
    while (environ[p->variables] != NULL)
        p->variables++;
    p->environment = calloc(p->variables + 2, sizeof *p->environment);
    if (p->environment != NULL)
        memcpy(p->environment, environ, p->variables * sizeof *environ);
    return p->environment != NULL;
}

static bool make_children(struct parent *p, unsigned count) {
    p->seats = seats_make(count, &p->seats_fd);
    p->children = calloc(count, sizeof *p->children);
    if (p->seats == NULL || p->children == NULL || !copy_environment(p))
        return false;
    for (unsigned i = 0; i < count; i++) {
        struct child *c = &p->children[i];
        c->parent = p;
        c->number = i + 1;
        uv_timer_init(&p->node->loop, &c->timer);
        c->timer.data = c;
    }
    return true;
}

/* Logged at any level, because only this line tells which port was taken for port 0. */
static void announce(const struct parent *p) {
    const struct port *internal = &p->offer.internal;
    log_write(LOG_INFO, "listening", "addr", p->offer.public[0].address, "version",
              SLUICE_VERSION, "workers", number_of(p->offer.count),
              internal->state != PORT_NONE ? "internal" : NULL, internal->address, NULL);
}

static void run(struct parent *p) {
    uv_timer_init(&p->node->loop, &p->timer);
    p->timer.data = p;
    signals_take(&p->node->loop, p->signals, on_signal, p);
    for (unsigned i = 0; i < p->seats->count; i++)
        start(&p->children[i]);
    uv_run(&p->node->loop, UV_RUN_DEFAULT);
}

int workers_run(struct node *n) {
    struct parent p = {.node = n};
    struct redis_config redis;
    memset(&redis, 0, sizeof redis);
    unsigned count = config_workers(n->options);
    if (config_read(n, &redis) != 0 || ports_offer(n, count, &p.offer) != 0)
        return 1;
    bool made = make_children(&p, count);
    if (made) {
        announce(&p);
        run(&p);
    } else {
        fprintf(stderr, "sluice: start: out of memory\n");
    }
    free(p.children);
    free(p.environment);
    return made && !p.killed ? 0 : 1;
}
