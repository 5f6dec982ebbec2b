#include "gateway/core/core.h"

#include <stdio.h>

#include "common/hash.h"
#include "common/log.h"
#include "common/random.h"
#include "gateway/core/making.h"
#include "gateway/core/session.h"

/* --- Redis ----------------------------------------------------------------------------------
 */

static void on_up(void *owner, bool changed) {
    struct core *core = owner;
    core->term_hash =
        (uint32_t)hash_add(HASH_EMPTY, core->redis.term, strlen(core->redis.term));
    LOG(LOG_INFO, "redis_up", "run", core->redis.commands.greeting.run, "term",
        core->redis.term, "changed", changed ? "true" : "false", NULL);
    metric_add(core->metrics, METRIC_REDIS_UPS, 1);
    core->rooms.stale = true;
    core->rooms.swept = 0;
    peers_redis_up(core);
    lease_redis_up(core);
    hub_redis_up(&core->hub);
    session_recover_waiting(core);
    clients_tell_available(core);
}

static void on_down(void *owner, const char *why) {
    struct core *core = owner;
    LOG(core->stopping ? LOG_DEBUG : LOG_WARN, "redis_down", "why", why, NULL);
    presence_redis_down(core);
    hub_redis_down(&core->hub);
}

static void on_error(void *owner, struct slice text) {
    struct core *core = owner;
    (void)text;
    metric_add(core->metrics, METRIC_REDIS_ERRORS, 1);
}

static const struct redis_events redis_handlers = {
    .on_up = on_up, .on_down = on_down, .on_error = on_error};

/* --- channels -------------------------------------------------------------------------------
 */

static enum audience on_room_event(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip) {
    static const char *const names[] = {"userId"};
    struct core *core = owner;
    bool joined = slice_is(m->event, "userJoined");
    bool left = slice_is(m->event, "userLeft");
    struct json_value data, user;
    if (slice_is(m->event, "update_member_list")) {
        roster_counted(core, ch, m->data);
        return AUDIENCE_NONE;
    }
    if (!joined && !left && !slice_is(m->event, "typing"))
        return AUDIENCE_LIVE;
    if (json_parse(m->data, &data) == JSON_OK) {
        json_fields(data, names, &user, 1);
        name_from_json(user, true, skip);
    }
    if (!joined && !left)
        return AUDIENCE_LIVE;
    if (left)
        room_left(core, ch, name_slice(skip));
    roster_touch(core, ch);
    return roster_is_big(ch) ? AUDIENCE_NONE : AUDIENCE_ALL;
}

static void on_healed(void *owner, struct channel *ch) {
    if (is_room(channel_name(ch)))
        roster_touch(owner, ch);
}

static void on_free(void *owner, struct channel *ch) {
    roster_free(owner, ch);
}

static void on_entering(void *owner, struct subscriber *s) {
    (void)owner;
    session_entering(client_of(s));
}

static void on_entered(void *owner, struct sub *sub, const struct position *floor,
                       uint64_t clock, bool resumed) {
    (void)owner;
    session_entered(sub, floor, clock, resumed);
}

static void on_made(void *owner, struct subscriber *s) {
    (void)owner;
    making_charge(client_of(s));
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
}

static const struct hub_events hub_handlers = {.on_room_event = on_room_event,
                                               .on_healed = on_healed,
                                               .on_free = on_free,
                                               .on_entering = on_entering,
                                               .on_entered = on_entered,
                                               .on_made = on_made,
                                               .on_reset = on_reset,
                                               .on_dropped = on_dropped};

/* --- life -----------------------------------------------------------------------------------
 */

int core_init(struct core *core, uv_loop_t *loop, struct net *net,
              const struct options *options, const char *node_id,
              const struct redis_config *redis, void *owner) {
    memset(core, 0, sizeof *core);
    core->options = options;
    core->loop = loop;
    core->net = net;
    core->metrics = net->metrics;
    core->node_id = node_id;
    core->owner = owner;
    core->address = "";
    core->born = core->stats.at = uv_now(loop);
    buf_init(&core->rooms.names);
    random_bytes(&core->roster_key, sizeof core->roster_key);
    subscribers_init(&core->clients, &net->slabs, (uint32_t)random_u64());
    list_init(&core->sessions);
    list_init(&core->recoveries);
    wheel_init(&core->wheel, uv_now(loop));
    wheel_init(&core->room_wheel, uv_now(loop));
    if (!peers_init(&core->peers))
        return UV_EIO;
    int status = redis_init(&core->redis, loop, redis, &redis_handlers, core);
    if (status == 0)
        status = hub_init(&core->hub, loop, &core->redis, &net->slabs, options->max_queue,
                          core->metrics, &hub_handlers, core);
    if (status == 0)
        status = presence_init(core);
    if (status == 0)
        status = lease_init(core);
    return status;
}

void core_tick(struct core *core, uint64_t now) {
    wheel_run(&core->wheel, now, client_timer, core);
    wheel_run(&core->room_wheel, now, roster_timer, core);
    session_recover_tick(core, now);
    lease_watch(core);
}

void core_open(struct core *core) {
    redis_open(&core->redis);
}

static void handle_closed(struct core *core) {
    if (--core->handles == 0)
        core->on_closed(core->owner);
}

static void on_hub_closed(uv_handle_t *handle) {
    struct hub *hub = handle->data;
    handle_closed(hub->owner);
}

static void on_lease_closed(uv_handle_t *handle) {
    handle_closed(handle->data);
}

static void on_redis_closed(void *owner) {
    handle_closed(owner);
}

void core_drain(struct core *core) {
    core->draining = true;
    while (!list_empty(&core->lingering)) {
        struct client *c = client_at(core->lingering.next);
        list_remove(&c->as.link);
        wheel_clear(&core->wheel, &c->timer);
        presence_want(c, false);
        client_unref(c);
    }
}

void core_close(struct core *core, void (*on_closed)(void *owner)) {
    core->on_closed = on_closed;
    core->stopping = true;
    core->handles = 3;
    session_recover_tick(core, UINT64_MAX);
    /* Those that linger in presence have no connection that would close them. */
    while (!list_empty(&core->lingering)) {
        struct client *c = client_at(core->lingering.next);
        list_remove(&c->as.link);
        wheel_clear(&core->wheel, &c->timer);
        client_unref(c);
    }
    hub_close(&core->hub, on_hub_closed);
    lease_close(core, on_lease_closed);
    redis_close(&core->redis, on_redis_closed);
}

void core_deinit(struct core *core) {
    hub_deinit(&core->hub);
    peers_deinit(&core->peers);
    lease_deinit(core);
    buf_deinit(&core->rooms.names);
    redis_deinit(&core->redis);
}
