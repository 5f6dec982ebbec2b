#include "gateway/client/life.h"

#include "common/random.h"
#include "gateway/client/bearer.h"
#include "gateway/client/early.h"
#include "gateway/client/goodbye.h"
#include "gateway/client/request.h"
#include "gateway/client/welcome.h"
#include "gateway/presence/heartbeat.h"
#include "gateway/presence/sockets.h"

/* How long a login that is under way at the deadline may take. */
#define LOGIN_GRACE_MS 5000

/* --- all clients ----------------------------------------------------------------------------
 */

void clients_init(struct clients *all, struct slabs *slabs, struct hub *hub,
                  struct leases *leases, const struct options *options, struct metrics *metrics,
                  const struct registry_events *events, void *owner) {
    subscribers_init(&all->registry.all, slabs, (uint32_t)random_u64());
    registry_init(&all->registry, leases, options, &all->wheel, events, owner);
    wheel_init(&all->wheel, leases_now(leases));
    wheel_init(&all->expiries, leases_now(leases));
    holders_init(&all->holders);
    all->slabs = slabs;
    all->hub = all->registry.hub = hub;
    all->leases = leases;
    all->redis = leases->redis;
    all->options = all->chunks.options = options;
    all->metrics = metrics;
}

/* The deadline of the login has come. A client that always has a login under way has no more
 * time than others. */
static void login_is_late(struct client *c) {
    struct clients *all = clients_of(c);
    if (c->current != NULL && !c->late) {
        c->late = true;
        wheel_set(&all->wheel, &c->presence.timer, client_now(c) + LOGIN_GRACE_MS);
        return;
    }
    metric_limited(all->metrics, LIMIT_LOGIN_DEADLINE);
    client_close(c, 4408, "login deadline");
}

static void on_timer(void *owner, struct wheel_timer *t) {
    struct client *c = container_of(t, struct client, presence.timer);
    (void)owner;
    client_ref(c);
    if (c->as.gone || c->as.logged_in)
        heartbeat_timer(&c->presence);
    else if (!early_timer(c) && !c->as.gone)
        login_is_late(c);
    client_unref(c);
}

void clients_tick(struct clients *all, uint64_t now) {
    wheel_run(&all->wheel, now, on_timer, all);
    wheel_run(&all->expiries, now, bearer_timer, all);
}

/* --- one client -----------------------------------------------------------------------------
 */

void client_open(struct client *c, struct clients *all, const struct door *door) {
    uint64_t deadline = all->login_deadline;
    subscriber_init(&c->as, &door->as, &all->registry.all);
    registration_init(&c->presence);
    c->presence.heard = client_now(c);
    if (deadline != 0)
        wheel_set(&all->wheel, &c->presence.timer, c->presence.heard + deadline);
}

void client_gone(struct client *c) {
    struct clients *all = clients_of(c);
    goodbye_gone(c);
    c->as.gone = true;
    c->as.catching = NULL;
    if (c->backlog != NULL)
        waiting_drop(&c->backlog->waiting, &all->waiting_bytes);
    while (!list_empty(&c->as.subs))
        sub_drop(container_of(c->as.subs.next, struct sub, in_subscriber));
    requests_abandon(c);
    chunks_free(c->chunks);
    c->chunks = NULL;
    early_free(c);
    bearer_gone(c);
    welcome_free(c->welcome);
    c->welcome = NULL;
    if (c->as.found)
        sockets_leave(all->sockets, &c->as);
    list_remove(&c->as.link);
    wheel_clear(&all->wheel, &c->presence.timer);
    all->registry.all.count--;
    all->user_count -= c->as.logged_in;
    registry_leave(&c->presence);
    client_unref(c);
}
