#include <stdio.h>

#include "gateway/core/core.h"

/*
 * What this node says of itself with each lease, in the hash {node:<incarnation>}:stats, for
 * whoever looks at the cluster. Rates are over the time since the last lease, the longest loop
 * turn too.
 */
#define LEAST_MS 100 /* a lease may follow another at once: too short a time for a rate */

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

static void measure_rates(struct core *core, struct stats *s) {
    uint64_t elapsed = core_now(core) - s->at;
    const struct metrics *m = core->metrics;
    if (elapsed < LEAST_MS)
        return;
    s->at = core_now(core);
    uint64_t raw = metric_value(m, METRIC_SENT_MESSAGES + DOOR_RAW);
    uint64_t in = metric_value(m, METRIC_RECEIVED_MESSAGES + DOOR_RAW);
    s->value[STAT_DELIVERIES] =
        rate(&s->delivered, metric_value(m, METRIC_DELIVERIES) + raw, elapsed);
    s->value[STAT_EVENTS] =
        rate(&s->events, total(m, METRIC_EVENTS, METRIC_EVENTS_LAST) + in, elapsed);
    s->value[STAT_LOOP_TURN_MAX] = metrics_take_turn_max(core->metrics);
}

static void measure(struct core *core, struct stats *s) {
    size_t resident = 0;
    measure_rates(core, s);
    uv_resident_set_memory(&resident);
    s->value[STAT_READY] = !core->draining;
    s->value[STAT_UPTIME] = (core_now(core) - core->born) / 1000;
    s->value[STAT_CONNECTIONS] = core->net->count;
    s->value[STAT_CHANNELS] = core->hub.channels.count;
    s->value[STAT_QUEUE] = core->net->out.bytes;
    s->value[STAT_RSS] = resident;
}

size_t stats_args(struct core *core, struct slice args[STATS_ARGS]) {
    static const char *const names[] = {
#define STAT_NAME(symbol, name) name,
        STAT_TABLE(STAT_NAME)
#undef STAT_NAME
    };
    struct stats *s = &core->stats;
    size_t n = 0;
    measure(core, s);
    args[n++] = SLICE("node");
    args[n++] = slice_of(core->node_id);
    args[n++] = SLICE("address");
    args[n++] = slice_of(core->address);
    args[n++] = SLICE("process"); /* these three are for the other nodes: peers.h */
    args[n++] = slice_of(core->peers.name);
    args[n++] = SLICE("reached_at");
    args[n++] = slice_of(core->peers.address);
    args[n++] = SLICE("key");
    args[n++] = slice_of(core->peers.key);
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
