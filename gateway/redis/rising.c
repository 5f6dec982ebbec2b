#include "gateway/redis/rising.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/random.h"

/* --- old connections ------------------------------------------------------------------------
 */

static void on_killed(void *arg, const struct reply *reply, enum outcome outcome) {
    struct rising *r = arg;
    if (reply != NULL || outcome == OUTCOME_NONE || r->commands->state != LINK_READY)
        return;
    if (!r->kill_warned)
        LOG(LOG_WARN, "redis_client_kill", "why",
            "Redis refuses CLIENT KILL: late commands of a fallen link may arrive after newer "
            "ones",
            NULL);
    r->kill_warned = true;
}

static void end_orphans(struct rising *r, const char *run) {
    for (size_t i = 0; i < r->orphans.count && r->commands->state == LINK_READY; i++) {
        const struct orphan *o = &r->orphans.all[i];
        char id[24];
        if (strcmp(o->run, run) != 0)
            continue;
        int len = snprintf(id, sizeof id, "%llu", (unsigned long long)o->id);
        struct buf command;
        struct slice none = {NULL, 0};
        buf_init(&command);
        buf_str(&command, "*4\r\n$6\r\nCLIENT\r\n$4\r\nKILL\r\n$2\r\nID\r\n");
        resp_bulk(&command, (struct slice){id, (size_t)len});
        bool sent = !command.failed &&
                    link_send(r->commands, -1, 4, buf_bytes(&command), none, on_killed, r);
        buf_deinit(&command);
        if (!sent)
            r->events->on_failed(r->owner, "out of memory");
    }
}

/* --- the term -------------------------------------------------------------------------------
 */

/* True when both links can be used. A subscriber link that has heard nothing yet may still be
 * refused. Resets both if they lead to different servers. */
static bool both_ready(struct rising *r) {
    const struct greeting *a = &r->commands->greeting, *b = &r->subscriber->greeting;
    bool hears = r->subscriber->state == LINK_READY && r->subscriber->proved;
    if (r->commands->state != LINK_READY || !hears)
        return false;
    bool same = strcmp(a->run, b->run) == 0 && strcmp(a->replid, b->replid) == 0;
    if (!same)
        r->events->on_failed(r->owner, "the two links lead to different servers");
    return same;
}

static void on_term(void *arg, const struct reply *reply, enum outcome outcome) {
    struct rising *r = arg;
    struct slice term = reply_text(reply_item(reply, 1));
    (void)outcome;
    r->asked = false;
    if (reply == NULL || term.len == 0 || term.len >= TERM_SIZE) {
        if (r->commands->state == LINK_READY)
            r->events->on_failed(r->owner, "the term was not told");
        return;
    }
    if (!both_ready(r))
        return; /* the subscriber link fell meanwhile */
    orphans_forget(&r->orphans, r->commands->greeting.run); /* every kill was answered */
    r->stale = false;
    r->events->on_risen(r->owner, term);
}

/* A server that tells neither run_id nor replid counts as another server with each link. Then
 * the first node that greets it raises the term, and the other nodes, whose links did not fall,
 * take the new term over. */
static bool ask_term(struct rising *r) {
    const struct greeting *g = &r->commands->greeting;
    char made[24];
    bool known = g->run[0] != '\0' || g->replid[0] != '\0';
    snprintf(made, sizeof made, "link-%016llx", (unsigned long long)random_u64());
    struct slice args[] = {known ? slice_of(g->run) : slice_of(made), slice_of(g->replid),
                           r->stale && !known ? SLICE("1") : SLICE("0")};
    return r->events->ask_term(r->owner, args, on_term, r);
}

void rising_check(struct rising *r) {
    if (r->asked || !both_ready(r))
        return;
    end_orphans(r, r->commands->greeting.run);
    r->asked = r->commands->state == LINK_READY && ask_term(r);
    r->since = uv_now(r->commands->loop);
    if (!r->asked)
        r->events->on_failed(r->owner, "out of memory");
}

void rising_fell(struct rising *r, struct link *l) {
    orphans_add(&r->orphans, l->greeting.run, l->greeting.id);
    l->greeting.id = 0;
}

void rising_watch(struct rising *r) {
    uint64_t now = uv_now(r->commands->loop);
    if (!r->asked || now - r->since <= r->timeout_ms)
        return;
    r->asked = false;
    r->events->on_failed(r->owner, "the term is not told in time");
}
