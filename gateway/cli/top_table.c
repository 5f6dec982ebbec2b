#include "gateway/cli/top_table.h"

#include <stdlib.h>

#include "gateway/cli/line.h"

#define CELL 40

/* Numbers of the API have a fraction sometimes, which is left out. */
static bool number_of(struct json_value value, uint64_t *out) {
    const char *point = value.raw.len > 0 ? memchr(value.raw.ptr, '.', value.raw.len) : NULL;
    if (value.type == JSON_NUMBER && point != NULL)
        value.raw.len = (size_t)(point - value.raw.ptr);
    return json_uint64(value, out);
}

/* --- cells ----------------------------------------------------------------------------------
 */

static void cell_bytes(char out[CELL], uint64_t bytes) {
    static const char units[] = "KMGT";
    uint64_t tenths = bytes * 10 / 1024;
    size_t unit = 0;
    for (; tenths >= 10240 && unit + 2 < sizeof units; unit++)
        tenths /= 1024;
    if (bytes < 1024)
        snprintf(out, CELL, "%llu", (unsigned long long)bytes);
    else
        snprintf(out, CELL, "%llu.%llu%c", (unsigned long long)tenths / 10,
                 (unsigned long long)tenths % 10, units[unit]);
}

static void cell_time(char out[CELL], uint64_t s) {
    unsigned long long n = s;
    if (n < 60)
        snprintf(out, CELL, "%llus", n);
    else if (n < 3600)
        snprintf(out, CELL, "%llum%02llus", n / 60, n % 60);
    else if (n < 86400)
        snprintf(out, CELL, "%lluh%02llum", n / 3600, n / 60 % 60);
    else
        snprintf(out, CELL, "%llud%02lluh", n / 86400, n / 3600 % 24);
}

static void cell_count(char out[CELL], uint64_t n) {
    snprintf(out, CELL, "%llu", (unsigned long long)n);
}

/* --- the nodes ------------------------------------------------------------------------------
 */

enum {
    USERS,
    CONNECTIONS,
    EVENTS,
    DELIVERIES,
    MEMORY,
    QUEUED,
    UPTIME,
    NUMBERS,
    NODE = NUMBERS,
    LEASE,
    READY,
    VERSION,
    ADDRESS,
    FIELDS
};

static const char *const fields[] = {
    "users",        "connections", "events_per_second", "deliveries_per_second",
    "rss_bytes",    "queue_bytes", "uptime_s",          "node",
    "lease_age_ms", "ready",       "version",           "address"};

static const struct column {
    const char *head;
    void (*cell)(char out[CELL], uint64_t n);
    int width;
    bool sum; /* it means something for all nodes together */
} columns[NUMBERS] = {
    [USERS] = {"USERS", cell_count, 8, false}, /* one may be at two nodes */
    [CONNECTIONS] = {"CONNECTIONS", cell_count, 12, true},
    [EVENTS] = {"EVENTS/S", cell_count, 9, true},
    [DELIVERIES] = {"DELIVERIES/S", cell_count, 13, true},
    [MEMORY] = {"MEMORY", cell_bytes, 8, true},
    [QUEUED] = {"QUEUED", cell_bytes, 8, true},
    [UPTIME] = {"UPTIME", cell_time, 8, false},
};

#define NAME_WIDTH  16
#define STATE_WIDTH 8

/* A text without its quotes; or -, if there is none. */
static void put_text(struct buf *out, struct json_value value, int width) {
    size_t before = out->len;
    if (value.type == JSON_STRING && value.raw.len > 2)
        line_json(out, (struct slice){value.raw.ptr + 1, value.raw.len - 2});
    else
        buf_char(out, '-');
    int len = (int)(out->len - before);
    if (len < width)
        buf_printf(out, "%*s", width - len, "");
}

static const char *state_of(const struct json_value part[]) {
    if (part[LEASE].type == JSON_NULL)
        return "gone";
    return part[READY].type == JSON_TRUE ? "ready" : "unready";
}

static void put_head(struct buf *out) {
    buf_printf(out, "%-*s %-*s", NAME_WIDTH, "NODE", STATE_WIDTH, "STATE");
    for (int i = 0; i < NUMBERS; i++)
        buf_printf(out, " %*s", columns[i].width, columns[i].head);
    buf_str(out, "  VERSION  ADDRESS\n");
}

static void put_node(struct buf *out, struct json_value node, uint64_t sums[]) {
    struct json_value part[FIELDS];
    json_fields(node, fields, part, FIELDS);
    put_text(out, part[NODE], NAME_WIDTH);
    buf_printf(out, " %-*s", STATE_WIDTH, state_of(part));
    for (int i = 0; i < NUMBERS; i++) {
        char cell[CELL] = "-";
        uint64_t n;
        if (number_of(part[i], &n)) {
            columns[i].cell(cell, n);
            sums[i] += n;
        }
        buf_printf(out, " %*s", columns[i].width, cell);
    }
    buf_str(out, "  ");
    put_text(out, part[VERSION], 8);
    buf_char(out, ' ');
    put_text(out, part[ADDRESS], 0);
    buf_char(out, '\n');
}

static void put_sums(struct buf *out, const uint64_t sums[]) {
    buf_printf(out, "%-*s %-*s", NAME_WIDTH, "all", STATE_WIDTH, "-");
    for (int i = 0; i < NUMBERS; i++) {
        char cell[CELL] = "-";
        if (columns[i].sum)
            columns[i].cell(cell, sums[i]);
        buf_printf(out, " %*s", columns[i].width, cell);
    }
    buf_char(out, '\n');
}

struct named {
    struct slice name;
    struct json_value node;
};

static int by_name(const void *a, const void *b) {
    return slice_cmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* The API has them in the order in which they said something last, which would make the rows
 * jump. Returns how many there are; or -1 without memory. */
static ptrdiff_t sort(struct json_value nodes, struct named **out) {
    static const char *const names[] = {"incarnation"};
    struct json_iter it;
    size_t count = 0, i = 0;
    json_iter_init(&it, nodes);
    while (json_iter_next(&it))
        count++;
    *out = calloc(count + 1, sizeof **out);
    if (*out == NULL)
        return -1;
    json_iter_init(&it, nodes);
    for (; json_iter_next(&it); i++) {
        struct json_value name;
        json_fields(it.value, names, &name, 1);
        (*out)[i] = (struct named){.name = name.raw, .node = it.value};
    }
    qsort(*out, count, sizeof **out, by_name);
    return (ptrdiff_t)count;
}

static void put_nodes(struct buf *out, struct json_value nodes) {
    uint64_t sums[NUMBERS] = {0};
    struct named *sorted;
    ptrdiff_t count = sort(nodes, &sorted);
    out->failed = out->failed || count < 0;
    put_head(out);
    for (ptrdiff_t i = 0; i < count; i++)
        put_node(out, sorted[i].node, sums);
    if (count > 1)
        put_sums(out, sums);
    free(sorted);
}

/* --- Redis ----------------------------------------------------------------------------------
 */

static void put_memory(struct buf *out, struct json_value used, struct json_value most) {
    char cell[CELL];
    uint64_t n;
    if (!number_of(used, &n))
        return;
    cell_bytes(cell, n);
    buf_printf(out, ", memory %s", cell);
    if (!number_of(most, &n) || n == 0)
        return;
    cell_bytes(cell, n);
    buf_printf(out, " of %s", cell);
}

static void put_number(struct buf *out, const char *name, struct json_value value) {
    if (value.type != JSON_NONE)
        buf_printf(out, ", %s %.*s", name, (int)value.raw.len, value.raw.ptr);
}

static void put_redis(struct buf *out, struct json_value redis) {
    enum { REDIS_VERSION, ROLE, PARTITIONS, USED, MOST, OPS, CLIENTS, REPLICAS, EVICTED };
    enum { WRITE = EVICTED + 1, SAVE, PARTS };
    static const char *const names[] = {
        "version", "role",     "partitions",   "used_memory",   "maxmemory",   "ops_per_second",
        "clients", "replicas", "evicted_keys", "last_write_ok", "last_save_ok"};
    struct json_value part[PARTS];
    json_fields(redis, names, part, PARTS);
    buf_str(out, "Redis ");
    put_text(out, part[REDIS_VERSION], 0);
    buf_char(out, ' ');
    put_text(out, part[ROLE], 0);
    put_number(out, "partitions", part[PARTITIONS]);
    put_memory(out, part[USED], part[MOST]);
    put_number(out, "ops/s", part[OPS]);
    put_number(out, "clients", part[CLIENTS]);
    put_number(out, "replicas", part[REPLICAS]);
    put_number(out, "evicted", part[EVICTED]);
    buf_str(out, part[WRITE].type == JSON_FALSE ? ", LAST WRITE FAILED" : "");
    buf_str(out, part[SAVE].type == JSON_FALSE ? ", LAST SAVE FAILED" : "");
    buf_char(out, '\n');
}

/* One Redis, or the masters of a Cluster. */
static void put_redises(struct buf *out, struct json_value redis, struct json_value degraded) {
    static const char *const names[] = {"masters"};
    struct json_value masters;
    struct json_iter it;
    json_fields(redis, names, &masters, 1);
    if (masters.type == JSON_NONE)
        put_redis(out, redis);
    json_iter_init(&it, masters);
    while (json_iter_next(&it))
        put_redis(out, it.value);
    if (degraded.type == JSON_ARRAY && degraded.raw.len > 2)
        buf_printf(out, "PARTITIONS WITHOUT A MASTER: %.*s\n", (int)degraded.raw.len,
                   degraded.raw.ptr);
}

/* --- the whole ------------------------------------------------------------------------------
 */

void top_table_put(struct buf *out, struct json_value view) {
    enum { AT, TIME, NODES, ONLINE, REDIS, DEGRADED, PARTS };
    static const char *const names[] = {"node", "time", "nodes", "online", "redis", "degraded"};
    static const char *const count[] = {"count"}, *const latency[] = {"latency_ms"};
    struct json_value part[PARTS], users, took;
    uint64_t ms = 0;
    json_fields(view, names, part, PARTS);
    json_fields(part[ONLINE], count, &users, 1);
    json_fields(part[REDIS], latency, &took, 1);
    if (number_of(part[TIME], &ms))
        line_time(out, ms);
    put_number(out, "users online", users);
    buf_str(out, ", as ");
    put_text(out, part[AT], 0);
    buf_str(out, " says");
    put_number(out, "Redis answered in ms", took);
    buf_char(out, '\n');
    put_redises(out, part[REDIS], part[DEGRADED]);
    buf_char(out, '\n');
    put_nodes(out, part[NODES]);
}
