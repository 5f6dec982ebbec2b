#include "gateway/node/health.h"

#include "common/json.h"
#include "common/utf8.h"
#include "gateway/redis/overview.h"

void health_put(const struct node *n, struct buf *out) {
    buf_str(out, "{\"status\":\"ok\",\"node\":");
    json_escape(out, slice_of(n->id));
    buf_str(out, ",\"incarnation\":");
    json_escape(out, slice_of(lease_first(&n->domain.leases)->incarnation));
    buf_str(out, ",\"address\":");
    json_escape(out, slice_of(n->port.address));
    buf_printf(out, ",\"version\":\"%s\",\"connections\":%u}\n", SLUICE_VERSION, n->net.count);
}

/* Appends what is wrong with Redis, in words, which may be Redis's own. */
static void put_trouble(const struct node *n, struct buf *out) {
    const struct redis *r = &n->domain.redis;
    const char *why = redis_trouble(r);
    buf_str(out, ",\"detail\":");
    if (why == NULL)
        why = redis_error(r)[0] != '\0' ? redis_error(r) : "the node has no lease yet";
    json_escape(out, utf8_valid(slice_of(why)) ? slice_of(why) : SLICE("not UTF-8"));
}

/* Of some partitions no master can be used: their users and rooms are not served. */
static void put_degraded(const struct redis *r, struct buf *out) {
    const char *before = ",\"degraded\":[";
    for (unsigned i = 0; i < r->count; i++) {
        if (redis_up(&r->partitions[i]))
            continue;
        buf_printf(out, "%s%u", before, i);
        before = ",";
    }
    if (before[1] == '\0')
        buf_char(out, ']');
}

bool health_put_ready(const struct node *n, struct buf *out) {
    bool serving = n->state == NODE_SERVING;
    if (node_is_ready(n)) {
        buf_str(out, "{\"ready\":true");
        put_degraded(&n->domain.redis, out);
        buf_str(out, "}\n");
        return true;
    }
    buf_printf(out, "{\"ready\":false,\"reason\":\"%s\"", serving ? "redis" : "draining");
    if (serving)
        put_trouble(n, out);
    buf_str(out, "}\n");
    return false;
}
