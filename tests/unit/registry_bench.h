#ifndef SLUICE_TESTS_REGISTRY_BENCH_H
#define SLUICE_TESTS_REGISTRY_BENCH_H

#include "gateway/channel/hub.h"
#include "gateway/presence/registry.h"

/*
 * A registry with users above a fake Redis: programs with it link gateway/presence and what is
 * below it. Time is the loop's, which the test moves. The users' callbacks are told (told.h):
 * "ann:in bob:too-many ".
 */
#define LINGER 700   /* the option linger, of users that linger */
#define SILENT 4000  /* heartbeat-timeout */
#define SCORES 30000 /* score-interval */
#define TIME   1732155555000000ULL

extern uv_loop_t loop;
extern struct leases leases;
extern struct lease *lease; /* the only one */
extern struct registry registry;
extern struct wheel wheel;
extern struct options options;
extern struct hub hub;
extern unsigned freed; /* users */

struct user {
    struct registration g;
    struct entering login; /* that waits */
    bool visited;
};

/* The lease is there. In the end all users must be freed. */
int set_up(void **state);
int tear_down(void **state);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A connection that is logged in; it is in the registry. */
struct user *user_make(const char *name);
struct user *online(const char *name);
/* As client_gone does. */
void user_gone(struct user *u);
/* A login waits for the registry: it enters r first, and also s. */
void wait_for_it(struct user *u);
const char *name_of(const struct registration *g);

/* The oldest script must be this one, of this user. more: its last arguments. */
void assert_online(const struct user *u, const char *more);
void assert_out(const struct user *u, const char *script, const char *more);
void assert_offline(const struct user *u);
/* It must ask for a new incarnation's lease. */
void assert_lease(const char *former);
void answer_lease(void);

#endif
