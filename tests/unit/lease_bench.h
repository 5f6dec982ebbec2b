#ifndef SLUICE_TESTS_LEASE_BENCH_H
#define SLUICE_TESTS_LEASE_BENCH_H

#include "gateway/cluster/leases.h"
#include "gateway/cluster/peers.h"
#include "gateway/cluster/reaper.h"

/*
 * A lease, a reaper and the peers above a fake Redis: programs with it link gateway/cluster and
 * what is below it. Time is the loop's, which the test moves. The lease's events and the peers'
 * callbacks are told (told.h): "leased tick m.1:5 reaped hello:o.1 ahead met:... lost:...".
 */
#define INTERVAL 1000
#define TIMEOUT  5000
#define TIME     1732155555000000ULL /* Redis's, in microseconds */

extern uv_loop_t loop;
extern struct leases leases;
extern struct lease *lease; /* the only one */
extern struct reaper reaper;
extern struct peers peers;
extern struct metrics metrics;
extern struct options options;
extern char first[INCARNATION_SIZE]; /* its first incarnation */

/* Redis is up. The first lease is asked for, or was given. */
int set_up(void **state);
int set_up_leased(void **state);
int tear_down(void **state);
#define NEW(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_leased, tear_down)

const char *bell_of(const char *incarnation);
/* The oldest script must be a lease in this mode: of the present incarnation. */
void assert_lease(const char *mode, const char *former);
/* An interval is over. */
void tick(void);
/* The same, with its beacon and its answer, which names these leases: "m.1 7 o.1 0". */
void renewed(const char *others);

#endif
