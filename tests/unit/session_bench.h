#ifndef SLUICE_TESTS_SESSION_BENCH_H
#define SLUICE_TESTS_SESSION_BENCH_H

#include "gateway/session/session.h"

/*
 * A client that may be recovered, above a fake Redis: programs with it link gateway/session and
 * what is below it. Time is the loop's, which the test moves. Messages are told (told.h) as
 * "seq:offset ", and whether it was saved.
 */
#define NAME     "nnnnnnnnnnnnnnnnnnnn"
#define RECOVERY 120000
#define TTL      "180000" /* how long it is kept, in ms */

extern uv_loop_t loop;
extern struct leases leases;
extern struct lease *lease; /* the only one */
extern struct sessions sessions;
extern struct hub hub;
extern unsigned freed; /* clients */
extern struct client *ann;

/* ann is connected. The tear-down checks that all clients are freed. set_up_apart: Redis has
 * three partitions; the last digit of a name says its partition (fake_redis.h). */
int set_up(void **state);
int set_up_apart(void **state);
int tear_down(void **state);
#define CASE(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_APART(name) cmocka_unit_test_setup_teardown(name, set_up_apart, tear_down)

/* A client of the user ann. */
struct client *client_make(void);
/* Asks to enter a channel, from a seq if that is not 0; the log is not asked for yet. */
struct sub *subscribe(const char *channel, unsigned seq);
/* Enters a channel whose log is in the epoch a, and ends at 5 with the time 100. */
struct sub *enter(const char *channel);
/* A message; ring: its doorbell. */
const char *frame(const char *channel, unsigned seq, unsigned time);
void ring(const char *channel, unsigned seq, unsigned time);
const char *bell_of(const char *channel);

/* Saves ann's session. */
void save(struct sub *room);
/* The oldest script must be of ann's session: verb, then what follows the incarnation. */
void assert_session(const char *verb, const char *more);
/* The text after the incarnation when the whole session is written. */
const char *whole_of(const char *room, const char *channels);
#define assert_whole(room, channels) assert_session("put", whole_of(room, channels))

#endif
