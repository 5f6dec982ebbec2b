#include "gateway/redis/masters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/slots.h"

#define IDLE_MS   10000
#define AGAIN_MS  200   /* until the number of partitions is asked for again */
#define DENIED_MS 5000  /* until one is asked again for what it does not permit */
#define SLOTS_MS  30000 /* between two questions for CLUSTER SLOTS */

/* --- servers --------------------------------------------------------------------------------
 */

static struct server *find(const struct masters *m, const struct redis_place *at) {
    for (unsigned i = 0; i < m->count; i++) {
        const struct redis_address *a = &m->all[i]->address;
        if (a->port == at->port && strcmp(a->host, at->host) == 0)
            return m->all[i];
    }
    return NULL;
}

static struct server *add(struct masters *m, const struct redis_place *at) {
    struct server **grown = realloc(m->all, (m->count + 1) * sizeof(void *));
    if (grown != NULL)
        m->all = grown;
    struct server *s = grown != NULL && m->count < MASTERS_MOST ? malloc(sizeof *s) : NULL;
    if (s == NULL) {
        LOG(LOG_ERROR, "no_server", "addr", redis_place_text(at), "why", "out of memory", NULL);
        return NULL;
    }
    struct redis_address address = m->login;
    memcpy(address.host, at->host, sizeof at->host);
    address.port = at->port;
    server_init(s, m->loop, m->servers, &address, m->handlers, m->owner);
    server_use_tls(s, m->tls_context);
    m->all[m->count++] = s;
    server_open(s);
    return s;
}

static void tell_closed(struct masters *m) {
    if (m->on_closed != NULL && m->leaving == 0 && !m->map_open)
        m->on_closed(m);
}

static void on_server_closed(struct server *s, void *arg) {
    struct masters *m = arg;
    server_deinit(s);
    free(s);
    m->leaving--;
    tell_closed(m);
}

static void drop(struct masters *m, unsigned i) {
    struct server *s = m->all[i];
    m->all[i] = m->all[--m->count];
    m->leaving++;
    server_close(s, on_server_closed, m);
}

void masters_tidy(struct masters *m, bool (*in_use)(void *owner, const struct server *s)) {
    uint64_t now = uv_now(m->loop);
    for (unsigned i = m->count; i-- > 0;) {
        struct server *s = m->all[i];
        if (s == m->keeper || in_use(m->owner, s))
            s->idle_since = 0;
        else if (s->idle_since == 0)
            s->idle_since = now;
        if (s->idle_since == 0 || now - s->idle_since < IDLE_MS)
            continue;
        drop(m, i);
    }
}

/* --- the number of partitions ---------------------------------------------------------------
 */

static bool is_denied(const struct server *s) {
    return slice_is(redis_error_code(slice_of(s->error_text)), "NOPERM");
}

static void on_number(void *arg, const struct reply *reply, enum outcome outcome) {
    struct masters *m = arg;
    char ours[12];
    (void)outcome;
    m->asked = false;
    if (reply == NULL) { /* its slot is not served yet, for one */
        bool denied = m->keeper != NULL && is_denied(m->keeper);
        m->ask_at = uv_now(m->loop) + (denied ? DENIED_MS : AGAIN_MS);
        return;
    }
    struct slice theirs = reply_text(reply);
    if (m->agreed)
        return;
    snprintf(ours, sizeof ours, "%u", m->partitions);
    bool same = theirs.len == 0 || slice_is(theirs, ours);
    m->agreed = same;
    m->events->on_agreed(m->owner, same ? (struct slice){NULL, 0} : theirs);
}

/* Writes the number unless there is one, and answers the one that was there. */
static void ask_number(struct masters *m) {
    struct buf b;
    struct slice none = {NULL, 0};
    bool may = m->keeper != NULL && server_ready(m->keeper) && uv_now(m->loop) >= m->ask_at;
    if (m->agreed || m->asked || !may)
        return;
    buf_init(&b);
    buf_str(&b, "*5\r\n$3\r\nSET\r\n");
    resp_bulk(&b, slice_of(m->key));
    resp_bulk(&b, slice_of(log_text("%u", m->partitions)));
    buf_str(&b, "$2\r\nNX\r\n$3\r\nGET\r\n");
    m->asked = !b.failed && server_send(m->keeper, -1, 5, buf_bytes(&b), none, on_number, m);
    m->asked_at = uv_now(m->loop);
    buf_deinit(&b);
}

const char *masters_trouble(const struct masters *m) {
    if (m->agreed)
        return NULL;
    const char *why = m->keeper != NULL ? m->keeper->error_text : "";
    return log_text("the number of partitions (the key %s) was not told yet%s%s", m->key,
                    why[0] != '\0' ? ": " : "", why);
}

bool masters_ready(struct masters *m, struct server *s) {
    if (s == m->keeper)
        ask_number(m);
    return m->agreed;
}

/* --- the map --------------------------------------------------------------------------------
 */

static void on_master(void *owner, unsigned index, const struct redis_place *at) {
    struct masters *m = owner;
    struct server *s = find(m, at);
    if (s == NULL)
        s = add(m, at);
    if (s == NULL)
        return;
    if (index < m->partitions) {
        m->events->on_master(m->owner, index, s);
        return;
    }
    m->keeper = s;
    m->asked = false;
    ask_number(m);
}

struct map_question {
    struct masters *masters;
    struct redis_place from;
};

/* It is not asked again for a while, and others are: the scout, if all refuse. */
static void refused(struct masters *m, const struct redis_place *from) {
    struct server *s = find(m, from);
    if (s != NULL && s->commands.state == LINK_READY && is_denied(s))
        s->denied_at = uv_now(m->loop);
}

static void on_nodes(void *arg, const struct reply *reply, enum outcome outcome) {
    struct map_question *q = arg;
    struct masters *m = q->masters;
    (void)outcome;
    if (reply == NULL)
        refused(m, &q->from);
    else if (!slot_map_take(&m->map, reply->text, &q->from))
        LOG(LOG_WARN, "redis_scout", "addr", redis_place_text(&q->from), "why",
            "it is a node of another Cluster", NULL);
    free(q);
}

static void on_slots(void *arg, const struct reply *reply, enum outcome outcome) {
    struct masters *m = arg;
    (void)outcome;
    if (reply != NULL)
        slot_map_take_slots(&m->map, reply);
}

/* Which hosts the Cluster prefers changes only by hand. */
static void ask_slots(struct masters *m, struct server *s) {
    struct slice none = {NULL, 0};
    uint64_t now = uv_now(m->loop);
    if (m->slots_at != 0 && now - m->slots_at < SLOTS_MS)
        return;
    m->slots_at = now;
    server_send(s, -1, 2, SLICE(CLUSTER_SLOTS_QUESTION), none, on_slots, m);
}

static bool ask_one(struct masters *m, struct server *s) {
    struct slice none = {NULL, 0};
    bool may = s->denied_at == 0 || uv_now(m->loop) - s->denied_at >= DENIED_MS;
    struct map_question *q = may && server_ready(s) ? malloc(sizeof *q) : NULL;
    if (q == NULL)
        return false;
    ask_slots(m, s);
    *q = (struct map_question){.masters = m, .from.port = s->address.port};
    memcpy(q->from.host, s->address.host, sizeof q->from.host);
    if (server_send(s, -1, 2, SLICE(CLUSTER_NODES_QUESTION), none, on_nodes, q))
        return true;
    free(q);
    return false;
}

static unsigned ask(void *owner, bool all) {
    struct masters *m = owner;
    unsigned asked = 0;
    for (unsigned i = 0; i < m->count && (all || asked == 0); i++)
        asked += ask_one(m, m->all[m->turn++ % m->count]);
    return asked;
}

static const struct slot_map_events map_handlers = {.on_master = on_master, .ask = ask};

/* --- life -----------------------------------------------------------------------------------
 */

void masters_init(struct masters *m, uv_loop_t *loop, const struct masters_config *config,
                  const struct server_config *servers, const struct masters_events *events,
                  const struct server_events *handlers, void *owner) {
    struct slot_map_config map = {.seeds = config->seeds,
                                  .login = config->login,
                                  .node = servers->node,
                                  .timeout_ms = servers->timeout_ms,
                                  .backoff_ms = servers->backoff_ms};
    memset(m, 0, sizeof *m);
    m->loop = loop;
    m->servers = servers;
    m->events = events;
    m->handlers = handlers;
    m->owner = owner;
    m->login = *config->login;
    m->partitions = config->partitions;
    snprintf(m->key, sizeof m->key, "%spartitions", config->prefix);
    slot_map_init(&m->map, loop, &map, &map_handlers, m);
    m->map_open = true;
    for (unsigned i = 0; i < m->partitions; i++)
        slot_map_add(&m->map, slots_of_name(slice_of(slots_tag(i))));
    slot_map_add(&m->map, slots_of_name(slice_of(m->key)));
}

void masters_use_tls(struct masters *m, SSL_CTX *context) {
    m->tls_context = context;
    slot_map_use_tls(&m->map, context);
    for (unsigned i = 0; i < m->count; i++)
        server_use_tls(m->all[i], context);
}

void masters_open(struct masters *m) {
    slot_map_open(&m->map);
}

static void on_map_closed(struct slot_map *map) {
    struct masters *m = map->owner;
    m->map_open = false;
    tell_closed(m);
}

void masters_close(struct masters *m, void (*on_closed)(struct masters *m)) {
    m->on_closed = on_closed;
    slot_map_close(&m->map, on_map_closed);
    while (m->count > 0)
        drop(m, m->count - 1);
    m->keeper = NULL;
}

void masters_deinit(struct masters *m) {
    free(m->all);
}

void masters_flush(struct masters *m) {
    if (m->asked && uv_now(m->loop) - m->asked_at > m->servers->timeout_ms)
        server_reset(m->keeper, "the number of partitions is not told in time");
    ask_number(m);
    for (unsigned i = 0; i < m->count; i++)
        server_flush(m->all[i]);
    slot_map_flush(&m->map);
}
