#include "gateway/node/domain.h"

#include <unistd.h>

#include "common/log.h"
#include "common/log_out.h"
#include "gateway/client/available.h"
#include "gateway/client/bearer.h"
#include "gateway/client/event_map.h"
#include "gateway/client/life.h"
#include "gateway/client/limits.h"
#include "gateway/events/emits.h"
#include "gateway/events/table.h"
#include "gateway/login/ask_again.h"
#include "gateway/login/recover.h"
#include "gateway/presence/heartbeat.h"
#include "gateway/presence/membership.h"
#include "gateway/session/keep.h"
#include "gateway/tap/tap.h"

/* --- Redis ----------------------------------------------------------------------------------
 */

/* For the log; NULL without a Cluster. */
static const char *partition_text(const struct redis *r, const struct partition *p) {
    return r->count > 1 ? log_text("%u", p->index) : NULL;
}

static void on_up(void *owner, struct partition *p, bool changed) {
    struct domain *d = owner;
    sessions_redis_up(&d->sessions, p);
    LOG(LOG_INFO, "redis_up", "run", p->server->commands.greeting.run, "term", p->term,
        "changed", changed ? "true" : "false", "partition", partition_text(&d->redis, p), NULL);
    room_index_redis_up(&d->room_index, p);
    if (p->index == 0)
        peers_redis_up(&d->peers);
    reaper_redis_up(&d->reapers[p->index]);
    registry_redis_up(&d->clients.registry, p, changed);
    lease_redis_up(lease_in(&d->leases, p));
    hub_redis_up(&d->hub, p, changed);
    webhooks_redis_up(d->webhooks, p, changed);
    recover_waiting(&d->sessions);
    clients_tell_available(&d->clients);
    revocation_pump(&d->revocations[p->index]);
    for (unsigned i = 0; changed && i < d->redis.count; i++)
        overdue_tell_again(&d->overdues[i]);
    if (changed)
        heard_changed(&d->heard, p);
}

static void on_down(void *owner, struct partition *p, const char *why) {
    struct domain *d = owner;
    LOG(lease_in(&d->leases, p)->stopping ? LOG_DEBUG : LOG_WARN, "redis_down", "why", why,
        "partition", partition_text(&d->redis, p), NULL);
    registry_redis_down(&d->clients.registry, p);
    raw_users_redis_down(&d->raw_users, p);
    hub_redis_down(&d->hub, p);
}

static void on_error(void *owner, struct slice text) {
    struct domain *d = owner;
    (void)text;
    metric_add(d->metrics, METRIC_REDIS_ERRORS, 1);
}

static void on_disagreed(void *owner, const char *why) {
    (void)owner;
    LOG(LOG_ERROR, "redis_partitions", "why", why, NULL);
    log_out_finish(1000);
    _exit(1); /* the node has never been ready */
}

static const struct redis_events redis_handlers = {
    .on_up = on_up, .on_down = on_down, .on_error = on_error, .on_disagreed = on_disagreed};

/* --- channels -------------------------------------------------------------------------------
 */

static enum audience on_room_event(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip) {
    struct domain *d = owner;
    return announce_room_event(&d->announcer, ch, m, skip);
}

static void on_healed(void *owner, struct channel *ch) {
    struct domain *d = owner;
    if (is_room(channel_name(ch)))
        roster_healed(&d->rosters, ch);
}

static void on_free(void *owner, struct channel *ch) {
    struct domain *d = owner;
    topics_changed(&d->topics, ch);
    roster_free(ch);
}

static void on_entering(void *owner, struct subscriber *s) {
    (void)owner;
    session_entering(client_of(s));
}

static void on_entered(void *owner, struct sub *sub, const struct position *floor,
                       uint64_t clock, bool resumed) {
    struct domain *d = owner;
    topics_changed(&d->topics, sub->channel);
    session_entered(sub, floor, clock, resumed);
    goodbye_changed(client_of(sub->subscriber));
}

static void on_made(void *owner, struct subscriber *s) {
    (void)owner;
    limits_made(client_of(s));
}

static void on_reset(void *owner, struct sub *sub, struct slice epoch, uint64_t from) {
    (void)owner;
    session_reset(sub, epoch, from);
}

static void on_dropped(void *owner, struct sub *sub) {
    struct client *c = client_of(sub->subscriber);
    (void)owner;
    if (c->last_room == sub)
        c->last_room = NULL;
    if (c->inbox == sub)
        c->inbox = NULL;
    session_dropped(sub);
    goodbye_changed(c);
}

static const struct hub_events hub_handlers = {.on_room_event = on_room_event,
                                               .on_healed = on_healed,
                                               .on_free = on_free,
                                               .on_entering = on_entering,
                                               .on_entered = on_entered,
                                               .on_made = on_made,
                                               .on_reset = on_reset,
                                               .on_dropped = on_dropped};

/* --- the lease ------------------------------------------------------------------------------
 */

static void on_leased(struct lease *l) {
    struct domain *d = l->owner;
    if (l == lease_first(&d->leases))
        d->peers.told = true;
    registry_reenter(&d->clients.registry, l);
    topics_leased(&d->topics, l);
    membership_renew_rooms(&d->renewals[l->redis->index], &d->hub, l->redis);
    raw_users_renew(&d->raw_users, l);
    sessions_keep(&d->sessions);
}

static void on_tick(void *owner) {
    struct domain *d = owner;
    const struct options *options = d->clients.options;
    registry_pump(&d->clients.registry);
    raw_users_pump(&d->raw_users);
    for (unsigned i = 0; i < d->redis.count; i++)
        revocation_pump(&d->revocations[i]);
    heartbeat_scores(&d->clients.registry, options->lease_interval);
    hub_touch(&d->hub, options);
    sessions_keep(&d->sessions);
    room_index_tell(&d->room_index);
    goodbyes_again(&d->goodbyes);
    for (unsigned i = 0; i < d->redis.count; i++)
        overdue_look(&d->overdues[i]);
    heard_look(&d->heard);
    tap_trim(&d->redis, options);
}

static void on_seen(struct lease *l, struct slice incarnation, uint64_t number) {
    struct domain *d = l->owner;
    if (l == lease_first(&d->leases))
        peers_see(&d->peers, incarnation, number);
    reaper_see(&d->reapers[l->redis->index], incarnation, number);
}

static void on_swept(struct lease *l) {
    struct domain *d = l->owner;
    reaper_swept(&d->reapers[l->redis->index]);
    if (l == lease_first(&d->leases))
        peers_sweep(&d->peers);
}

static void on_reaped(struct lease *l) {
    struct domain *d = l->owner;
    overdue_turn(&d->overdues[l->redis->index]);
}

static void on_tide(struct lease *l, uint64_t time) {
    struct domain *d = l->owner;
    hub_tide(&d->hub, l->redis, time);
}

static void on_hello(struct lease *l, struct slice incarnation) {
    struct domain *d = l->owner;
    if (l == lease_first(&d->leases))
        peers_hello(&d->peers, incarnation);
}

static void on_clock_ahead(struct lease *l) {
    struct domain *d = l->owner;
    d->hub.touched = 0;
    sessions_doubt(&d->sessions, l->redis);
}

/* The node's figures go with its first lease. */
static size_t put_stats(struct lease *l, struct slice *args) {
    struct domain *d = l->owner;
    if (l != lease_first(&d->leases))
        return 0;
    return stats_put(&d->stats, !d->clients.registry.draining, args);
}

static const struct lease_events lease_handlers = {.on_leased = on_leased,
                                                   .on_tick = on_tick,
                                                   .on_seen = on_seen,
                                                   .on_swept = on_swept,
                                                   .on_reaped = on_reaped,
                                                   .on_tide = on_tide,
                                                   .on_hello = on_hello,
                                                   .on_clock_ahead = on_clock_ahead,
                                                   .put_stats = put_stats};

/* --- the registry ---------------------------------------------------------------------------
 */

static void on_registered(void *owner, struct registration *g) {
    (void)owner;
    client_tell_available(client_of(&g->as));
    goodbye_registered(client_of(&g->as));
}

static void on_turning(void *owner, struct lease *l) {
    struct domain *d = owner;
    overdue_turn(&d->overdues[l->redis->index]);
}

static void on_visited(void *owner, struct registration *g) {
    struct client *c = client_of(&g->as);
    (void)owner;
    chunks_expire(c->chunks, client_now(c));
}

static void on_revoked(void *owner, struct registration *g) {
    (void)owner;
    client_close(client_of(&g->as), 4403, "revoked");
}

static struct slice issued(void *owner, const struct registration *g, char out[DIGITS_SIZE]) {
    (void)owner;
    return bearer_iat(client_of(&g->as)->identity, out);
}

static const struct registry_events registry_handlers = {.on_registered = on_registered,
                                                         .on_turning = on_turning,
                                                         .on_visited = on_visited,
                                                         .on_revoked = on_revoked,
                                                         .issued = issued};

/* --- the back end ---------------------------------------------------------------------------
 */

/* What is emitted on the occasion of an end. */
static void on_goodbye(void *owner, struct slice socket, struct slice id,
                       struct json_value answer, goodbye_done *done, void *arg) {
    static const char *const names[] = {"emit"};
    struct domain *d = owner;
    struct emits_from from = {
        .clients = &d->clients, .socket = socket, .nsp = SLICE("/"), .id = id};
    struct json_value emits;
    json_fields(answer, names, &emits, 1);
    const char *wrong = emits_check(&from, emits);
    if (wrong == NULL) {
        emits_send(&from, emits, done, arg);
        return;
    }
    LOG(LOG_WARN, "hook_answer", "type", "disconnect", "why", wrong, NULL);
    done(arg, ERR_OK, OUTCOME_NONE);
}

/* --- life -----------------------------------------------------------------------------------
 */

/* The parts of which each partition has one. */
static int init_partitions(struct domain *d) {
    int status = 0;
    for (unsigned i = 0; i < d->redis.count && status == 0; i++) {
        renewals_init(&d->renewals[i], &d->leases);
        reaper_init(&d->reapers[i], &d->leases.all[i], d->metrics);
        overdue_init(&d->overdues[i], &d->redis, &d->leases.all[i], d->metrics);
        status = revocation_init(&d->revocations[i], &d->clients, redis_at(&d->redis, i));
    }
    return status;
}

int domain_init(struct domain *d, uv_loop_t *loop, struct net *net,
                const struct options *options, const char *node_id,
                const struct redis_config *redis, void *owner) {
    memset(d, 0, sizeof *d);
    d->metrics = net->metrics;
    d->owner = owner;
    int status = redis_init(&d->redis, loop, redis, &redis_handlers, d);
    if (status == 0)
        status = hub_init(&d->hub, loop, &d->redis, &net->slabs, options->max_queue, d->metrics,
                          &hub_handlers, d);
    if (status == 0)
        status = leases_init(&d->leases, loop, &d->redis, options, node_id, &lease_handlers, d);
    if (status == 0 && !peers_init(&d->peers, lease_first(&d->leases), owner))
        status = UV_EIO;
    if (status != 0)
        return status;
    outbox_init(&d->outbox, &d->redis, options->lease_interval);
    stats_init(&d->stats, net, &d->hub, &d->peers);
    room_index_init(&d->room_index, loop, &d->redis, options, &d->hub);
    rosters_init(&d->rosters, loop, &d->redis, options, &d->room_index);
    sessions_init(&d->sessions, &d->leases, options, &d->hub);
    clients_init(&d->clients, &net->slabs, &d->hub, &d->leases, options, d->metrics,
                 &registry_handlers, d);
    goodbyes_init(&d->goodbyes, &d->clients);
    d->goodbyes.on_answer = on_goodbye;
    d->goodbyes.owner = d;
    d->clients.rosters = &d->rosters;
    d->clients.sessions = &d->sessions;
    d->clients.sockets = &d->sockets;
    d->clients.ask_again = login_ask_again;
    d->clients.rows = event_rows;
    topics_init(&d->topics, &d->leases, &d->hub);
    heard_init(&d->heard, &d->redis, &d->leases);
    raw_users_init(&d->raw_users, &d->leases, options, d->clients.registry.all.birth);
    status = init_partitions(d);
    if (status == 0)
        status = announcer_init(&d->announcer, &d->clients.registry.all, &d->hub, &d->leases,
                                &d->rosters, options);
    if (status == 0)
        status =
            sockets_init(&d->sockets, &d->redis, &net->slabs, d->clients.registry.all.birth);
    if (status == 0)
        status = emitters_init(&d->emitters, &d->clients);
    return status;
}

void domain_open(struct domain *d) {
    redis_open(&d->redis);
}

void domain_tick(struct domain *d, uint64_t now) {
    clients_tick(&d->clients, now);
    rosters_tick(&d->rosters, now);
    recover_tick(&d->sessions, now);
    outbox_tick(&d->outbox, now);
    topics_tick(&d->topics);
    goodbyes_tick(&d->goodbyes, now);
    leases_watch(&d->leases);
}

void domain_drain(struct domain *d) {
    registry_drain(&d->clients.registry);
}

static void left_partition(void *owner) {
    struct domain *d = owner;
    if (--d->byes == 0)
        d->on_idle(d->owner);
}

static void on_bye(struct lease *l, bool last) {
    struct domain *d = l->owner;
    if (last) /* no other node would */
        overdue_take_all(&d->overdues[l->redis->index], left_partition, d);
    else
        left_partition(d);
}

void domain_bye(struct domain *d, void (*done)(void *owner)) {
    d->on_idle = done;
    d->byes = d->leases.count;
    for (unsigned i = 0; i < d->leases.count; i++)
        lease_bye(&d->leases.all[i], on_bye);
}

static void handle_closed(struct domain *d) {
    if (--d->handles == 0)
        d->on_closed(d->owner);
}

static void on_hub_closed(uv_handle_t *handle) {
    struct hub *hub = handle->data;
    handle_closed(hub->owner);
}

static void on_leases_closed(uv_handle_t *handle) {
    const struct leases *leases = handle->data;
    handle_closed(lease_first(leases)->owner);
}

static void on_redis_closed(void *owner) {
    handle_closed(owner);
}

void domain_close(struct domain *d, void (*on_closed)(void *owner)) {
    d->on_closed = on_closed;
    leases_stop(&d->leases);
    d->handles = 3;
    goodbyes_close(&d->goodbyes);
    recover_tick(&d->sessions, UINT64_MAX);
    registry_close(&d->clients.registry);
    for (unsigned i = 0; i < d->redis.count; i++)
        renewals_deinit(&d->renewals[i]);
    hub_close(&d->hub, on_hub_closed);
    leases_close(&d->leases, on_leases_closed);
    redis_close(&d->redis, on_redis_closed);
}

void domain_deinit(struct domain *d) {
    for (unsigned i = 0; i < d->redis.count; i++) {
        revocation_deinit(&d->revocations[i]);
        reaper_deinit(&d->reapers[i]);
    }
    holders_deinit(&d->clients.holders);
    event_map_free(d->clients.map);
    emitters_deinit(&d->emitters);
    sockets_deinit(&d->sockets);
    hub_deinit(&d->hub);
    peers_deinit(&d->peers);
    room_index_deinit(&d->room_index);
    redis_deinit(&d->redis);
    topics_deinit(&d->topics);
    leases_deinit(&d->leases);
}
