#include "gateway/node/metrics_page.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/log_out.h"
#include "gateway/node/memory.h"
#include "gateway/node/worker.h"
#include "gateway/redis/overview.h"
#include "gateway/tls_memory.h"

static void set(struct node *n, unsigned slot, uint64_t value) {
    metric_set(&n->metrics, slot, value);
}

static void set_held(struct node *n) {
    size_t sio = n->sio.server.eio.sockets.pool.held;
    set(n, METRIC_HELD + HELD_QUEUES, n->net.slabs.held);
    set(n, METRIC_HELD + HELD_MESSAGES, n->sockets.pool.held + sio);
    set(n, METRIC_HELD + HELD_REQUESTS, n->net.requests_held);
    set(n, METRIC_HELD + HELD_EVENTS, n->domain.clients.waiting_bytes);
    set(n, METRIC_HELD + HELD_CHUNKS, n->domain.clients.chunks.bytes);
    set(n, METRIC_HELD + HELD_REDIS, redis_held(&n->domain.redis));
    set(n, METRIC_HELD + HELD_TLS, tls_memory_held());
}

static void set_gauges(struct node *n) {
    for (unsigned i = 0; i < DOOR_COUNT; i++)
        set(n, METRIC_CONNECTIONS + i, n->net.doors[i]);
    const struct sio_server *sio = &n->sio.server;
    set(n, METRIC_SIO_SESSIONS + TRANSPORT_POLLING, sio->eio.by_state[EIO_POLLING]);
    set(n, METRIC_SIO_SESSIONS + TRANSPORT_WEBSOCKET, sio->eio.by_state[EIO_WEBSOCKET]);
    set(n, METRIC_SIO_SOCKETS, sio->joined);
    set(n, METRIC_USERS, n->domain.clients.user_count);
    set(n, METRIC_CHANNELS, n->domain.hub.channel_count);
    set(n, METRIC_CHANNELS_BEHIND, n->domain.hub.channel_count - n->domain.hub.live_count);
    set(n, METRIC_SUBSCRIPTIONS, n->domain.hub.sub_count);
    set(n, METRIC_QUEUE_BYTES, n->net.out.bytes);
    set_held(n);
    set(n, METRIC_MEMORY, memory_account(n));
    set(n, METRIC_MEMORY_LIMIT, n->memory.limit);
    set(n, METRIC_TUNNELS, n->relay.tunnels.count);
    set(n, METRIC_REDIS_UP, redis_any_up(&n->domain.redis));
    set(n, METRIC_PARTITIONS, n->domain.redis.count);
    set(n, METRIC_PARTITIONS_DOWN, n->domain.redis.count - n->domain.redis.up);
    set(n, METRIC_REDIS_EVICTS, redis_evicts(&n->domain.redis));
    set(n, METRIC_SENTINELS, topology_known(&n->domain.redis.topology));
    set(n, METRIC_SENTINELS_UP, topology_answering(&n->domain.redis.topology));
    set(n, METRIC_REDIS_PENDING, redis_pending(&n->domain.redis));
    set(n, METRIC_REDIS_BACKLOG, redis_backlog(&n->domain.redis));
    set(n, METRIC_READY, node_is_ready(n));
    set(n, METRIC_MAX_CONNECTIONS, n->most_connections);
    set(n, METRIC_TLS_EXPIRES, (uint64_t)n->secure.expires);
    set(n, METRIC_BUILD_INFO, 1);
}

/* --- the process ----------------------------------------------------------------------------
 */

static uint64_t micros(uv_timeval_t t) {
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

/* Since Linux 6.2 the size of the directory is the number; before, the entries must be counted.
 */
static uint64_t open_descriptors(void) {
    struct stat all;
    uint64_t n = 0;
    if (stat("/proc/self/fd", &all) == 0 && all.st_size > 0)
        return (uint64_t)all.st_size;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 3; /* without the directory itself, and its two dot entries */
}

static void set_process(struct node *n) {
    size_t resident = 0;
    uint64_t lag_ms;
    uv_rusage_t usage;
    struct rlimit files = {.rlim_cur = 0};
    if (uv_resident_set_memory(&resident) == 0)
        set(n, METRIC_RESIDENT, resident);
    if (uv_getrusage(&usage) == 0)
        set(n, METRIC_CPU, micros(usage.ru_utime) + micros(usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        set(n, METRIC_MAX_FDS, files.rlim_cur);
    set(n, METRIC_LOG_LOST, log_out_lost());
    set(n, METRIC_HOOKS_WAITING, n->hooks.waiting);
    set(n, METRIC_HOOKS_RUNNING, n->hooks.running);
    set(n, METRIC_HOOK_CIRCUITS, hooks_circuits_open(&n->hooks));
    set(n, METRIC_WEBHOOK_LAG, webhooks_lag(&n->webhooks, &lag_ms));
    set(n, METRIC_WEBHOOK_LAG_TIME, lag_ms * 1000);
    set(n, METRIC_OPEN_FDS, open_descriptors());
    set(n, METRIC_START_TIME, n->started_us);
}

/* Nodes that know different terms of a partition see different servers as its master. */
static void put_terms(const struct redis *r, struct buf *out) {
    buf_str(out,
            "# HELP sluice_redis_term The term of Redis that the node knows, by partition\n"
            "# TYPE sluice_redis_term gauge\n");
    for (unsigned i = 0; i < r->count; i++) {
        const char *term = r->partitions[i].term;
        buf_printf(out, "sluice_redis_term{partition=\"%u\"} %s\n", i,
                   term[0] != '\0' ? term : "0");
    }
}

void metrics_refresh(struct node *n) {
    set_gauges(n);
    set_process(n);
}

void metrics_page(struct node *n, struct buf *out) {
    metrics_refresh(n);
    metrics_print(&n->metrics, out);
    put_terms(&n->domain.redis, out);
}

/* --- workers --------------------------------------------------------------------------------
 */

/* The family's name goes on after sluice_worker. value: of one worker, in the family's unit. */
struct of_worker {
    const char *name;
    const char *help;
    const char *type;
    double (*value)(const struct seat *s);
};

static double up(const struct seat *s) {
    return s->pid != 0;
}

static double ready(const struct seat *s) {
    return seat_trouble(s) == NULL;
}

static double starts(const struct seat *s) {
    return s->starts;
}

static double connections(const struct seat *s) {
    return s->connections;
}

static double cpu(const struct seat *s) {
    return (double)metric_value(&s->metrics, METRIC_CPU) / 1e6;
}

static double resident(const struct seat *s) {
    return (double)metric_value(&s->metrics, METRIC_RESIDENT);
}

static void put_workers(const struct seats *all, struct buf *out) {
    static const struct of_worker families[] = {
        {"up", "1 while the worker runs", "gauge", up},
        {"ready", "1 while the worker can serve clients", "gauge", ready},
        {"starts_total", "Times that the worker was started", "counter", starts},
        {"connections", "Open TCP connections of the worker", "gauge", connections},
        {"cpu_seconds_total", "CPU time of the worker, since it started", "counter", cpu},
        {"resident_memory_bytes", "Resident memory of the worker", "gauge", resident},
    };
    buf_printf(out,
               "# HELP sluice_workers Processes that share the port.\n"
               "# TYPE sluice_workers gauge\nsluice_workers %u\n",
               all->count);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        const struct of_worker *family = &families[f];
        buf_printf(out, "# HELP sluice_worker_%s %s.\n# TYPE sluice_worker_%s %s\n",
                   family->name, family->help, family->name, family->type);
        for (unsigned i = 0; i < all->count; i++)
            buf_printf(out, "sluice_worker_%s{worker=\"%u\"} %.15g\n", family->name, i + 1,
                       family->value(&all->seat[i]));
    }
}

void metrics_page_of_all(struct node *n, struct buf *out) {
    struct metrics sum;
    metrics_refresh(n);
    worker_tell(n);
    seats_join(n->seats, &sum);
    metrics_print(&sum, out);
    put_terms(&n->domain.redis, out);
    put_workers(n->seats, out);
}
