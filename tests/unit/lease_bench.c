#include "lease_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "told.h"
uv_loop_t loop;
struct leases leases;
struct lease *lease;
struct reaper reaper;
struct peers peers;
struct metrics metrics;
struct options options;
char first[INCARNATION_SIZE];

/* --- who hears of it ------------------------------------------------------------------------
 */

static void on_leased(struct lease *l) {
    (void)l;
    tell("leased ");
}
static void on_tick(void *owner) {
    (void)owner;
    tell("tick ");
}
static void on_seen(struct lease *l, struct slice incarnation, uint64_t number) {
    (void)l;
    tell("%.*s:%llu ", (int)incarnation.len, incarnation.ptr, (unsigned long long)number);
    peers_see(&peers, incarnation, number);
    reaper_see(&reaper, incarnation, number);
}
static void on_swept(struct lease *l) {
    (void)l;
    reaper_swept(&reaper);
    peers_sweep(&peers);
}
static void on_reaped(struct lease *l) {
    (void)l;
    tell("reaped ");
}

static void on_tide(struct lease *l, uint64_t time) {
    (void)l;
    tell("tide:%llu ", (unsigned long long)time);
}
static void on_hello(struct lease *l, struct slice incarnation) {
    (void)l;
    tell("hello:%.*s ", (int)incarnation.len, incarnation.ptr);
    peers_hello(&peers, incarnation);
}
static void on_clock_ahead(struct lease *l) {
    (void)l;
    tell("ahead ");
}
static size_t put_stats(struct lease *l, struct slice *args) {
    (void)l;
    args[0] = SLICE("name");
    args[1] = SLICE("n");
    return 2;
}
static const struct lease_events events = {.on_leased = on_leased,
                                           .on_tick = on_tick,
                                           .on_seen = on_seen,
                                           .on_swept = on_swept,
                                           .on_reaped = on_reaped,
                                           .on_tide = on_tide,
                                           .on_hello = on_hello,
                                           .on_clock_ahead = on_clock_ahead,
                                           .put_stats = put_stats};

static void on_met(void *owner, const char *name, const struct conn_address *at,
                   const char *key) {
    char text[CONN_ADDRESS_SIZE];
    (void)owner;
    conn_address_text(at, text);
    tell("met:%s@%s/%s ", name, text, key);
}
static void on_lost(void *owner, const char *name) {
    (void)owner;
    tell("lost:%s ", name);
}
static void on_ready(void *owner) {
    (void)owner;
}

/* --- what the test does ---------------------------------------------------------------------
 */

const char *bell_of(const char *incarnation) {
    static char name[NODE_KEY_SIZE + 16];
    snprintf(name, sizeof name, "sluice:{node:%s}", incarnation);
    return name;
}

/* The oldest script must be a lease in this mode: of the present incarnation. */
void assert_lease(const char *mode, const char *former) {
    assert_asked("lease node:%s | %s %s beacon %s %d name n", lease->incarnation,
                 lease->incarnation, mode, former, 4 * TIMEOUT);
}

/* An interval is over. The beacon comes, unless the test says otherwise. */
void tick(void) {
    loop.time += INTERVAL;
    leases.timer.timer_cb(&leases.timer);
}

/* An interval, whose answer names these leases. */
void renewed(const char *others) {
    tick();
    assert_lease("renew", "''");
    fake_ring(bell_of(lease->incarnation), "beacon");
    fake_answer("0 %llu %s %llu %s", TIME, lease->incarnation, (unsigned long long)loop.time,
                others);
}

int set_up(void **state) {
    (void)state;
    told_forget();
    memset(&metrics, 0, sizeof metrics);
    options = (struct options){.lease_interval = INTERVAL,
                               .lease_timeout = TIMEOUT,
                               .redis_timeout = 3000,
                               .linger = 700,
                               .disconnect_linger = 90};
    fake_begin();
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(leases_init(&leases, &loop, &fake.redis, &options, "n", &events, NULL), 0);
    lease = lease_first(&leases);
    reaper_init(&reaper, lease, &metrics);
    assert_true(peers_init(&peers, lease, NULL));
    peers.on_met = on_met;
    peers.on_lost = on_lost;
    peers.on_ready = on_ready;
    strcpy(first, lease->incarnation);
    lease_redis_up(lease);
    return 0;
}

/* It has its first lease. */
int set_up_leased(void **state) {
    set_up(state);
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
    assert_true(lease->held);
    told_forget();
    return 0;
}

int tear_down(void **state) {
    (void)state;
    lease->stopping = true;
    fake_fall();
    fake_fail_all();
    redis_unsubscribe(fake.redis.partitions, lease->beacon_bell);
    fake_end();
    leases_close(&leases, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    leases_deinit(&leases);
    reaper_deinit(&reaper);
    peers_deinit(&peers);
    return 0;
}
