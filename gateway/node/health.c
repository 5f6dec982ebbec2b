#include "gateway/node/health.h"

#include "common/json.h"
#include "common/utf8.h"
#include "gateway/node/worker.h"
#include "gateway/redis/overview.h"

static void put_field(struct buf *out, const char *before, const char *text) {
    buf_str(out, before);
    json_escape(out, slice_of(text));
}

static void put_rest(const struct node *n, unsigned connections, struct buf *out) {
    put_field(out, ",\"address\":", n->port.address);
    buf_printf(out, ",\"version\":\"%s\",\"connections\":%u", SLUICE_VERSION, connections);
}

void health_put(const struct node *n, struct buf *out) {
    put_field(out, "{\"status\":\"ok\",\"node\":", n->id);
    put_field(out, ",\"incarnation\":", lease_first(&n->domain.leases)->incarnation);
    put_rest(n, n->net.count, out);
    buf_str(out, "}\n");
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

/* --- workers --------------------------------------------------------------------------------
 */

/* The name of the node, which each worker's name begins with. */
static void put_name(const struct node *n, struct buf *out) {
    size_t len = (size_t)(strrchr(n->id, '-') - n->id);
    json_escape(out, (struct slice){n->id, len});
}

static void put_worker(unsigned number, const struct seat *s, struct buf *out) {
    buf_printf(out, "{\"worker\":%u,\"pid\":%d,\"starts\":%u,\"connections\":%u", number,
               (int)s->pid, s->starts, s->connections);
    put_field(out, ",\"incarnation\":", s->incarnation);
    buf_printf(out, ",\"ready\":%s}", seat_trouble(s) == NULL ? "true" : "false");
}

void health_put_all(struct node *n, struct buf *out) {
    const struct seats *all = n->seats;
    unsigned connections = 0;
    worker_tell(n);
    for (unsigned i = 0; i < all->count; i++)
        connections += all->seat[i].connections;
    buf_str(out, "{\"status\":\"ok\",\"node\":");
    put_name(n, out);
    put_rest(n, connections, out);
    buf_str(out, ",\"workers\":[");
    for (unsigned i = 0; i < all->count; i++) {
        if (i > 0)
            buf_char(out, ',');
        put_worker(i + 1, &all->seat[i], out);
    }
    buf_str(out, "]}\n");
}

bool health_put_all_ready(struct node *n, struct buf *out) {
    if (!node_is_ready(n))
        return health_put_ready(n, out);
    worker_tell(n);
    for (unsigned i = 0; i < n->seats->count; i++) {
        const char *why = seat_trouble(&n->seats->seat[i]);
        if (why == NULL)
            continue;
        buf_printf(out,
                   "{\"ready\":false,\"reason\":\"worker\",\"detail\":\"worker %u: %s\"}\n",
                   i + 1, why);
        return false;
    }
    return health_put_ready(n, out);
}
