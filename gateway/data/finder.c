#include "gateway/data/finder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/slot_map.h"
#include "gateway/redis/slots.h"

#define LOOK_MS   10
#define END_MS    500 /* for everything to close */
#define NAME      "sluice-command"
#define SHORT     "command" /* slot_map and topology make the name of it */
#define BACKOFF   500
#define NO_ANSWER "there was no answer in time"

enum kind { ONE, SENTINELS, CLUSTER };

struct finder {
    uv_loop_t loop;
    const struct deployment *d;
    const bool *wanted;
    struct found *out;
    enum kind kind;
    uv_timer_t tick;
    uv_prepare_t prepare;
    uint64_t until;
    bool over, closed;
    struct topology topology;
    struct slot_map map;
    struct link link; /* to the Redis of the URL, or to the master of the key `partitions` */
    struct redis_address address;
    bool link_used;
    bool agreed; /* the number of partitions is known */
    char failed[300];
};

/* --- the number of partitions ---------------------------------------------------------------
 */

static void on_number(void *arg, const struct reply *reply, enum outcome outcome) {
    struct finder *f = arg;
    (void)outcome;
    if (f->agreed || f->over)
        return;
    f->agreed = reply != NULL;
    f->out->partitions = reply != NULL ? (unsigned)reply_number(reply) : 0;
    if (reply == NULL)
        snprintf(f->failed, sizeof f->failed, "the number of partitions: %s", f->link.error);
}

static void ask_number(struct finder *f) {
    struct slice none = {NULL, 0};
    struct buf b;
    buf_init(&b);
    buf_str(&b, "*2\r\n$3\r\nGET\r\n");
    resp_bulk(&b, slice_of(log_text("%spartitions", f->d->prefix)));
    if (b.failed || !link_send(&f->link, -1, 2, buf_bytes(&b), none, on_number, f))
        snprintf(f->failed, sizeof f->failed, "out of memory");
    buf_deinit(&b);
}

/* --- the link -------------------------------------------------------------------------------
 */

static void on_ready(struct link *l) {
    struct finder *f = l->owner;
    link_proved(l);
    if (f->kind == CLUSTER) {
        ask_number(f);
        return;
    }
    f->out->known[0] = true;
    memcpy(f->out->at[0].host, f->address.host, sizeof f->address.host);
    f->out->at[0].port = f->address.port;
}

/* A name's other addresses are tried. */
static void on_down(struct link *l, const char *why) {
    struct finder *f = l->owner;
    if (f->failed[0] == '\0' && !l->closing && !resolver_has_next(&l->resolver))
        snprintf(f->failed, sizeof f->failed, "%s: %s",
                 f->address.path ? f->address.host
                                 : redis_host_text(f->address.host, f->address.port),
                 why);
}

static void on_push(struct link *l, const struct reply *push) {
    (void)l, (void)push;
}

static void on_error(struct link *l, struct slice text) {
    (void)l, (void)text; /* l->error has it */
}

static const struct link_events link_handlers = {
    .on_ready = on_ready, .on_down = on_down, .on_push = on_push, .on_error = on_error};

static void open_link(struct finder *f, const struct redis_place *to) {
    if (to != NULL) {
        memcpy(f->address.host, to->host, sizeof to->host);
        f->address.port = to->port;
    }
    f->link_used = true;
    link_open(&f->link);
}

/* --- who tells the masters ------------------------------------------------------------------
 */

static void on_sentinels_tell(void *owner, const struct redis_place *master, const char *why) {
    struct finder *f = owner;
    (void)why;
    f->out->known[0] = true;
    f->out->at[0] = *master;
}

static void on_failover(void *owner) {
    (void)owner;
}

static const struct topology_events topology_handlers = {.on_master = on_sentinels_tell,
                                                         .on_failover = on_failover};

static void on_cluster_tells(void *owner, unsigned index, const struct redis_place *at) {
    struct finder *f = owner;
    if (index < f->d->partitions) {
        f->out->known[index] = true;
        f->out->at[index] = *at;
    } else if (!f->link_used) {
        f->out->keeper = *at;
        open_link(f, at);
    }
}

/* The scout asks. */
static unsigned ask_none(void *owner, bool all) {
    (void)owner, (void)all;
    return 0;
}

static const struct slot_map_events map_handlers = {.on_master = on_cluster_tells,
                                                    .ask = ask_none};

/* --- is it over? ----------------------------------------------------------------------------
 */

static unsigned unknown(const struct finder *f) {
    unsigned i = 0;
    while (i < f->d->partitions && (!f->wanted[i] || f->out->known[i]))
        i++;
    return i;
}

static bool nobody_answers(const struct finder *f) {
    bool none = true;
    if (f->kind == CLUSTER)
        return slot_map_trouble(&f->map) != NULL && f->map.misses >= f->map.known.count;
    for (size_t i = 0; f->kind == SENTINELS && i < f->topology.count; i++) {
        const struct sentinel *s = f->topology.all[i];
        none = none && s->tried && !(s->fresh && s->known);
    }
    return f->kind == SENTINELS && none;
}

static const char *why_not(const struct finder *f) {
    const char *why = NULL;
    unsigned i = unknown(f);
    if (f->failed[0] != '\0')
        return f->failed;
    if (f->kind == SENTINELS)
        why = topology_trouble(&f->topology);
    if (f->kind == CLUSTER)
        why = slot_map_trouble(&f->map);
    if (why == NULL && f->kind == CLUSTER && i < f->d->partitions)
        why = log_text("no master has slot %u", f->map.claims[i].slot);
    return why != NULL ? why : NO_ANSWER;
}

static void look(struct finder *f) {
    bool all = unknown(f) == f->d->partitions && (f->kind != CLUSTER || f->agreed);
    bool late = uv_now(&f->loop) >= f->until;
    if (f->over || (!all && !late && f->failed[0] == '\0' && !nobody_answers(f)))
        return;
    f->over = true;
    snprintf(f->out->why, sizeof f->out->why, "%s", all ? "" : why_not(f));
}

/* --- life -----------------------------------------------------------------------------------
 */

static void on_link_closed(struct link *l) {
    (void)l;
}
static void on_map_closed(struct slot_map *m) {
    (void)m;
}
static void on_topology_closed(struct topology *t) {
    (void)t;
}

static void close_all(struct finder *f) {
    f->closed = true;
    uv_close((uv_handle_t *)&f->prepare, NULL);
    link_close(&f->link, on_link_closed);
    if (f->kind == CLUSTER)
        slot_map_close(&f->map, on_map_closed);
    if (f->kind == SENTINELS)
        topology_close(&f->topology, on_topology_closed);
    f->until = uv_now(&f->loop) + END_MS;
}

/* Before the loop waits: nothing of it is in the middle of a call. */
static void on_prepare(uv_prepare_t *prepare) {
    struct finder *f = prepare->data;
    look(f);
    if (f->over) {
        close_all(f);
        return;
    }
    link_flush(&f->link);
    if (f->kind == CLUSTER)
        slot_map_flush(&f->map);
    if (f->kind == SENTINELS)
        topology_flush(&f->topology);
}

/* The loop turns, so that on_prepare looks. */
static void on_tick(uv_timer_t *timer) {
    struct finder *f = timer->data;
    uv_handle_t *handle = (uv_handle_t *)timer;
    if (f->closed && uv_now(&f->loop) >= f->until) {
        f->out->stuck = true; /* a name is being looked up, which cannot be ended */
        uv_stop(&f->loop);
    } else if (f->closed && !uv_is_closing(handle)) {
        uv_unref(handle);
    }
}

static void init_cluster(struct finder *f) {
    struct slot_map_config config = {.seeds = &f->d->sentinels.seeds,
                                     .login = &f->d->address,
                                     .node = SHORT,
                                     .timeout_ms = f->d->sentinels.timeout_ms,
                                     .backoff_ms = BACKOFF};
    slot_map_init(&f->map, &f->loop, &config, &map_handlers, f);
    for (unsigned i = 0; i < f->d->partitions; i++)
        slot_map_add(&f->map, slots_of_name(slice_of(slots_tag(i))));
    slot_map_add(&f->map, slots_of_name(slice_of(log_text("%spartitions", f->d->prefix))));
}

static void open_all(struct finder *f, SSL_CTX *tls) {
    struct topology_config sentinels = f->d->sentinels;
    sentinels.node = SHORT;
    link_init(&f->link, &f->loop, &f->address, &link_handlers, f, NAME, false,
              f->d->sentinels.timeout_ms);
    f->link.tls_context = tls;
    if (f->kind == CLUSTER) {
        init_cluster(f);
        slot_map_use_tls(&f->map, tls);
        slot_map_open(&f->map);
    } else if (f->kind == SENTINELS) {
        topology_init(&f->topology, &f->loop, &sentinels, &topology_handlers, f);
        topology_use_tls(&f->topology, tls);
        topology_open(&f->topology);
    } else {
        open_link(f, NULL);
    }
    f->until = uv_now(&f->loop) + f->d->sentinels.timeout_ms;
    f->tick.data = f->prepare.data = f;
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, LOOK_MS, LOOK_MS);
    uv_prepare_init(&f->loop, &f->prepare);
    uv_prepare_start(&f->prepare, on_prepare);
}

/* What is left then is one thread of libuv that looks up a name, and its memory. */
static void finish(struct finder *f) {
    if (f->out->stuck)
        return;
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_loop_close(&f->loop);
    free(f);
}

void finder_find(const struct deployment *d, SSL_CTX *tls, const bool wanted[FINDER_MOST],
                 struct found *out) {
    struct finder *f = calloc(1, sizeof *f);
    memset(out, 0, sizeof *out);
    if (f == NULL || uv_loop_init(&f->loop) != 0) {
        snprintf(out->why, sizeof out->why, "out of memory");
        free(f);
        return;
    }
    f->d = d;
    f->wanted = wanted;
    f->out = out;
    f->address = d->address;
    f->kind = d->address.cluster ? CLUSTER : d->address.host[0] == '\0' ? SENTINELS : ONE;
    open_all(f, tls);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    finish(f);
}
