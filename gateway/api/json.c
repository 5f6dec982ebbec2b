#include "gateway/api/json.h"

#include "common/json.h"

/* Redis may hold values that no node wrote, so every text is checked, and every number is
 * parsed. */

/* Appends `"key":`, after a comma if one is needed. */
static void put_key(struct buf *b, const char *key) {
    if (b->len > 0 && b->data[b->len - 1] != '{')
        buf_char(b, ',');
    buf_printf(b, "\"%s\":", key);
}

static void put_number(struct buf *b, const char *key, const struct reply *value) {
    long long n = reply_number(value);
    put_key(b, key);
    buf_u64(b, n > 0 ? (uint64_t)n : 0);
}

static void put_string(struct buf *b, const char *key, struct slice text) {
    put_key(b, key);
    json_escape_any(b, text);
}

/* The value of a field of a flat hash, or a nil reply. */
static const struct reply *field_of(const struct reply *hash, const char *field) {
    for (size_t i = 0; i + 1 < hash->count; i += 2) {
        if (slice_is(reply_text(hash->items[i]), field))
            return hash->items[i + 1];
    }
    return reply_item(hash, hash->count);
}

/* Microseconds as 16 digits, in milliseconds. */
static uint64_t millis(const struct reply *time) {
    return (uint64_t)reply_number(time) / 1000;
}

/* How long before `now` that was, in ms. */
static uint64_t age(uint64_t now, const struct reply *at) {
    uint64_t then = (uint64_t)reply_number(at);
    return now > then ? now - then : 0;
}

/* --- the cluster ----------------------------------------------------------------------------
 */

/* The node's name within its incarnation. */
static struct slice node_name(struct slice incarnation) {
    size_t len = incarnation.len;
    while (len > 0 && incarnation.ptr[len - 1] != '.')
        len--;
    return len > 0 ? (struct slice){incarnation.ptr, len - 1} : incarnation;
}

static void put_node(struct buf *b, const struct reply *node, uint64_t now) {
    static const char *const numbers[] = {
        "connections", "channels", "deliveries_per_second", "events_per_second", "queue_bytes",
        "rss_bytes",   "uptime_s"};
    struct slice incarnation = reply_text(reply_item(node, 0));
    const struct reply *stats = reply_item(node, 3);
    long long turn = reply_number(field_of(stats, "loop_turn_max_us"));
    bool dead = reply_number(reply_item(node, 1)) == 0;
    buf_char(b, '{');
    put_string(b, "incarnation", incarnation);
    put_string(b, "node", node_name(incarnation));
    put_key(b, "lease_age_ms");
    if (dead)
        buf_str(b, "null"); /* given up, or being reaped */
    else
        buf_u64(b, age(now, reply_item(node, 1)));
    put_number(b, "users", reply_item(node, 2));
    if (stats->count > 0) {
        put_string(b, "address", reply_text(field_of(stats, "address")));
        put_string(b, "version", reply_text(field_of(stats, "version")));
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            put_number(b, numbers[i], field_of(stats, numbers[i]));
        put_key(b, "loop_turn_ms");
        buf_printf(b, "{\"max\":%lld.%03lld}", turn / 1000, turn % 1000);
    }
    put_key(b, "ready");
    buf_str(b, !dead && reply_number(field_of(stats, "ready")) == 1 ? "true" : "false");
    buf_char(b, '}');
}

static void put_room(struct buf *b, const struct reply *room, uint64_t now) {
    (void)now;
    buf_char(b, '{');
    put_string(b, "room", reply_text(reply_item(room, 0)));
    put_number(b, "online", reply_item(room, 1));
    put_number(b, "total", reply_item(room, 2));
    buf_char(b, '}');
}

static void put_user(struct buf *b, const struct reply *user, uint64_t now) {
    struct slice id = reply_text(reply_item(user, 0));
    struct slice name = reply_text(reply_item(user, 2));
    buf_char(b, '{');
    put_string(b, "id", id);
    if (name.len > 0 && !slice_eq(name, id))
        put_string(b, "username", name);
    put_key(b, "last_heartbeat_age_ms");
    buf_u64(b, age(now, reply_item(user, 1)));
    buf_char(b, '}');
}

static void put_list(struct buf *b, const char *key, const struct reply *list,
                     void (*put)(struct buf *b, const struct reply *item, uint64_t now),
                     uint64_t now) {
    put_key(b, key);
    buf_char(b, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_char(b, ',');
        put(b, list->items[i], now);
    }
    buf_char(b, ']');
}

/* Redis: the fields of INFO that are shown, their kinds, and their names in INFO. */
enum info { INFO_TEXT, INFO_NUMBER, INFO_ONE, INFO_OK };
#define INFO_TABLE(X)                                                                          \
    X("version", INFO_TEXT, "redis_version")                                                   \
    X("role", INFO_TEXT, "role")                                                               \
    X("run_id", INFO_TEXT, "run_id")                                                           \
    X("uptime_s", INFO_NUMBER, "uptime_in_seconds")                                            \
    X("used_memory", INFO_NUMBER, "used_memory")                                               \
    X("maxmemory", INFO_NUMBER, "maxmemory")                                                   \
    X("maxmemory_policy", INFO_TEXT, "maxmemory_policy")                                       \
    X("evicted_keys", INFO_NUMBER, "evicted_keys")                                             \
    X("clients", INFO_NUMBER, "connected_clients")                                             \
    X("replicas", INFO_NUMBER, "connected_slaves")                                             \
    X("ops_per_second", INFO_NUMBER, "instantaneous_ops_per_sec")                              \
    X("appendonly", INFO_ONE, "aof_enabled")                                                   \
    X("last_write_ok", INFO_OK, "aof_last_write_status")                                       \
    X("last_save_ok", INFO_OK, "rdb_last_bgsave_status")

/* The value of a line `name:value` of INFO; len 0: there is none. */
static struct slice info_find(struct slice text, const char *name) {
    size_t len = strlen(name);
    const char *end = slice_end(text);
    for (const char *at = text.ptr; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        size_t line = (size_t)(stop - at);
        if (line > len && at[len] == ':' && memcmp(at, name, len) == 0) {
            size_t from = len + 1, to = line;
            while (to > from && (at[to - 1] == '\r' || at[to - 1] == ' '))
                to--;
            return (struct slice){at + from, to - from};
        }
        at = stop + 1;
    }
    return (struct slice){NULL, 0};
}

static void put_info(struct buf *b, const char *key, enum info kind, struct slice value) {
    struct reply number = {.type = REPLY_STRING, .text = value};
    if (value.len == 0)
        return;
    if (kind == INFO_TEXT) {
        put_string(b, key, value);
    } else if (kind == INFO_NUMBER) {
        put_number(b, key, &number);
    } else {
        put_key(b, key);
        buf_str(b, slice_is(value, kind == INFO_ONE ? "1" : "ok") ? "true" : "false");
    }
}

static void put_redis(struct buf *b, struct slice info, uint64_t latency_us) {
    put_key(b, "redis");
    buf_char(b, '{');
#define PUT_INFO(key, kind, name) put_info(b, key, kind, info_find(info, name));
    INFO_TABLE(PUT_INFO)
#undef PUT_INFO
    put_key(b, "latency_ms");
    buf_printf(b, "%llu.%03llu}", (unsigned long long)(latency_us / 1000),
               (unsigned long long)(latency_us % 1000));
}

void api_put_cluster(struct buf *b, const struct cluster_view *view,
                     const struct reply *reply) {
    uint64_t now = millis(reply_item(reply, 1));
    buf_char(b, '{');
    put_string(b, "node", slice_of(view->node));
    put_string(b, "incarnation", slice_of(view->incarnation));
    buf_printf(b, ",\"time\":%llu,\"lease_timeout_ms\":%llu", (unsigned long long)now,
               (unsigned long long)view->lease_timeout_ms);
    put_list(b, "nodes", reply_item(reply, 2), put_node, now);
    put_list(b, "rooms", reply_item(reply, 3), put_room, now);
    put_key(b, "online");
    buf_char(b, '{');
    put_number(b, "count", reply_item(reply, 4));
    put_list(b, "users", reply_item(reply, 5), put_user, now);
    buf_char(b, '}');
    put_redis(b, reply_text(reply_item(reply, 6)), view->latency_us);
    buf_str(b, "}\n");
}

/* --- users ----------------------------------------------------------------------------------
 */

void api_put_online(struct buf *b, const struct reply *reply) {
    struct slice cursor = reply_text(reply_item(reply, 1));
    uint64_t now = millis(reply_item(reply, 2));
    bool more = !slice_is(cursor, "0");
    buf_char(b, '{');
    put_key(b, "time");
    buf_u64(b, now);
    put_list(b, "users", reply_item(reply, 3), put_user, now);
    put_key(b, "more");
    buf_str(b, more ? "true" : "false");
    if (more)
        put_string(b, "cursor", cursor);
    buf_str(b, "}\n");
}

/* Cuts off the next word and returns it. */
static struct slice next_word(struct slice *text) {
    const char *space = text->len > 0 ? memchr(text->ptr, ' ', text->len) : NULL;
    struct slice word = {text->ptr, space != NULL ? (size_t)(space - text->ptr) : text->len};
    size_t used = word.len + (space != NULL);
    *text = (struct slice){text->ptr + used, text->len - used};
    return word;
}

/* `what` is incarnation, since, address, door, as online.lua wrote them. */
static void put_connection(struct buf *b, struct slice id, struct slice what) {
    struct slice incarnation = next_word(&what);
    struct reply since = {.type = REPLY_STRING, .text = next_word(&what)};
    buf_char(b, '{');
    put_string(b, "id", id);
    put_string(b, "node", node_name(incarnation));
    put_string(b, "incarnation", incarnation);
    put_number(b, "since", &since);
    put_string(b, "address", next_word(&what));
    put_string(b, "door", next_word(&what));
    buf_char(b, '}');
}

static void put_room_name(struct buf *b, const struct reply *room, uint64_t now) {
    (void)now;
    json_escape_any(b, reply_text(room));
}

void api_put_user(struct buf *b, struct slice id, const struct reply *reply) {
    const struct reply *conns = reply_item(reply, 2);
    buf_char(b, '{');
    put_string(b, "id", id);
    put_string(b, "username", reply_text(reply_item(reply, 4)));
    put_string(b, "role", reply_text(reply_item(reply, 5)));
    put_key(b, "time");
    buf_u64(b, millis(reply_item(reply, 1)));
    put_number(b, "last_seen", reply_item(reply, 6));
    put_key(b, "online");
    buf_str(b, conns->count > 0 ? "true" : "false");
    put_key(b, "connections");
    buf_char(b, '[');
    for (size_t i = 0; i + 1 < conns->count; i += 2) {
        if (i > 0)
            buf_char(b, ',');
        put_connection(b, reply_text(conns->items[i]), reply_text(conns->items[i + 1]));
    }
    buf_char(b, ']');
    put_list(b, "rooms", reply_item(reply, 3), put_room_name, 0);
    buf_str(b, "}\n");
}
