#include "registry_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "told.h"
uv_loop_t loop;
struct leases leases;
struct lease *lease;
struct registry registry;
struct wheel wheel;
struct options options;
struct hub hub;
static struct slabs slabs;
static struct metrics metrics;
unsigned freed;

/* --- users ----------------------------------------------------------------------------------
 */

static struct user *user_of(const struct registration *g) {
    return container_of(g, struct user, g);
}
const char *name_of(const struct registration *g) {
    return g->as.user.ptr;
}

static void on_deliver(struct subscriber *s, struct message *m) {
    char text[128];
    snprintf(text, sizeof text, "%.*s%.*s", (int)m->event.len, m->event.ptr, (int)m->data.len,
             m->data.ptr);
    tell("%s:%s ", s->user.ptr, text);
}
static size_t on_queued(const struct subscriber *s) {
    (void)s;
    return 0;
}
static void on_want_drained(struct subscriber *s) {
    (void)s;
}
static void on_address(const struct subscriber *s, char *out, size_t size) {
    (void)s;
    snprintf(out, size, "1.2.3.4:5");
}
static void on_free(struct subscriber *s) {
    struct user *u = user_of(registration_of(s));
    freed++;
    free((char *)s->user.ptr);
    free(u->g.profile);
    free(u);
}
static const struct subscriber_ops ops = {.name = "door",
                                          .deliver = on_deliver,
                                          .queued = on_queued,
                                          .want_drained = on_want_drained,
                                          .address = on_address,
                                          .free = on_free};

/* A connection that is logged in. */
struct user *user_make(const char *name) {
    struct user *u = calloc(1, sizeof *u);
    subscriber_init(&u->g.as, &ops, &registry.all);
    registration_init(&u->g);
    u->g.as.user = slice_of(strdup(name));
    u->g.as.logged_in = true;
    u->g.heard = loop.time;
    return u;
}

/* As client_gone does. */
void user_gone(struct user *u) {
    u->g.as.gone = true;
    while (!list_empty(&u->g.as.subs))
        sub_drop(container_of(u->g.as.subs.next, struct sub, in_subscriber));
    list_remove(&u->g.as.link);
    wheel_clear(&wheel, &u->g.timer);
    registry.all.count--;
    registry_leave(&u->g);
    subscriber_unref(&u->g.as);
}

static size_t two_rooms(const struct entering *e, struct slice *out) {
    (void)e;
    if (out != NULL) {
        out[0] = SLICE("r");
        out[1] = SLICE("s");
    }
    return 2;
}

static void on_done(struct registration *g, enum entered how) {
    static const char *const names[] = {"entered", "too-many", "full", "revoked", "not"};
    assert_null(g->entering);
    tell("%s:%s ", name_of(g), names[how]);
}

void wait_for_it(struct user *u) {
    u->login = (struct entering){.room = SLICE("r"), .rooms = two_rooms, .done = on_done};
    registry_await(&u->g, &u->login);
}

/* --- what is sent ---------------------------------------------------------------------------
 */

/* The keys of the rooms that a login enters: more has the first one, and then all. */
static void put_rooms(char out[64], const char *more) {
    char words[64];
    size_t len = 0;
    snprintf(words, sizeof words, "%s", more);
    strtok(words, " ");
    out[0] = '\0';
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " "))
        len += (size_t)snprintf(out + len, 64 - len, " room:%s", word);
}

void assert_online(const struct user *u, const char *more) {
    char id[CLIENT_ID_SIZE];
    const char *name = name_of(&u->g);
    struct slice own = subscriber_id(&u->g.as, id);
    char rooms[64];
    put_rooms(rooms, more);
    assert_asked("online user:%s node:%s%s | %s %.*s %s 1.2.3.4:5 door %s user - 0 %s", name,
                 lease->incarnation, rooms, name, (int)own.len, own.ptr, lease->incarnation,
                 name, more);
}

void assert_out(const struct user *u, const char *script, const char *more) {
    char id[CLIENT_ID_SIZE];
    const char *name = name_of(&u->g);
    struct slice own = subscriber_id(&u->g.as, id);
    assert_asked("%s user:%s node:%s | %s %.*s %s%s", script, name, lease->incarnation, name,
                 (int)own.len, own.ptr, lease->incarnation, more);
}

void assert_offline(const struct user *u) {
    assert_out(u, "offline", "");
}

void assert_lease(const char *former) {
    assert_asked("lease node:%s | %s new beacon %s 20000", lease->incarnation,
                 lease->incarnation, former);
}

void answer_lease(void) {
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
}

struct user *online(const char *name) {
    struct user *u = user_make(name);
    registry_want(&u->g, true);
    fake_answer("0");
    assert_true(u->g.in);
    told_forget();
    return u;
}

/* --- the room -------------------------------------------------------------------------------
 */

static void on_leased(struct lease *l) {
    registry_reenter(&registry, l);
}
static void on_tick(void *owner) {
    (void)owner;
    registry_pump(&registry);
}
static void on_number(struct lease *l, struct slice incarnation, uint64_t number) {
    (void)l, (void)incarnation, (void)number;
}
static void on_hello(struct lease *l, struct slice incarnation) {
    (void)l, (void)incarnation;
}
static void on_nothing(struct lease *l) {
    (void)l;
}
static size_t put_stats(struct lease *l, struct slice *args) {
    (void)l, (void)args;
    return 0;
}
static const struct lease_events lease_events = {.on_leased = on_leased,
                                                 .on_tick = on_tick,
                                                 .on_seen = on_number,
                                                 .on_swept = on_nothing,
                                                 .on_hello = on_hello,
                                                 .on_clock_ahead = on_nothing,
                                                 .put_stats = put_stats};

static void on_registered(void *owner, struct registration *g) {
    (void)owner;
    tell("%s:in ", name_of(g));
}
static void on_visited(void *owner, struct registration *g) {
    (void)owner;
    user_of(g)->visited = true;
}
static void on_revoked(void *owner, struct registration *g) {
    (void)owner;
    tell("%s:no-good ", name_of(g));
}
static struct slice issued(void *owner, const struct registration *g, char out[DIGITS_SIZE]) {
    (void)owner, (void)g, (void)out;
    return SLICE("-");
}
static const struct registry_events events = {.on_registered = on_registered,
                                              .on_visited = on_visited,
                                              .on_revoked = on_revoked,
                                              .issued = issued};

static void on_channel(void *owner, struct channel *ch) {
    (void)owner, (void)ch;
}
static void on_subscriber(void *owner, struct subscriber *s) {
    (void)owner, (void)s;
}
static void on_sub_entered(void *owner, struct sub *sub, const struct position *floor,
                           uint64_t clock, bool resumed) {
    (void)owner, (void)sub, (void)floor, (void)clock, (void)resumed;
}
static void on_sub(void *owner, struct sub *sub) {
    (void)owner, (void)sub;
}
static const struct hub_events hub_events = {.on_free = on_channel,
                                             .on_healed = on_channel,
                                             .on_entering = on_subscriber,
                                             .on_entered = on_sub_entered,
                                             .on_made = on_subscriber,
                                             .on_dropped = on_sub};

int set_up(void **state) {
    (void)state;
    told_forget();
    freed = 0;
    options = (struct options){.lease_interval = 1000,
                               .lease_timeout = 5000,
                               .redis_timeout = 3000,
                               .score_interval = SCORES,
                               .heartbeat_timeout = SILENT};
    fake_begin();
    assert_int_equal(uv_loop_init(&loop), 0);
    wheel_init(&wheel, uv_now(&loop));
    assert_int_equal(
        hub_init(&hub, &loop, &fake.redis, &slabs, 1048576, &metrics, &hub_events, NULL), 0);
    assert_int_equal(
        leases_init(&leases, &loop, &fake.redis, &options, "n", &lease_events, NULL), 0);
    lease = lease_first(&leases);
    registry = (struct registry){.draining = false};
    subscribers_init(&registry.all, &slabs, 1);
    registry_init(&registry, &leases, &options, &wheel, &events, NULL);
    lease_redis_up(lease);
    answer_lease();
    return 0;
}

/* All users that are left go, and all must be freed. */
int tear_down(void **state) {
    (void)state;
    lease->stopping = true;
    fake_fall();
    while (!list_empty(&registry.all.list))
        user_gone(user_of(registration_at(registry.all.list.next)));
    fake_fail_all();
    registry_close(&registry);
    assert_int_equal(freed, registry.all.last);
    redis_unsubscribe(fake.redis.partitions, lease->beacon_bell);
    fake_end();
    hub_close(&hub, NULL);
    leases_close(&leases, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    lease = lease_first(&leases);
    leases_deinit(&leases);
    hub_deinit(&hub);
    slabs_deinit(&slabs);
    return 0;
}
