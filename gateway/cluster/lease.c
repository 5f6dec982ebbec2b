#include "gateway/cluster/lease.h"

#include <stdio.h>

#include "common/log.h"
#include "common/random.h"

#define BEACON         "beacon"
#define STEP_S         10 /* a smaller step of the clock does no harm to keys that expire */
#define STATS_TIMEOUTS 4  /* a node's figures live so many lease timeouts */
#define OWN_ARGS       5  /* arguments of lease.lua before the node's figures */

static void lease_ask(struct lease *l);

/* --- incarnations ---------------------------------------------------------------------------
 */

/* Takes the time after the beacon. False: that is something else. */
static bool is_beacon(struct slice payload, uint64_t *time) {
    size_t head = sizeof BEACON - 1;
    *time = 0;
    if (!slice_starts(payload, SLICE(BEACON)))
        return false;
    if (payload.len > head && (payload.len != head + 17 || payload.ptr[head] != ' '))
        return false;
    for (size_t i = head + 1; i < payload.len; i++) {
        if (payload.ptr[i] < '0' || payload.ptr[i] > '9')
            return false;
        *time = *time * 10 + (uint64_t)(payload.ptr[i] - '0');
    }
    return true;
}

/* This node's own beacon came back, or another node says that it has begun an incarnation. */
static void on_beacon(void *arg, struct slice payload) {
    struct lease *l = arg;
    uint64_t time = 0;
    if (!is_beacon(payload, &time)) {
        l->events->on_hello(l, payload);
        redis_look_for_term(l->redis);
        return;
    }
    l->beacon_seen = lease_now(l);
    if (time > 0)
        l->events->on_tide(l, time);
}

static void on_nothing(void *arg) {
    (void)arg;
}

static const struct subscription_events beacon_events = {
    .on_confirmed = on_nothing, .on_message = on_beacon, .on_lost = on_nothing};

struct slice node_key(const char *incarnation, char out[NODE_KEY_SIZE]) {
    int len = snprintf(out, NODE_KEY_SIZE, "node:%s", incarnation);
    return (struct slice){out, (size_t)len};
}

static void incarnate(struct lease *l) {
    struct buf bell;
    char key[NODE_KEY_SIZE];
    if (l->beacon_bell != NULL)
        redis_unsubscribe(l->redis, l->beacon_bell);
    snprintf(l->incarnation, sizeof l->incarnation, "%s.%08llx", l->node_id,
             (unsigned long long)(random_u64() & 0xffffffffU));
    l->held = false;
    l->generation++;
    buf_init(&bell);
    redis_doorbell(l->redis, &bell, node_key(l->incarnation, key));
    l->beacon_bell =
        bell.failed ? NULL : redis_subscribe(l->redis, buf_bytes(&bell), &beacon_events, l);
    if (l->beacon_bell == NULL)
        LOG(LOG_ERROR, "no_beacon", "why", "out of memory", NULL);
    l->beacon_seen = lease_now(l);
    buf_deinit(&bell);
}

static bool goodbye(struct lease *l, const char *incarnation, redis_done done, void *arg) {
    char bytes[NODE_KEY_SIZE];
    struct slice key = node_key(incarnation, bytes);
    struct slice args[] = {slice_of(incarnation), SLICE("bye"), SLICE(BEACON)};
    return redis_script(l->redis, SCRIPT_lease, &key, 1, args, 3, done, arg);
}

void lease_renew_incarnation(struct lease *l) {
    if (!l->held || l->stopping)
        return; /* the new incarnation's lease is under way */
    snprintf(l->former, sizeof l->former, "%s", l->incarnation);
    l->former_since = lease_now(l);
    incarnate(l);
    LOG(LOG_INFO, "new_incarnation", "incarnation", l->incarnation, "former", l->former, NULL);
    lease_ask(l);
}

/* Ghosts are announced, so those who are to hear it must be back. */
bool lease_is_former_due(const struct lease *l) {
    return l->former[0] != '\0' && l->held &&
           lease_now(l) - l->former_since >= l->options->lease_timeout / 2;
}

void lease_all_entered(struct lease *l) {
    if (lease_is_former_due(l) && goodbye(l, l->former, NULL, NULL))
        l->former[0] = '\0';
}

/* --- other nodes' leases --------------------------------------------------------------------
 */

static void see(struct lease *l, struct slice incarnation, uint64_t number) {
    bool own = slice_is(incarnation, l->incarnation);
    bool given_up = slice_is(incarnation, l->former) && number != 0;
    if (!own && !given_up)
        l->events->on_seen(l, incarnation, number);
}

static void sweep(struct lease *l, const struct reply *reply) {
    for (size_t i = 2; i + 1 < reply->count; i += 2)
        see(l, reply_text(reply->items[i]), (uint64_t)reply_number(reply->items[i + 1]));
    l->events->on_swept(l);
}

/* --- renewing -------------------------------------------------------------------------------
 */

/* Learns Redis's time, by which the age of messages is measured. */
static int64_t learn_time(struct lease *l, const struct reply *reply) {
    uint64_t time = (uint64_t)reply_number(reply_item(reply, 1));
    if (time == 0)
        return 0;
    return redis_clock_learn(&l->redis->clock, l->asked_us, uv_hrtime() / 1000, time);
}

/* Redis's keys expire by its clock. When the clock is set ahead, even keys in use expire, so
 * the node makes again those that it can. */
static void clock_stepped(struct lease *l, int64_t by_us) {
    long long seconds = by_us / 1000000;
    if (seconds > -STEP_S && seconds < STEP_S)
        return;
    LOG(LOG_WARN, "redis_clock_set", "by_s", log_text("%lld", seconds), NULL);
    if (seconds < 0)
        return;
    l->events->on_clock_ahead(l);
    lease_renew_incarnation(l);
}

static void on_lease(void *arg, const struct reply *reply, enum outcome outcome) {
    struct lease *l = arg;
    (void)outcome;
    l->asked = false;
    if (reply == NULL || l->stopping)
        return;
    int64_t step = learn_time(l, reply);
    if (l->asked_generation != l->generation) {
        lease_ask(l); /* the answer was about the former incarnation */
        return;
    }
    if (reply_number(reply_item(reply, 0)) == SCRIPT_REAPED) {
        LOG(LOG_WARN, "reaped", "incarnation", l->incarnation, NULL);
        lease_renew_incarnation(l);
        return;
    }
    if (!l->held) {
        l->held = true;
        l->events->on_leased(l);
    }
    sweep(l, reply);
    clock_stepped(l, step);
}

static void lease_ask(struct lease *l) {
    char bytes[NODE_KEY_SIZE];
    struct slice key = node_key(l->incarnation, bytes);
    struct slice args[OWN_ARGS + LEASE_SAYS] = {slice_of(l->incarnation),
                                                l->held ? SLICE("renew") : SLICE("new"),
                                                SLICE(BEACON), slice_of(l->former)};
    char kept[24];
    if (l->asked)
        return;
    int len = snprintf(kept, sizeof kept, "%llu",
                       (unsigned long long)l->options->lease_timeout * STATS_TIMEOUTS);
    args[4] = (struct slice){kept, (size_t)len};
    size_t count = OWN_ARGS + l->events->put_stats(l, args + OWN_ARGS);
    l->asked_generation = l->generation;
    l->asked_us = uv_hrtime() / 1000;
    l->asked = redis_script(l->redis, SCRIPT_lease, &key, 1, args, count, on_lease, l);
}

void lease_look(struct lease *l) {
    lease_ask(l);
}

static uint64_t beacon_patience(const struct lease *l) {
    const struct options *o = l->options;
    uint64_t least = 3 * o->lease_interval;
    return o->redis_timeout > least ? o->redis_timeout : least;
}

void lease_watch(struct lease *l) {
    if (!redis_up(l->redis) || l->stopping)
        return;
    if (redis_deaf(l->redis))
        l->beacon_seen = lease_now(l); /* the beacon cannot come */
    bool silent = lease_now(l) - l->beacon_seen > beacon_patience(l);
    bool deaf = !redis_deaf(l->redis) && redis_probe_age(l->redis) > beacon_patience(l);
    if (!silent && !deaf)
        return;
    l->beacon_seen = lease_now(l);
    redis_reset(l->redis, silent ? "the beacon is late" : "the subscriber link is silent");
}

bool lease_tick(struct lease *l) {
    lease_watch(l);
    if (!redis_up(l->redis) || l->stopping)
        return false;
    redis_probe(l->redis);
    redis_look(l->redis);
    if (l->doubted && l->held) {
        l->doubted = false;
        lease_renew_incarnation(l);
    }
    lease_ask(l);
    return true;
}

void lease_redis_up(struct lease *l) {
    l->beacon_seen = lease_now(l);
    l->doubted = false;
    if (l->held && !l->redis->stood)
        lease_renew_incarnation(l); /* entries may not have been taken out meanwhile */
    lease_ask(l);
}

void lease_doubt(struct lease *l) {
    l->doubted = true;
}

static void said_bye(void *arg, const struct reply *reply, enum outcome outcome) {
    struct lease *l = arg;
    (void)outcome;
    l->on_bye(l, reply != NULL && reply_number(reply_item(reply, 2)) == 0);
}

static void say_bye(struct lease *l) {
    if (l->former[0] != '\0')
        goodbye(l, l->former, NULL, NULL);
    if (!l->held || !goodbye(l, l->incarnation, said_bye, l))
        l->on_bye(l, false);
}

static void on_settled(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)reply, (void)outcome;
    say_bye(arg);
}

/* Asks only whether the incarnation lives. When that is answered, what was sent before was,
 * too; and what has to be sent once more (redis/found.h) is on its way. */
void lease_bye(struct lease *l, void (*done)(struct lease *l, bool last)) {
    char bytes[NODE_KEY_SIZE];
    struct slice key = node_key(l->incarnation, bytes), arg = slice_of(l->incarnation);
    l->stopping = true;
    l->on_bye = done;
    if (!l->held || !redis_script(l->redis, SCRIPT_beat, &key, 1, &arg, 1, on_settled, l))
        say_bye(l);
}

/* --- life -----------------------------------------------------------------------------------
 */

void lease_init(struct lease *l, uv_loop_t *loop, struct partition *redis,
                const struct options *options, const char *node_id,
                const struct lease_events *events, void *owner) {
    *l = (struct lease){.redis = redis,
                        .options = options,
                        .loop = loop,
                        .node_id = node_id,
                        .events = events,
                        .owner = owner};
    incarnate(l);
}
