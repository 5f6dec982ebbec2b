#include "gateway/node/stats.h"

#include <stdio.h>

/* The shortest time over which a rate is taken: two leases may be close to each other. */
#define LEAST_MS 100

#define OWN_ARGS 12 /* besides STAT_TABLE */

_Static_assert(OWN_ARGS + 2 * STAT_COUNT <= LEASE_SAYS, "all of it fits into a lease");

void stats_init(struct stats *s, const struct net *net, const struct hub *hub,
                const struct peers *peers) {
    uint64_t now = lease_now(peers->lease);
    *s = (struct stats){.net = net,
                        .hub = hub,
                        .peers = peers,
                        .metrics = net->metrics,
                        .address = "",
                        .born = now,
                        .at = now};
}

static uint64_t total(const struct metrics *m, unsigned from, unsigned last) {
    uint64_t sum = 0;
    for (unsigned slot = from; slot <= last; slot++)
        sum += metric_value(m, slot);
    return sum;
}

static uint64_t rate(uint64_t *before, uint64_t now, uint64_t elapsed_ms) {
    uint64_t rose = now - *before;
    *before = now;
    return (rose * 1000 + elapsed_ms / 2) / elapsed_ms;
}

static void measure_rates(struct stats *s, uint64_t now) {
    uint64_t elapsed = now - s->at;
    const struct metrics *m = s->metrics;
    if (elapsed < LEAST_MS)
        return;
    s->at = now;
    uint64_t raw = metric_value(m, METRIC_SENT_MESSAGES + DOOR_RAW);
    uint64_t in = metric_value(m, METRIC_RECEIVED_MESSAGES + DOOR_RAW);
    s->value[STAT_DELIVERIES] =
        rate(&s->delivered, metric_value(m, METRIC_DELIVERIES) + raw, elapsed);
    s->value[STAT_EVENTS] =
        rate(&s->events, total(m, METRIC_EVENTS, METRIC_EVENTS_LAST) + in, elapsed);
    s->value[STAT_LOOP_TURN_MAX] = metrics_take_turn_max(s->metrics);
}

static void measure(struct stats *s, bool ready) {
    size_t resident = 0;
    uint64_t now = lease_now(s->peers->lease);
    measure_rates(s, now);
    uv_resident_set_memory(&resident);
    s->value[STAT_READY] = ready;
    s->value[STAT_UPTIME] = (now - s->born) / 1000;
    s->value[STAT_CONNECTIONS] = s->net->count;
    s->value[STAT_CHANNELS] = s->hub->channel_count;
    s->value[STAT_QUEUE] = s->net->out.bytes;
    s->value[STAT_RSS] = resident;
}

size_t stats_put(struct stats *s, bool ready, struct slice *args) {
    static const char *const names[] = {
#define STAT_NAME(symbol, name) name,
        STAT_TABLE(STAT_NAME)
#undef STAT_NAME
    };
    size_t n = 0;
    measure(s, ready);
    args[n++] = SLICE("node");
    args[n++] = slice_of(s->peers->lease->node_id);
    args[n++] = SLICE("address");
    args[n++] = slice_of(s->address);
    args[n++] = SLICE("process"); /* these three are for the other nodes: peers.h */
    args[n++] = slice_of(s->peers->name);
    args[n++] = SLICE("reached_at");
    args[n++] = slice_of(s->peers->address);
    args[n++] = SLICE("key");
    args[n++] = slice_of(s->peers->key);
    args[n++] = SLICE("version");
    args[n++] = SLICE(SLUICE_VERSION);
    for (int i = 0; i < STAT_COUNT; i++) {
        int len =
            snprintf(s->text[i], sizeof s->text[i], "%llu", (unsigned long long)s->value[i]);
        args[n++] = slice_of(names[i]);
        args[n++] = (struct slice){s->text[i], (size_t)len};
    }
    return n;
}
