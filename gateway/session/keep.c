#include "gateway/session/keep.h"

#include <stdlib.h>

#define KEEP_EVERY_MS 30000
#define KEEP_AT_ONCE  100
#define KEEP_A_TICK   2000 /* more than fall due in an interval of the lease */

/* Sessions of one partition. */
struct keeping {
    size_t count;
    struct client *clients[KEEP_AT_ONCE]; /* references */
};

static void kept(struct client *c, long long status) {
    struct session *s = c->session;
    if (c->as.gone || !s->stored || s->busy)
        return; /* a write under way will answer the same and more */
    if (status == SESSION_TAKEN) {
        session_taken(s);
    } else if (status == SESSION_NONE) {
        s->stored_term = 0;
        session_sync(s);
    }
}

static void on_kept(void *arg, const struct reply *reply, enum outcome outcome) {
    struct keeping *k = arg;
    (void)outcome;
    for (size_t i = 0; i < k->count; i++) {
        if (reply != NULL)
            kept(k->clients[i], reply_number(reply_item(reply, i + 1)));
        client_unref(k->clients[i]);
    }
    free(k);
}

static void keep_some(struct sessions *all, struct partition *p, struct keeping *k) {
    struct slice keys[KEEP_AT_ONCE], args[KEEP_AT_ONCE + 1];
    char names[KEEP_AT_ONCE][SESSION_KEY_SIZE], ids[KEEP_AT_ONCE][CLIENT_ID_SIZE];
    char ttl[DIGITS_SIZE];
    args[0] = session_ttl(all, ttl);
    for (size_t i = 0; i < k->count; i++) {
        keys[i] = session_key(k->clients[i]->session->pid, names[i]);
        args[i + 1] = client_id(k->clients[i], ids[i]);
        client_ref(k->clients[i]);
    }
    if (!redis_script(p, SCRIPT_keep, keys, k->count, args, k->count + 1, on_kept, k)) {
        for (size_t i = 0; i < k->count; i++)
            client_unref(k->clients[i]);
        free(k);
    }
}

/* The next session that is due, or NULL. A session that was written in another term is due at
 * once: Redis may have lost it, and refuses to recover it until it is written again. */
static struct session *next_due(struct sessions *all) {
    uint64_t now = leases_now(all->leases);
    if (list_empty(&all->kept))
        return NULL;
    struct session *s = container_of(all->kept.next, struct session, link);
    if (now == s->kept || (now - s->kept < KEEP_EVERY_MS && s->stored_term == session_term(s)))
        return NULL;
    s->kept = now;
    list_remove(&s->link);
    list_push(&all->kept, &s->link);
    return s;
}

void sessions_doubt(struct sessions *all, const struct partition *p) {
    for (struct list *at = all->kept.next; at != &all->kept; at = at->next) {
        struct session *s = container_of(at, struct session, link);
        if (s->home == p->index)
            s->stored_term = 0;
    }
}

/* Adds a session to those of its partition. False: no memory. */
static bool gather(struct session *s) {
    struct keeping **of = s->all->gathered;
    struct keeping *k = of[s->home];
    if (k == NULL)
        k = of[s->home] = calloc(1, sizeof *k);
    if (k == NULL)
        return false;
    k->clients[k->count++] = s->client;
    if (k->count == KEEP_AT_ONCE) {
        keep_some(s->all, session_redis(s), k);
        of[s->home] = NULL;
    }
    return true;
}

void sessions_keep(struct sessions *all) {
    bool room = true;
    for (unsigned i = 0; room && i < KEEP_A_TICK; i++) {
        struct session *s = next_due(all);
        if (s == NULL)
            break;
        if (s->stored_term != session_term(s))
            session_sync(s);
        else
            room = gather(s);
    }
    for (unsigned i = 0; i < all->redis->count; i++) {
        if (all->gathered[i] != NULL)
            keep_some(all, redis_at(all->redis, i), all->gathered[i]);
        all->gathered[i] = NULL;
    }
}
