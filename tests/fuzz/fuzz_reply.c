/*
 * libFuzzer on what Redis answers: any bytes, whole and in pieces. Both must give the same
 * replies. Each is then read as what it may be: a page of a log, the state of a session, an
 * error, INFO, what a Sentinel or a node of a Cluster says.
 */
#include "gateway/channel/lineage.h"
#include "gateway/channel/page.h"
#include "gateway/redis/cluster_nodes.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/info.h"
#include "gateway/redis/reply.h"
#include "gateway/redis/sentinel_reply.h"
#include "gateway/session/recovered.h"
#include "tests/fuzz/fuzz.h"

static void put(struct buf *out, const struct reply *r) {
    buf_printf(out, "%d %lld %zu:", r->type, r->integer, r->text.len);
    buf_slice(out, r->text);
    for (size_t i = 0; i < r->count && i < 1000; i++)
        put(out, r->items[i]);
    reply_number(r);
    check(reply_item(r, r->count)->type == REPLY_NIL);
}

static void nodes(struct slice all) {
    static const struct redis_place asked = {"seed.example", 7000};
    struct nodes_view view = {.tls = all.len % 2 == 0, .endpoint = all.len % 3, .from = &asked};
    struct cluster_node node;
    while (cluster_nodes_next(&all, &view, &node)) {
        check(node.id[0] != '\0' && node.place.port > 0 && node.place.port <= 65535);
        check(memchr(node.place.host, '\0', sizeof node.place.host) != NULL);
        cluster_node_has(&node, 5461);
    }
}

static void text(struct slice all) {
    char out[16];
    struct slice code = redis_error_code(all);
    check(fuzz_within(code, all));
    redis_error_outcome(all);
    struct redis_place place = {.port = 1};
    unsigned slot;
    if (redis_error_moved(all, &place, &slot))
        check(redis_error_moves(all) && place.port > 0 && place.port <= 65535);
    nodes(all);
    info_field(all, "run_id", out, sizeof out);
    check(memchr(out, '\0', sizeof out) != NULL);
}

/* --- as a page ------------------------------------------------------------------------------
 */

struct walk {
    uint64_t at;
};

static void on_message(void *arg, struct message *m) {
    struct walk *walk = arg;
    check(m->seq > walk->at);
    walk->at = m->seq;
}

static void on_hole(void *arg, uint64_t from, uint64_t to) {
    struct walk *walk = arg;
    check(from > walk->at && to >= from);
    walk->at = to;
}

static const struct page_events events = {on_message, on_hole};

static void page(const struct reply *r) {
    struct page page;
    struct walk walk = {0};
    struct position at = {.epoch = "e", .seq = 5};
    struct lineage *lineage = NULL;
    page_read(&page, r);
    uint64_t to = page_walk(&page, 0, &events, &walk);
    check(to >= walk.at);
    lineage_move(&lineage, &at, page.epoch, page.last, page.forks);
    check(lineage == NULL || lineage->count <= LINEAGE_MOST);
    free(lineage);
}

/* --- as a session ---------------------------------------------------------------------------
 */

static void session(const struct reply *r) {
    struct recovered what;
    memset(&what, 0, sizeof what);
    if (recovered_read(&what, r)) {
        check(what.user.len > 0 && what.user.len <= NAME_MAX_LEN && what.origin[0] != '\0');
        for (size_t i = 0; i < what.count; i++)
            check(memchr(what.channels[i].name, '\0', sizeof what.channels[i].name) != NULL);
    }
    recovered_deinit(&what);
}

/* --- as what a Sentinel says ----------------------------------------------------------------
 */

static void place(const struct redis_place *p) {
    check(p->host[0] > ' ' || p->host[0] < 0);
    check(memchr(p->host, '\0', sizeof p->host) != NULL && p->port > 0 && p->port <= 65535);
}

static void news(struct slice all) {
    struct redis_place from, to;
    sentinel_concerns(all, "mymaster");
    if (sentinel_read_switch(all, "mymaster", &from, &to)) {
        place(&from);
        place(&to);
    }
}

static void sentinel(const struct reply *r) {
    struct sentinel_peer peers[4];
    struct redis_place master;
    char id[SENTINEL_ID_SIZE];
    uint64_t epoch;
    bool down;
    sentinel_read_master(r, &epoch, &down);
    if (sentinel_read_address(r, &master))
        place(&master);
    size_t n = sentinel_read_peers(r, peers, 4);
    check(n <= 4);
    while (n-- > 0) {
        place(&peers[n].place);
        check(memchr(peers[n].id, '\0', sizeof peers[n].id) != NULL);
    }
    sentinel_read_id(r, id);
    check(memchr(id, '\0', sizeof id) != NULL);
    news(r->text);
}

static void each(const struct reply *r) {
    text(r->text);
    sentinel(r);
    page(r);
    session(r);
    for (size_t i = 0; i < r->count && i < 1000; i++)
        each(r->items[i]);
}

/* most: of a piece's bytes. */
static void feed(struct slice all, size_t most, struct buf *seen) {
    struct reply_reader *reader = reply_reader_create();
    struct fuzz_dice dice = fuzz_dice_of(all);
    const struct reply *r;
    int status = 0;
    check(reader != NULL);
    for (size_t at = 0, n; at < all.len && status >= 0; at += n) {
        n = most == all.len ? most : fuzz_throw(&dice, most);
        n = n > all.len - at ? all.len - at : n;
        char *copy = fuzz_copy((struct slice){all.ptr + at, n});
        check(reply_reader_feed(reader, copy, n));
        while ((status = reply_reader_next(reader, &r)) == 1) {
            put(seen, r);
            if (most == all.len)
                each(r);
        }
        free(copy);
    }
    buf_printf(seen, "end %d", status);
    reply_reader_destroy(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    struct buf whole, cut;
    if (size == 0)
        return 0;
    text(all);
    buf_init(&whole);
    buf_init(&cut);
    feed(all, size, &whole);
    feed(all, 24, &cut);
    check(slice_eq(buf_bytes(&whole), buf_bytes(&cut)));
    buf_deinit(&whole);
    buf_deinit(&cut);
    return 0;
}
