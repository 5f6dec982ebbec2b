#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/random.h"
#include "gateway/core/core.h"
#include "gateway/core/session.h"

/*
 * One lease a node keeps its users online (DESIGN: liveness costs Redis O(nodes)). Each renewal
 * carries a beacon that must come back on the subscriber link: so a half-open link is found.
 * Each answer names all nodes' leases: one that stands still through a full timeout of such
 * answers is dead, and is reaped in bites.
 */
#define REAP_BITE      "200"
#define TOUCH_KEYS     100
#define TOUCH_MOST_MS  1200000ULL /* a third of the time that the least of them lives */
#define BEACON         "beacon"
#define STEP_S         10 /* less is no matter to anything that expires */
#define STATS_TIMEOUTS 4  /* lease timeouts that a node's own words outlive it */

static void reap(struct core *core, struct sighting *s, uint64_t lease);
static void lease_ask(struct core *core);

/* --- incarnations ---------------------------------------------------------------------------
 */

/* Its own beacon, or another node that says that it has come. */
static void on_beacon(void *arg, struct slice payload) {
    struct core *core = arg;
    if (slice_is(payload, BEACON))
        core->beacon_seen = core_now(core);
    else
        peers_hello(core, payload);
}

static void on_nothing(void *arg) {
    (void)arg;
}

static const struct subscription_events beacon_events = {
    .on_confirmed = on_nothing, .on_message = on_beacon, .on_lost = on_nothing};

struct slice node_channel(const char *incarnation, char out[INCARNATION_SIZE + 8]) {
    int len = snprintf(out, INCARNATION_SIZE + 8, "node:%s", incarnation);
    return (struct slice){out, (size_t)len};
}

static void incarnate(struct core *core) {
    struct buf bell;
    char key[INCARNATION_SIZE + 8];
    if (core->beacon_bell != NULL)
        redis_unsubscribe(&core->redis, core->beacon_bell);
    snprintf(core->incarnation, sizeof core->incarnation, "%s.%08llx", core->node_id,
             (unsigned long long)(random_u64() & 0xffffffffU));
    core->leased = false;
    core->generation++;
    buf_init(&bell);
    redis_doorbell(&core->redis, &bell, node_channel(core->incarnation, key));
    core->beacon_bell =
        bell.failed ? NULL
                    : redis_subscribe(&core->redis, buf_bytes(&bell), &beacon_events, core);
    if (core->beacon_bell == NULL)
        LOG(LOG_ERROR, "no_beacon", "why", "out of memory", NULL);
    core->beacon_seen = core_now(core);
    buf_deinit(&bell);
}

static bool goodbye(struct core *core, const char *incarnation, redis_done done, void *arg) {
    char bytes[INCARNATION_SIZE + 8];
    struct slice key = node_channel(incarnation, bytes);
    struct slice args[] = {slice_of(incarnation), SLICE("bye"), SLICE(BEACON)};
    return redis_script(&core->redis, SCRIPT_lease, &key, 1, args, 3, done, arg);
}

void lease_renew_incarnation(struct core *core) {
    if (!core->leased)
        return; /* a new one is on its way */
    snprintf(core->former, sizeof core->former, "%s", core->incarnation);
    core->former_since = core_now(core);
    incarnate(core);
    LOG(LOG_INFO, "new_incarnation", "incarnation", core->incarnation, "former", core->former,
        NULL);
    lease_ask(core);
}

/* All are registered under the new incarnation: what is left of the former one are ghosts. They
 * are announced when the other nodes, which may have lost Redis as well, are back to hear it.
 */
void lease_all_entered(struct core *core) {
    if (core->former[0] == '\0' || !core->leased ||
        core_now(core) - core->former_since < core->options->lease_timeout / 2)
        return;
    if (goodbye(core, core->former, NULL, NULL))
        core->former[0] = '\0';
}

/* --- sweeping -------------------------------------------------------------------------------
 */

static struct sighting *sighting_find(struct core *core, struct slice incarnation) {
    for (size_t i = 0; i < core->sighting_count; i++) {
        if (slice_is(incarnation, core->sightings[i].incarnation))
            return &core->sightings[i];
    }
    if (incarnation.len >= INCARNATION_SIZE)
        return NULL; /* not written by a node */
    struct sighting *grown =
        realloc(core->sightings, (core->sighting_count + 1) * sizeof *core->sightings);
    if (grown == NULL)
        return NULL;
    core->sightings = grown;
    struct sighting *s = &grown[core->sighting_count++];
    memset(s, 0, sizeof *s);
    memcpy(s->incarnation, incarnation.ptr, incarnation.len);
    s->lease = UINT64_MAX;
    return s;
}

struct reaping {
    struct core *core;
    uint64_t lease; /* the last before it was dead */
    char incarnation[INCARNATION_SIZE];
};

static void on_reaped(void *arg, const struct reply *reply, enum outcome outcome) {
    struct reaping *reaping = arg;
    struct core *core = reaping->core;
    const char *incarnation = reaping->incarnation;
    (void)outcome;
    struct sighting *s = NULL;
    for (size_t i = 0; i < core->sighting_count; i++) {
        if (strcmp(core->sightings[i].incarnation, incarnation) == 0)
            s = &core->sightings[i];
    }
    long long status = reply_number(reply_item(reply, 0));
    long long left = reply_number(reply_item(reply, 1));
    if (reply != NULL && status == 0)
        metric_add(core->metrics, METRIC_REAPED, (uint64_t)reply_number(reply_item(reply, 2)));
    if (s != NULL) {
        s->reaping = false;
        if (status == 1)
            s->lease = UINT64_MAX; /* it has renewed after all */
        else if (reply != NULL && left > 0)
            reap(core, s, reaping->lease);
        else if (reply != NULL)
            LOG(LOG_INFO, "node_reaped", "incarnation", incarnation, NULL);
    }
    free(reaping);
}

static void reap(struct core *core, struct sighting *s, uint64_t lease) {
    char bytes[INCARNATION_SIZE + 8];
    char digits[DIGITS_SIZE], linger[DIGITS_SIZE];
    struct slice key = node_channel(s->incarnation, bytes);
    struct slice args[] = {slice_of(s->incarnation), slice_digits(lease, digits),
                           SLICE(REAP_BITE), slice_digits(core->options->linger, linger)};
    struct reaping *reaping = malloc(sizeof *reaping);
    if (reaping == NULL)
        return;
    reaping->core = core;
    reaping->lease = lease;
    memcpy(reaping->incarnation, s->incarnation, sizeof s->incarnation);
    s->reaping = redis_script(&core->redis, SCRIPT_reap, &key, 1, args, 4, on_reaped, reaping);
    if (!s->reaping)
        free(reaping);
}

static void look_at(struct core *core, struct slice incarnation, uint64_t lease) {
    uint64_t now = core_now(core);
    if (slice_is(incarnation, core->incarnation))
        return;
    if (slice_is(incarnation, core->former) && lease != 0)
        return;
    peers_see(core, incarnation, lease);
    struct sighting *s = sighting_find(core, incarnation);
    if (s == NULL)
        return;
    s->swept = true;
    if (s->lease != lease) {
        s->lease = lease;
        s->since = now;
    }
    bool dead = lease == 0 || now - s->since >= core->options->lease_timeout;
    if (!dead || s->reaping)
        return;
    if (lease != 0)
        LOG(LOG_WARN, "node_dead", "incarnation", s->incarnation, NULL);
    reap(core, s, lease);
}

static void sweep(struct core *core, const struct reply *reply) {
    for (size_t i = 0; i < core->sighting_count; i++)
        core->sightings[i].swept = false;
    for (size_t i = 2; i + 1 < reply->count; i += 2)
        look_at(core, reply_text(reply->items[i]), (uint64_t)reply_number(reply->items[i + 1]));
    size_t kept = 0;
    for (size_t i = 0; i < core->sighting_count; i++) {
        if (core->sightings[i].swept || core->sightings[i].reaping)
            core->sightings[kept++] = core->sightings[i];
    }
    core->sighting_count = kept;
    peers_sweep(core);
}

/* --- renewing -------------------------------------------------------------------------------
 */

/* So that the age of messages can be told, which carry Redis's time. */
static int64_t learn_time(struct core *core, const struct reply *reply) {
    uint64_t time = (uint64_t)reply_number(reply_item(reply, 1));
    if (time == 0)
        return 0;
    return redis_clock_learn(&core->redis.clock, core->lease_asked_us, uv_hrtime() / 1000,
                             time);
}

/* Redis's keys expire by its clock: when that is set ahead, what is in use goes with what is
 * not. So what the node can make again is made again. */
static void clock_stepped(struct core *core, int64_t by_us) {
    long long seconds = by_us / 1000000;
    if (seconds > -STEP_S && seconds < STEP_S)
        return;
    LOG(LOG_WARN, "redis_clock_set", "by_s", log_text("%lld", seconds), NULL);
    if (seconds < 0)
        return;
    core->touched = 0;
    session_doubt(core);
    lease_renew_incarnation(core);
}

static void on_lease(void *arg, const struct reply *reply, enum outcome outcome) {
    struct core *core = arg;
    (void)outcome;
    core->lease_asked = false;
    if (reply == NULL || core->stopping)
        return;
    int64_t step = learn_time(core, reply);
    if (core->asked_generation != core->generation) {
        lease_ask(core); /* it was about the former incarnation */
        return;
    }
    if (reply_number(reply_item(reply, 0)) == SCRIPT_REAPED) {
        LOG(LOG_WARN, "reaped", "incarnation", core->incarnation, NULL);
        lease_renew_incarnation(core);
        return;
    }
    if (!core->leased) {
        core->leased = core->peers.told = true;
        presence_reenter(core);
    }
    sweep(core, reply);
    clock_stepped(core, step);
}

static void lease_ask(struct core *core) {
    char bytes[INCARNATION_SIZE + 8];
    struct slice key = node_channel(core->incarnation, bytes);
    struct slice args[5 + STATS_ARGS] = {slice_of(core->incarnation),
                                         core->leased ? SLICE("renew") : SLICE("new"),
                                         SLICE(BEACON), slice_of(core->former)};
    char kept[24];
    if (core->lease_asked)
        return;
    int len = snprintf(kept, sizeof kept, "%llu",
                       (unsigned long long)core->options->lease_timeout * STATS_TIMEOUTS);
    args[4] = (struct slice){kept, (size_t)len};
    size_t count = 5 + stats_args(core, args + 5);
    core->asked_generation = core->generation;
    core->lease_asked_us = uv_hrtime() / 1000;
    core->lease_asked =
        redis_script(&core->redis, SCRIPT_lease, &key, 1, args, count, on_lease, core);
}

void lease_look(struct core *core) {
    lease_ask(core);
}

static void touch_send(struct core *core, const struct slice keys[], size_t count) {
    if (count > 0)
        redis_script(&core->redis, SCRIPT_touch, keys, count, NULL, 0, NULL, NULL);
}

/* What is in use must not expire. */
static void touch_all(struct core *core) {
    const struct options *o = core->options;
    uint64_t least =
        o->room_retention < o->inbox_retention ? o->room_retention : o->inbox_retention;
    if (o->user_retention < least)
        least = o->user_retention;
    uint64_t every = least / 4 < TOUCH_MOST_MS ? least / 4 : TOUCH_MOST_MS;
    if (core_now(core) - core->touched < every)
        return;
    core->touched = core_now(core);
    struct slice keys[TOUCH_KEYS];
    size_t n = 0;
    for (struct map_node *at = map_next(&core->hub.channels, NULL); at != NULL;
         at = map_next(&core->hub.channels, at)) {
        keys[n++] = at->key;
        if (n == TOUCH_KEYS) {
            touch_send(core, keys, n);
            n = 0;
        }
    }
    touch_send(core, keys, n);
}

static uint64_t beacon_patience(const struct core *core) {
    const struct options *o = core->options;
    uint64_t least = 3 * o->lease_interval;
    return o->redis_timeout > least ? o->redis_timeout : least;
}

void lease_watch(struct core *core) {
    if (!redis_up(&core->redis) || core->stopping)
        return;
    if (redis_deaf(&core->redis))
        core->beacon_seen = core_now(core); /* it cannot come */
    bool silent = core_now(core) - core->beacon_seen > beacon_patience(core);
    bool deaf =
        !redis_deaf(&core->redis) && redis_probe_age(&core->redis) > beacon_patience(core);
    if (!silent && !deaf)
        return;
    core->beacon_seen = core_now(core);
    redis_reset(&core->redis, silent ? "the beacon is late" : "the subscriber link is silent");
}

static void on_tick(uv_timer_t *timer) {
    struct core *core = timer->data;
    lease_watch(core);
    if (!redis_up(&core->redis) || core->stopping)
        return;
    redis_probe(&core->redis);
    redis_look(&core->redis);
    if (core->ghosts && core->leased) {
        core->ghosts = false;
        lease_renew_incarnation(core);
    }
    lease_ask(core);
    presence_pump(core);
    if (core->leased)
        presence_scores(core, core->options->lease_interval);
    touch_all(core);
    session_keep(core);
    rooms_tell(core);
    due_look(core);
}

void lease_redis_up(struct core *core) {
    core->sighting_count = 0; /* the observation starts anew */
    core->beacon_seen = core_now(core);
    core->ghosts = false;
    if (core->leased)
        lease_renew_incarnation(core); /* what was not taken out meanwhile is left behind */
    lease_ask(core);
}

static void said_bye(void *arg, const struct reply *reply, enum outcome outcome) {
    struct core *core = arg;
    (void)outcome;
    bool last = reply != NULL && reply_number(reply_item(reply, 2)) == 0;
    if (last && core->options->linger != 0)
        due_take_all(core, core->on_idle); /* nobody else would */
    else
        core->on_idle(core->owner);
}

void core_bye(struct core *core, void (*done)(void *owner)) {
    core->stopping = true;
    core->on_idle = done;
    if (core->former[0] != '\0')
        goodbye(core, core->former, NULL, NULL);
    if (!core->leased || !goodbye(core, core->incarnation, said_bye, core))
        done(core->owner);
}

int lease_init(struct core *core) {
    core->lease_timer.data = core;
    uv_timer_init(core->loop, &core->lease_timer);
    incarnate(core);
    core->touched = core_now(core);
    return uv_timer_start(&core->lease_timer, on_tick, core->options->lease_interval,
                          core->options->lease_interval);
}

void lease_close(struct core *core, uv_close_cb on_closed) {
    uv_close((uv_handle_t *)&core->lease_timer, on_closed);
}

void lease_deinit(struct core *core) {
    free(core->sightings);
}
