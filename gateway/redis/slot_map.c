#include "gateway/redis/slot_map.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/slots.h"

#define TICK_MS        1000
#define DOUBT_MS       200 /* between two questions to all while a master is away */
#define ASK_AGAIN_MS   50  /* least time between two questions to all */
#define BEGAN_AGAIN_MS 10000
#define REST_MS        31536000000 /* a year: until it is wanted again */

/* --- decisions ------------------------------------------------------------------------------
 */

static void give(struct slot_map *m, unsigned index, const struct redis_place *at) {
    struct slot_claim *c = &m->claims[index];
    LOG(c->known ? LOG_WARN : LOG_DEBUG, "redis_slot", "slot", log_text("%u", c->slot), "addr",
        redis_place_text(at), "was", c->known ? redis_place_text(&c->at) : NULL, NULL);
    c->known = true;
    c->at = *at;
    m->events->on_master(m->owner, index, at);
}

static unsigned replicas_of(struct slice text, const struct nodes_view *view, const char *id) {
    struct cluster_node node;
    unsigned n = 0;
    while (cluster_nodes_next(&text, view, &node))
        n += !node.master && strcmp(node.of, id) == 0;
    return n;
}

static bool is_away(const struct slot_map *m, const struct slot_claim *c) {
    return c->down_since != 0 && uv_now(m->loop) - c->down_since >= BEGAN_AGAIN_MS;
}

static bool is_same(const struct slot_claim *c, const struct cluster_node *node) {
    bool may_move = node->myself || c->down_since != 0;
    return redis_place_same(&node->place, &c->at) || (may_move && strcmp(node->id, c->id) == 0);
}

static bool is_believed(const struct slot_map *m, const struct slot_claim *c,
                        const struct cluster_node *node) {
    return !c->known || node->epoch > c->epoch ||
           (node->epoch == c->epoch && is_same(c, node)) || (is_away(m, c) && !node->failed);
}

static void take_master(struct slot_map *m, struct slice text, const struct nodes_view *view,
                        const struct cluster_node *node) {
    unsigned replicas = replicas_of(text, view, node->id);
    for (unsigned i = 0; i < m->count; i++) {
        struct slot_claim *c = &m->claims[i];
        if (!cluster_node_has(node, c->slot) || !is_believed(m, c, node))
            continue;
        c->epoch = node->epoch;
        c->replicas = replicas;
        memcpy(c->id, node->id, sizeof c->id);
        if (!c->known || !redis_place_same(&node->place, &c->at))
            give(m, i, &node->place);
    }
}

/* --- answers --------------------------------------------------------------------------------
 */

static bool knows_any(const struct slot_map *m) {
    for (unsigned i = 0; i < m->count; i++) {
        if (m->claims[i].known)
            return true;
    }
    return false;
}

static bool all_away(const struct slot_map *m) {
    for (unsigned i = 0; i < m->count; i++) {
        if (!is_away(m, &m->claims[i]))
            return false;
    }
    return true;
}

bool slot_map_take(struct slot_map *m, struct slice text, const struct redis_place *from) {
    struct nodes_view view = {.tls = m->address.tls, .endpoint = m->endpoint, .from = from};
    struct cluster_node node;
    struct slice rest = text;
    if (known_strange(&m->known, text, &view, all_away(m)))
        return false;
    known_begin(&m->known);
    while (cluster_nodes_next(&rest, &view, &node)) {
        known_add(&m->known, &node);
        if (node.master && node.slots.len > 0)
            take_master(m, text, &view, &node);
    }
    if (!knows_any(m))
        known_begin(&m->known); /* it may belong to no Cluster */
    return true;
}

void slot_map_take_slots(struct slot_map *m, const struct reply *slots) {
    m->endpoint_before = m->endpoint;
    m->endpoint = cluster_endpoint_of(slots);
}

/* --- the scout ------------------------------------------------------------------------------
 */

static struct slot_map *map_of(struct link *l) {
    return l->owner;
}

/* Why an answer is of no use; NULL if it is of use. */
static const char *scout_takes(struct slot_map *m, const struct reply *reply) {
    struct redis_place from = {.port = m->address.port};
    if (reply == NULL)
        return log_text("it does not answer CLUSTER NODES: %s", m->scout.error);
    memcpy(from.host, m->address.host, sizeof from.host);
    if (!slot_map_take(m, reply->text, &from)) {
        m->endpoint = m->endpoint_before; /* its answer to CLUSTER SLOTS came just before */
        return "it is a node of another Cluster";
    }
    return knows_any(m) ? NULL : "it knows no master that has slots: is the Cluster made?";
}

static void on_scouted(void *arg, const struct reply *reply, enum outcome outcome) {
    struct slot_map *m = arg;
    (void)outcome;
    if (reply == NULL && m->scout.state != LINK_READY)
        return; /* the link fell */
    const char *why = scout_takes(m, reply);
    m->useless = why != NULL;
    m->misses = why != NULL ? m->misses : 0;
    snprintf(m->why, sizeof m->why, "%s", why != NULL ? why : "");
}

static void on_slots(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)outcome;
    if (reply != NULL)
        slot_map_take_slots(arg, reply);
}

static void scout_asks(struct slot_map *m) {
    struct slice none = {NULL, 0};
    if (m->scout.state != LINK_READY)
        return;
    link_send(&m->scout, -1, 2, SLICE(CLUSTER_SLOTS_QUESTION), none, on_slots, m);
    link_send(&m->scout, -1, 2, SLICE(CLUSTER_NODES_QUESTION), none, on_scouted, m);
}

static void on_scout_ready(struct link *l) {
    link_proved(l);
    scout_asks(map_of(l));
}

static void next_place(struct slot_map *m) {
    const struct redis_place *to = known_next(&m->known);
    memcpy(m->address.host, to->host, sizeof to->host);
    m->address.port = to->port;
}

/* The next attempt goes to the next node, and at once until all were tried. */
static void on_scout_down(struct link *l, const char *why) {
    struct slot_map *m = map_of(l);
    if (l->closing || !m->scouting)
        return;
    snprintf(m->why, sizeof m->why, "%.120s: %.120s",
             redis_host_text(m->address.host, m->address.port), why);
    bool first = m->misses++ < m->known.count;
    LOG(first ? LOG_WARN : LOG_DEBUG, "redis_scout", "addr",
        redis_host_text(m->address.host, m->address.port), "why", why, NULL);
    m->useless = false;
    next_place(m);
    resolver_forget(&l->resolver);
    if (first)
        l->moved = true;
}

static void on_scout_push(struct link *l, const struct reply *push) {
    (void)l, (void)push;
}

static void on_scout_error(struct link *l, struct slice text) {
    (void)l, (void)text; /* l->error has it */
}

static const struct link_events scout_handlers = {.on_ready = on_scout_ready,
                                                  .on_down = on_scout_down,
                                                  .on_push = on_scout_push,
                                                  .on_error = on_scout_error};

/* The scout rests while the masters themselves can be asked. */
static void scout(struct slot_map *m, bool wanted) {
    if (wanted && !m->scouting) {
        m->scouting = true;
        m->misses = 0;
        next_place(m);
        link_go(&m->scout, "the masters of the Cluster are looked for");
    } else if (wanted && m->useless) {
        char why[sizeof m->why];
        memcpy(why, m->why, sizeof why);
        link_go(&m->scout, why); /* on_scout_down sends it to the next one */
    } else if (wanted) {
        scout_asks(m);
    } else if (m->scouting) {
        m->scouting = false;
        link_pause(&m->scout, REST_MS, "the masters can be asked");
    }
}

/* --- asking ---------------------------------------------------------------------------------
 */

/* A master that stays away is asked for more rarely. */
static bool in_doubt(const struct slot_map *m) {
    for (unsigned i = 0; i < m->count; i++) {
        const struct slot_claim *c = &m->claims[i];
        if (c->down_since != 0 && uv_now(m->loop) - c->down_since < BEGAN_AGAIN_MS)
            return true;
    }
    return false;
}

static void ask(struct slot_map *m, bool all) {
    if (all)
        m->asked_at = uv_now(m->loop);
    scout(m, m->events->ask(m->owner, all) == 0);
}

static void on_tick(uv_timer_t *timer) {
    struct slot_map *m = timer->data;
    bool doubt = in_doubt(m);
    ask(m, doubt);
    uv_timer_start(timer, on_tick, doubt ? DOUBT_MS : TICK_MS, 0);
}

void slot_map_ask(struct slot_map *m) {
    uint64_t since = uv_now(m->loop) - m->asked_at;
    uv_timer_start(&m->tick, on_tick, since < ASK_AGAIN_MS ? ASK_AGAIN_MS - since : 0, 0);
}

void slot_map_moved(struct slot_map *m, unsigned index, const struct redis_place *to) {
    const struct redis_place *at = known_place(&m->known, to);
    if (!m->claims[index].known || !redis_place_same(at, &m->claims[index].at)) {
        m->claims[index].id[0] = '\0';
        give(m, index, at);
    }
    slot_map_ask(m);
}

void slot_map_settled(struct slot_map *m, unsigned index) {
    m->claims[index].down_since = 0;
}

void slot_map_doubt(struct slot_map *m, unsigned index) {
    if (m->claims[index].down_since == 0)
        m->claims[index].down_since = uv_now(m->loop);
    slot_map_ask(m);
}

const char *slot_map_trouble(const struct slot_map *m) {
    if (knows_any(m))
        return NULL;
    if (m->why[0] == '\0')
        return "no node of the Cluster has answered yet";
    return log_text("no node of the Cluster tells its masters; the last one asked: %s", m->why);
}

void slot_map_flush(struct slot_map *m) {
    link_flush(&m->scout);
}

/* --- life -----------------------------------------------------------------------------------
 */

void slot_map_init(struct slot_map *m, uv_loop_t *loop, const struct slot_map_config *config,
                   const struct slot_map_events *events, void *owner) {
    memset(m, 0, sizeof *m);
    m->loop = loop;
    m->events = events;
    m->owner = owner;
    m->address = *config->login;
    m->address.any_role = true;
    known_init(&m->known, config->seeds);
    snprintf(m->name, sizeof m->name, "sluice-%s-scout", config->node);
    link_init(&m->scout, loop, &m->address, &scout_handlers, m, m->name, false,
              config->timeout_ms);
    m->scout.backoff_ms = config->backoff_ms;
    m->tick.data = m;
    uv_timer_init(loop, &m->tick);
}

void slot_map_add(struct slot_map *m, unsigned slot) {
    m->claims[m->count++] =
        (struct slot_claim){.slot = slot, .down_since = uv_now(m->loop) + 1};
}

void slot_map_use_tls(struct slot_map *m, SSL_CTX *context) {
    m->scout.tls_context = context;
}

void slot_map_open(struct slot_map *m) {
    uv_timer_start(&m->tick, on_tick, 0, 0);
}

static void part_closed(struct slot_map *m) {
    if (--m->open_parts == 0)
        m->on_closed(m);
}

static void on_timer_closed(uv_handle_t *timer) {
    part_closed(timer->data);
}

static void on_scout_closed(struct link *l) {
    part_closed(map_of(l));
}

void slot_map_close(struct slot_map *m, void (*on_closed)(struct slot_map *m)) {
    m->on_closed = on_closed;
    m->open_parts = 2;
    uv_close((uv_handle_t *)&m->tick, on_timer_closed);
    link_close(&m->scout, on_scout_closed);
}
