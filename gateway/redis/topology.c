#include "gateway/redis/topology.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"

#define POLL_MS        5000
#define POLL_DOWN_MS   1000 /* while the master is not up */
#define TICK_MS        1000
#define ASK_AGAIN_MS   200 /* least time between two questions of doubt */
#define BEGIN_MS       500
#define BEGAN_AGAIN_MS 10000
#define HERALD_MS      1000  /* for how long an announced master that does not work is kept */
#define BEHIND_MS      10000 /* after a failover Sentinels differ for some seconds */

static const struct sentinel_events sentinel_handlers;

/* --- the Sentinels --------------------------------------------------------------------------
 */

static struct sentinel *add_sentinel(struct topology *t, const struct redis_place *at) {
    struct sentinel *s = t->count < SENTINELS_MOST ? malloc(sizeof *s) : NULL;
    if (s == NULL)
        return NULL;
    struct sentinel_config config = {.master = t->config.seeds.master,
                                     .name = t->name,
                                     .address = t->config.login,
                                     .timeout_ms = t->config.timeout_ms,
                                     .tls_context = t->tls_context};
    snprintf(config.address.host, sizeof config.address.host, "%s", at->host);
    config.address.port = at->port;
    sentinel_open(s, t->loop, &config, &sentinel_handlers, t);
    t->all[t->count++] = s;
    return s;
}

static void tell_closed(struct topology *t) {
    if (t->closing && t->leaving == 0 && t->open_parts == 0)
        t->on_closed(t);
}

static void on_sentinel_closed(struct sentinel *s) {
    struct topology *t = s->owner;
    free(s);
    t->leaving--;
    tell_closed(t);
}

static void drop_sentinel(struct topology *t, size_t i) {
    struct sentinel *s = t->all[i];
    t->all[i] = t->all[--t->count];
    if (t->herald == s)
        t->herald = NULL;
    t->leaving++;
    sentinel_close(s, on_sentinel_closed);
}

static bool is_peer(const struct sentinel *s, const struct sentinel_peer *p) {
    bool same_id = s->id[0] != '\0' && strcmp(s->id, p->id) == 0;
    return same_id ||
           (strcmp(s->address.host, p->place.host) == 0 && s->address.port == p->place.port);
}

static struct sentinel *find_peer(struct topology *t, const struct sentinel_peer *p) {
    for (size_t i = 0; i < t->count; i++) {
        if (is_peer(t->all[i], p))
            return t->all[i];
    }
    return NULL;
}

static void learn_peers(struct topology *t, const struct sentinel *from) {
    for (size_t i = 0; i < from->peer_count; i++) {
        const struct sentinel_peer *p = &from->peers[i];
        struct sentinel *s = find_peer(t, p) == NULL ? add_sentinel(t, &p->place) : NULL;
        if (s == NULL)
            continue;
        s->learnt = true;
        LOG(LOG_INFO, "sentinel_found", "addr", s->place, "by", from->place, NULL);
    }
}

static bool is_listed(struct topology *t, const struct sentinel *s) {
    for (size_t i = 0; i < t->count; i++) {
        const struct sentinel *other = t->all[i];
        for (size_t j = 0; other->fresh && j < other->peer_count; j++) {
            if (is_peer(s, &other->peers[j]))
                return true;
        }
    }
    return false;
}

static bool is_double(struct topology *t, const struct sentinel *s) {
    for (size_t i = 0; i < t->count; i++) {
        if (t->all[i] != s && s->id[0] != '\0' && strcmp(t->all[i]->id, s->id) == 0)
            return true;
    }
    return false;
}

/* Of those that were learnt: the ones that are gone and of whom nobody tells any more, and the
 * ones that the URL names as well, in another way. */
static void drop_peers(struct topology *t) {
    for (size_t i = t->count; i-- > 0;) {
        struct sentinel *s = t->all[i];
        if (s->learnt && (is_double(t, s) || (s->tried && !s->fresh && !is_listed(t, s))))
            drop_sentinel(t, i);
    }
}

size_t topology_known(const struct topology *t) {
    return t->count;
}

size_t topology_answering(const struct topology *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        n += t->all[i]->fresh && t->all[i]->known;
    return n;
}

unsigned topology_replicas(const struct topology *t) {
    unsigned most = 1;
    for (size_t i = 0; i < t->count; i++) {
        const struct sentinel *s = t->all[i];
        if (s->known && s->epoch >= t->epoch && s->replicas > most)
            most = s->replicas;
    }
    return most;
}

bool topology_holds_down(const struct topology *t) {
    for (size_t i = 0; i < t->count; i++) {
        const struct sentinel *s = t->all[i];
        if (s->fresh && s->known && s->down && s->epoch >= t->epoch)
            return true;
    }
    return false;
}

/* --- the decision ---------------------------------------------------------------------------
 */

static size_t votes(const struct topology *t, const struct sentinel *like) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct sentinel *s = t->all[i];
        n += s->fresh && s->known && s->epoch == like->epoch &&
             redis_place_same(&s->master, &like->master);
    }
    return n;
}

static bool is_better(const struct topology *t, const struct sentinel *a,
                      const struct sentinel *b) {
    if (b == NULL || a->epoch != b->epoch)
        return b == NULL || a->epoch > b->epoch;
    size_t for_a = votes(t, a), for_b = votes(t, b);
    return for_a != for_b ? for_a > for_b
                          : t->found && redis_place_same(&a->master, &t->master) &&
                                !redis_place_same(&b->master, &t->master);
}

static const struct sentinel *choose(const struct topology *t) {
    const struct sentinel *best = NULL;
    for (size_t i = 0; i < t->count; i++) {
        const struct sentinel *s = t->all[i];
        if (s->fresh && s->known && is_better(t, s, best))
            best = s;
    }
    return best;
}

/* epoch: NULL if it is not told yet. */
static void move(struct topology *t, const struct redis_place *to, const char *by,
                 const uint64_t *epoch) {
    LOG(t->found ? LOG_WARN : LOG_INFO, "redis_master", "name", t->config.seeds.master, "addr",
        redis_place_text(to), "was", t->found ? redis_place_text(&t->master) : NULL, "by", by,
        "epoch", epoch != NULL ? log_text("%llu", (unsigned long long)*epoch) : NULL, NULL);
    t->found = true;
    t->master = *to;
    t->events->on_master(t->owner, to, "the Sentinels name another master");
}

/* True if the first master may be named. Otherwise on_begin comes. */
static bool may_begin(struct topology *t) {
    bool all = true;
    for (size_t i = 0; i < t->count; i++)
        all = all && t->all[i]->tried;
    t->began = t->began || all;
    return t->began;
}

/* True if Sentinels were set up again, and their epochs with them. */
static bool is_new_reign(const struct topology *t) {
    bool away = t->down_since != 0 && uv_now(t->loop) - t->down_since >= BEGAN_AGAIN_MS;
    return away && 2 * topology_answering(t) > t->count;
}

static void settle(struct topology *t) {
    const struct sentinel *best = choose(t);
    if (t->closing || best == NULL || t->herald != NULL || (!t->found && !may_begin(t)))
        return;
    if (!t->found || best->epoch >= t->epoch) {
        t->confirmed = best->master;
        t->epoch = best->epoch;
    } else if (is_new_reign(t)) {
        LOG(LOG_WARN, "sentinels_began_again", "epoch",
            log_text("%llu", (unsigned long long)best->epoch), "was",
            log_text("%llu", (unsigned long long)t->epoch), NULL);
        t->confirmed = best->master;
        t->epoch = best->epoch;
    }
    if (!t->found || !redis_place_same(&t->confirmed, &t->master))
        move(t, &t->confirmed, best->place, &t->epoch);
}

static void on_begin(uv_timer_t *timer) {
    struct topology *t = timer->data;
    t->began = true;
    settle(t);
}

static void ask_all(struct topology *t, uint64_t least_ms) {
    for (size_t i = 0; i < t->count; i++) {
        if (uv_now(t->loop) - t->all[i]->asked_at >= least_ms)
            sentinel_ask(t->all[i]);
    }
}

/* --- what they tell -------------------------------------------------------------------------
 */

static void tell_behind(struct topology *t, struct sentinel *s) {
    uint64_t now = uv_now(t->loop);
    bool behind = s->known && t->found && s->epoch < t->epoch &&
                  !redis_place_same(&s->master, &t->master);
    if (!behind)
        s->behind_since = 0;
    else if (s->behind_since == 0)
        s->behind_since = now;
    if (!behind || s->behind_told || now - s->behind_since < BEHIND_MS) {
        s->behind_told = s->behind_told && behind;
        return;
    }
    s->behind_told = true;
    LOG(LOG_WARN, "sentinel_behind", "addr", s->place, "master", redis_place_text(&s->master),
        "epoch", log_text("%llu", (unsigned long long)s->epoch), "newest",
        log_text("%llu", (unsigned long long)t->epoch), NULL);
}

/* One that may not be asked for the epoch gets one: a new opinion is the newest. */
static void give_epoch(struct topology *t, struct sentinel *s) {
    if (!s->known || s->epoch_told)
        return;
    if (s->changed)
        s->epoch = t->epoch + 1;
    if (!s->no_epoch_told)
        LOG(LOG_WARN, "sentinel_tells_no_epoch", "addr", s->place, "why", s->questions.error,
            NULL);
    s->no_epoch_told = true;
}

static void on_answer(struct sentinel *s) {
    struct topology *t = s->owner;
    give_epoch(t, s);
    bool newer = s->known && s->epoch > t->epoch;
    if (t->herald != NULL && (newer || (t->herald == s && --t->herald_answers == 0)))
        t->herald = NULL;
    if (!t->began && !uv_is_active((uv_handle_t *)&t->begin))
        uv_timer_start(&t->begin, on_begin, BEGIN_MS, 0);
    learn_peers(t, s);
    settle(t);
    tell_behind(t, s);
    if (!s->known && !s->lost_told) {
        LOG(LOG_WARN, "sentinel_lost", "addr", s->place, "why", s->why, NULL);
        s->lost_told = true;
    }
}

static void on_switch(struct sentinel *s, const struct redis_place *from,
                      const struct redis_place *to) {
    struct topology *t = s->owner;
    if (t->found && redis_place_same(from, &t->master) && !redis_place_same(to, &t->master)) {
        t->herald = s;
        t->herald_answers = s->asked ? 2 : 1;
        t->herald_since = uv_now(t->loop);
        move(t, to, s->place, NULL);
    }
    ask_all(t, 0);
}

/* A Sentinel that is behind may lead a failover, too, but not for long. */
static void on_selected(struct sentinel *s) {
    struct topology *t = s->owner;
    if (t->found)
        t->events->on_failover(t->owner);
}

static void on_hint(struct sentinel *s) {
    sentinel_ask(s);
}

static void on_lost(struct sentinel *s) {
    struct topology *t = s->owner;
    if (t->herald == s)
        t->herald_answers = 1;
    settle(t);
}

static const struct sentinel_events sentinel_handlers = {.on_answer = on_answer,
                                                         .on_switch = on_switch,
                                                         .on_selected = on_selected,
                                                         .on_hint = on_hint,
                                                         .on_lost = on_lost};

static void on_tick(uv_timer_t *timer) {
    struct topology *t = timer->data;
    drop_peers(t);
    for (size_t i = 0; i < t->count; i++)
        sentinel_tick(t->all[i], t->down_since != 0 ? POLL_DOWN_MS : POLL_MS);
}

/* --- public ---------------------------------------------------------------------------------
 */

void topology_init(struct topology *t, uv_loop_t *loop, const struct topology_config *config,
                   const struct topology_events *events, void *owner) {
    memset(t, 0, sizeof *t);
    t->loop = loop;
    t->config = *config;
    t->events = events;
    t->owner = owner;
    snprintf(t->name, sizeof t->name, "sluice-%s-sentinel", config->node);
    uv_timer_init(loop, &t->tick);
    uv_timer_init(loop, &t->begin);
    t->tick.data = t->begin.data = t;
}

void topology_open(struct topology *t) {
    t->down_since = uv_now(t->loop);
    for (size_t i = 0; i < t->config.seeds.count; i++)
        add_sentinel(t, &t->config.seeds.all[i]);
    uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
}

void topology_use_tls(struct topology *t, SSL_CTX *context) {
    t->tls_context = context;
    for (size_t i = 0; i < t->count; i++)
        sentinel_use_tls(t->all[i], context);
}

static void on_timer_closed(uv_handle_t *timer) {
    struct topology *t = timer->data;
    t->open_parts--;
    tell_closed(t);
}

void topology_close(struct topology *t, void (*on_closed)(struct topology *t)) {
    t->closing = true;
    t->on_closed = on_closed;
    t->open_parts = 2;
    uv_close((uv_handle_t *)&t->tick, on_timer_closed);
    uv_close((uv_handle_t *)&t->begin, on_timer_closed);
    while (t->count > 0)
        drop_sentinel(t, t->count - 1);
}

void topology_settled(struct topology *t) {
    t->down_since = 0;
}

void topology_doubt(struct topology *t) {
    if (t->down_since == 0)
        t->down_since = uv_now(t->loop);
    if (t->herald != NULL && uv_now(t->loop) - t->herald_since >= HERALD_MS)
        t->herald = NULL;
    settle(t);
    ask_all(t, ASK_AGAIN_MS);
}

const char *topology_trouble(const struct topology *t) {
    if (t->found)
        return NULL;
    const struct sentinel *told =
        NULL; /* rather one that answers, if only that it knows none */
    for (size_t i = 0; i < t->count; i++) {
        const struct sentinel *s = t->all[i];
        if (s->why[0] != '\0' && (told == NULL || (s->fresh && !told->fresh)))
            told = s;
    }
    if (told == NULL)
        return "the Sentinels have not answered yet";
    return log_text("no Sentinel names the master \"%s\"; %s: %s", t->config.seeds.master,
                    told->place, told->why);
}

void topology_flush(struct topology *t) {
    for (size_t i = 0; i < t->count; i++)
        sentinel_flush(t->all[i]);
}
