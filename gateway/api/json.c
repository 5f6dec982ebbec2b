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

/* How long before `now` that was, in ms. */
static uint64_t age(uint64_t now, const struct reply *at) {
    uint64_t then = (uint64_t)reply_number(at);
    return now > then ? now - then : 0;
}

/* --- the cluster ----------------------------------------------------------------------------
 */

static void put_node(struct buf *b, const struct row *row) {
    static const char *const numbers[] = {
        "connections", "channels", "deliveries_per_second", "events_per_second", "queue_bytes",
        "rss_bytes",   "uptime_s"};
    const struct reply *node = row->item, *stats = reply_item(node, 3);
    struct slice incarnation = reply_text(reply_item(node, 0));
    long long turn = reply_number(field_of(stats, "loop_turn_max_us"));
    bool dead = reply_number(reply_item(node, 1)) == 0;
    buf_char(b, '{');
    put_string(b, "incarnation", incarnation);
    put_string(b, "node", node_name(incarnation));
    put_key(b, "lease_age_ms");
    if (dead)
        buf_str(b, "null"); /* given up, or being reaped */
    else
        buf_u64(b, age(row->now, reply_item(node, 1)));
    put_key(b, "users");
    buf_u64(b, row->users > 0 ? (uint64_t)row->users : 0);
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

static void put_room(struct buf *b, const struct row *row) {
    buf_char(b, '{');
    put_string(b, "room", reply_text(reply_item(row->item, 0)));
    put_number(b, "online", reply_item(row->item, 1));
    put_number(b, "total", reply_item(row->item, 2));
    buf_char(b, '}');
}

static void put_user(struct buf *b, const struct row *row) {
    struct slice id = reply_text(reply_item(row->item, 0));
    struct slice name = reply_text(reply_item(row->item, 2));
    buf_char(b, '{');
    put_string(b, "id", id);
    if (name.len > 0 && !slice_eq(name, id))
        put_string(b, "username", name);
    put_key(b, "last_heartbeat_age_ms");
    buf_u64(b, age(row->now, reply_item(row->item, 1)));
    buf_char(b, '}');
}

static void put_rows(struct buf *b, const char *key, const struct rows *rows,
                     void (*put)(struct buf *b, const struct row *row)) {
    put_key(b, key);
    buf_char(b, '[');
    for (size_t i = 0; i < rows->count; i++) {
        if (i > 0)
            buf_char(b, ',');
        put(b, &rows->at[i]);
    }
    buf_char(b, ']');
}

static void put_merged(struct buf *b, const char *key, const struct answers *a, size_t list,
                       size_t most, void (*put)(struct buf *b, const struct row *row)) {
    struct rows rows;
    bool good =
        put == put_node ? rows_merge_nodes(&rows, a, list) : rows_merge(&rows, a, list, most);
    put_rows(b, key, &rows, put);
    b->failed = b->failed || !good;
    rows_deinit(&rows);
}

/* Appends "key":[N,...] with the partitions whose bits are set. */
static void put_partitions(struct buf *b, const char *key, uint64_t bits) {
    put_key(b, key);
    buf_char(b, '[');
    for (unsigned i = 0, n = 0; i < 64; i++) {
        if ((bits >> i & 1) != 0)
            buf_printf(b, "%s%u", n++ > 0 ? "," : "", i);
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

static void put_infos(struct buf *b, struct slice info) {
#define PUT_INFO(key, kind, name) put_info(b, key, kind, info_find(info, name));
    INFO_TABLE(PUT_INFO)
#undef PUT_INFO
}

static void put_latency(struct buf *b, uint64_t us) {
    put_key(b, "latency_ms");
    buf_printf(b, "%llu.%03llu", (unsigned long long)(us / 1000),
               (unsigned long long)(us % 1000));
}

/* The masters whose partitions have answered, each with INFO as its first partition told it. */
static void put_masters(struct buf *b, const struct answers *a, const unsigned char *master) {
    unsigned n = 0;
    put_key(b, "masters");
    buf_char(b, '[');
    for (unsigned i = 0; i < a->count; i++) {
        uint64_t bits = 0;
        for (unsigned k = i; k < a->count; k++) {
            if (a->of[k] != NULL && master[k] == i)
                bits |= 1ULL << k;
        }
        if (bits == 0)
            continue;
        buf_str(b, n++ > 0 ? ",{" : "{");
        put_partitions(b, "partitions", bits);
        if (a->of[i] != NULL)
            put_infos(b, reply_text(reply_item(a->of[i], 6)));
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

static void put_redis(struct buf *b, const struct cluster_view *view, const struct answers *a,
                      const unsigned char *master) {
    put_key(b, "redis");
    buf_char(b, '{');
    if (a->count == 1)
        put_infos(b, reply_text(reply_item(a->of[0], 6)));
    else
        put_masters(b, a, master);
    put_latency(b, view->latency_us);
    buf_char(b, '}');
}

static uint64_t silent(const struct answers *a) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < a->count; i++)
        bits |= (uint64_t)(a->of[i] == NULL) << i;
    return bits;
}

void api_put_cluster(struct buf *b, const struct cluster_view *view, const struct answers *a,
                     const unsigned char *master) {
    buf_char(b, '{');
    put_string(b, "node", slice_of(view->node));
    put_string(b, "incarnation", slice_of(view->incarnation));
    buf_printf(b, ",\"time\":%llu,\"lease_timeout_ms\":%llu",
               (unsigned long long)answer_time(answers_first(a)),
               (unsigned long long)view->lease_timeout_ms);
    put_merged(b, "nodes", a, 2, SIZE_MAX, put_node);
    put_merged(b, "rooms", a, 3, view->rooms, put_room);
    put_key(b, "online");
    buf_char(b, '{');
    put_key(b, "count");
    buf_u64(b, answers_sum(a, 4));
    put_merged(b, "users", a, 5, view->users, put_user);
    buf_char(b, '}');
    put_redis(b, view, a, master);
    if (a->count > 1) {
        put_key(b, "partitions");
        buf_u64(b, a->count);
        put_partitions(b, "degraded", silent(a));
    }
    buf_str(b, "}\n");
}

/* --- users ----------------------------------------------------------------------------------
 */

/* Each user once: the exact one was found before the partition's pages are read. */
static void put_found(struct buf *b, const struct answers *a, struct slice exact) {
    unsigned n = 0;
    put_key(b, "users");
    buf_char(b, '[');
    for (unsigned i = 0; i < a->count; i++) {
        const struct reply *users = a->of[i] != NULL ? reply_item(a->of[i], 3) : NULL;
        for (size_t k = 0; users != NULL && k < users->count; k++) {
            const struct row row = {.item = users->items[k], .now = answer_time(a->of[i])};
            if (i > 0 && exact.len > 0 && slice_eq(reply_text(reply_item(row.item, 0)), exact))
                continue;
            if (n++ > 0)
                buf_char(b, ',');
            put_user(b, &row);
        }
    }
    buf_char(b, ']');
}

void api_put_online(struct buf *b, const struct online_page *page, const struct answers *a) {
    buf_char(b, '{');
    put_key(b, "time");
    buf_u64(b, answer_time(answers_first(a)));
    put_found(b, a, page->exact);
    put_key(b, "more");
    buf_str(b, page->cursor.len > 0 ? "true" : "false");
    if (page->cursor.len > 0)
        put_string(b, "cursor", page->cursor);
    if (page->parted)
        put_partitions(b, "degraded", page->skipped);
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

static void put_room_names(struct buf *b, const struct reply *rooms) {
    put_key(b, "rooms");
    buf_char(b, '[');
    for (size_t i = 0; i < rooms->count; i++) {
        if (i > 0)
            buf_char(b, ',');
        json_escape_any(b, reply_text(rooms->items[i]));
    }
    buf_char(b, ']');
}

void api_put_user(struct buf *b, struct slice id, const struct reply *reply) {
    const struct reply *conns = reply_item(reply, 2);
    buf_char(b, '{');
    put_string(b, "id", id);
    put_string(b, "username", reply_text(reply_item(reply, 4)));
    put_string(b, "role", reply_text(reply_item(reply, 5)));
    put_key(b, "time");
    buf_u64(b, answer_time(reply));
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
    put_room_names(b, reply_item(reply, 3));
    buf_str(b, "}\n");
}
