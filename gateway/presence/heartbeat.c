#include "gateway/presence/heartbeat.h"

#include "common/log.h"
#include "gateway/presence/user_lease.h"

#define SCORES_AT_ONCE 500
#define SCORES_APART   64 /* arguments of a script, when there are partitions */

/* --- silence --------------------------------------------------------------------------------
 */

void heartbeat_hold(struct registration *g) {
    const struct registry *r = registry_of(g);
    if (g->beating)
        wheel_set(r->wheel, &g->timer, g->heard + r->options->heartbeat_timeout);
}

void heartbeat_heard(struct registration *g, bool beats) {
    struct registry *r = registry_of(g);
    g->heard = leases_now(r->leases);
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
    if (g->beating && list_empty(&g->due))
        list_push(&r->beaten, &g->due);
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
    if (leases_now(r->leases) < due) {
        wheel_set(r->wheel, &g->timer, due);
        return;
    }
    LOG(LOG_DEBUG, "heartbeat_silent", "user",
        log_text("%.*s", (int)g->as.user.len, g->as.user.ptr), NULL);
    if (!g->waits)
        list_remove(&g->due);
    registry_want(g, false);
}

/* --- scores ---------------------------------------------------------------------------------
 */

static void on_scores(void *arg, const struct reply *reply, enum outcome outcome) {
    struct lease *l = arg;
    (void)outcome;
    if (reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_REAPED)
        lease_renew_incarnation(l);
}

/* The users of whom scores are to be written, apart for each partition. */
struct scores {
    const struct leases *leases;
    size_t room;                    /* arguments of a script, with the incarnation before */
    size_t counts[PARTITIONS_MOST]; /* of users that are noted */
    struct slice args[PARTITIONS_MOST * SCORES_APART];
};

static void scores_send(struct scores *s, struct lease *l) {
    char key[NODE_KEY_SIZE];
    struct slice name = node_key(l->incarnation, key);
    size_t *count = &s->counts[l->redis->index];
    struct slice *args = s->args + s->room * l->redis->index;
    args[0] = slice_of(l->incarnation);
    if (*count > 0)
        redis_script(l->redis, SCRIPT_beat, &name, 1, args, 1 + *count, on_scores, l);
    *count = 0;
}

static void scores_add(struct scores *s, const struct registration *g) {
    struct lease *l = lease_of_user(s->leases, g->as.user);
    size_t *count = &s->counts[l->redis->index];
    if (!l->held)
        return;
    s->args[s->room * l->redis->index + 1 + *count] = g->as.user;
    *count += 1;
    if (1 + *count == s->room)
        scores_send(s, l);
}

void heartbeat_scores(struct registry *r, uint64_t elapsed_ms) {
    struct scores s;
    s.leases = r->leases;
    s.room = r->leases->count == 1 ? SCORES_AT_ONCE + 1 : SCORES_APART;
    memset(s.counts, 0, sizeof s.counts);
    while (!list_empty(&r->beaten)) {
        struct registration *g = container_of(r->beaten.next, struct registration, due);
        list_remove(&g->due);
        scores_add(&s, g);
    }
    uint64_t share = 1 + r->all.count * elapsed_ms / r->options->score_interval;
    for (uint64_t i = 0; i < share && i < r->all.count; i++) {
        struct registration *g = registration_at(r->all.list.next);
        list_remove(&g->as.link);
        list_push(&r->all.list, &g->as.link);
        r->events->on_visited(r->owner, g);
        if (g->in && g->wanted && !g->beating)
            scores_add(&s, g);
    }
    for (unsigned i = 0; i < r->leases->count; i++)
        scores_send(&s, &r->leases->all[i]);
}
