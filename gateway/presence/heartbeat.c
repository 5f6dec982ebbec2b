#include "gateway/presence/heartbeat.h"

#include "common/log.h"

#define SCORES_AT_ONCE 500

/* --- silence --------------------------------------------------------------------------------
 */

void heartbeat_hold(struct registration *g) {
    const struct registry *r = registry_of(g);
    if (g->beating)
        wheel_set(r->wheel, &g->timer, g->heard + r->options->heartbeat_timeout);
}

void heartbeat_heard(struct registration *g, bool beats) {
    struct registry *r = registry_of(g);
    g->heard = lease_now(r->lease);
    bool first = beats && !g->beating;
    g->beating = g->beating || beats;
    if (!g->as.logged_in)
        return;
    if (first)
        heartbeat_hold(g);
    if (!g->wanted) {
        registry_want(g, true);
        heartbeat_hold(g);
    }
    if (g->beating && list_empty(&g->beat))
        list_push(&r->beaten, &g->beat);
}

void heartbeat_timer(struct registration *g) {
    struct registry *r = registry_of(g);
    if (g->as.gone) {
        registry_lingered(g);
        return;
    }
    uint64_t due = g->heard + r->options->heartbeat_timeout;
    if (!g->beating)
        return;
    if (lease_now(r->lease) < due) {
        wheel_set(r->wheel, &g->timer, due);
        return;
    }
    LOG(LOG_DEBUG, "heartbeat_silent", "user",
        log_text("%.*s", (int)g->as.user.len, g->as.user.ptr), NULL);
    list_remove(&g->beat);
    registry_want(g, false);
}

/* --- scores ---------------------------------------------------------------------------------
 */

static void on_scores(void *arg, const struct reply *reply, enum outcome outcome) {
    struct registry *r = arg;
    (void)outcome;
    if (reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_REAPED)
        lease_renew_incarnation(r->lease);
}

struct scores {
    struct slice args[SCORES_AT_ONCE + 1];
    size_t count;
};

static void scores_send(struct registry *r, struct scores *s) {
    char key[NODE_KEY_SIZE];
    struct slice name = node_key(r->lease->incarnation, key);
    if (s->count > 1)
        redis_script(r->redis, SCRIPT_beat, &name, 1, s->args, s->count, on_scores, r);
    s->count = 1;
}

static void scores_add(struct registry *r, struct scores *s, const struct registration *g) {
    s->args[s->count++] = g->as.user;
    if (s->count == SCORES_AT_ONCE + 1)
        scores_send(r, s);
}

void heartbeat_scores(struct registry *r, uint64_t elapsed_ms) {
    struct scores s = {.count = 1};
    s.args[0] = slice_of(r->lease->incarnation);
    while (!list_empty(&r->beaten)) {
        struct registration *g = container_of(r->beaten.next, struct registration, beat);
        list_remove(&g->beat);
        scores_add(r, &s, g);
    }
    uint64_t share = 1 + r->all.count * elapsed_ms / r->options->score_interval;
    for (uint64_t i = 0; i < share && i < r->all.count; i++) {
        struct registration *g = registration_at(r->all.list.next);
        list_remove(&g->as.link);
        list_push(&r->all.list, &g->as.link);
        r->events->on_visited(r->owner, g);
        if (g->in && g->wanted && !g->beating)
            scores_add(r, &s, g);
    }
    scores_send(r, &s);
}
