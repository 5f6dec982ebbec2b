#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/presence/membership.h"
#include "registry_bench.h"
#include "told.h"

/* Rooms that users have left by another connection, above a fake Redis. */

static void on_checked(void *arg, struct sub *sub, enum check_result result,
                       const struct position *now) {
    (void)now;
    assert_int_equal(result, CHECK_GOOD);
    if (arg != NULL)
        sub_start(sub);
}

static struct sub *subscribe(struct user *u, bool start) {
    struct position none = {.epoch = ""};
    return hub_subscribe(&hub, &u->g.as, SLICE("room:r"), &none, on_checked, start ? u : NULL);
}

static void answer_read(void) {
    fake_answer("0 e 3 3 %llu [ ]", TIME);
}

static struct sub *enter(struct user *u, bool start) {
    bool first = !fake_subscribed("sluice:{room:r}");
    struct sub *sub = subscribe(u, start);
    if (first)
        fake_confirm("sluice:{room:r}");
    answer_read();
    assert_nothing_asked();
    return sub;
}

static void enters_a_room(void **state) {
    (void)state;
    struct user *ann = online("ann");
    struct sub *sub = enter(ann, true);
    assert_true(
        membership_enter(&leases, &ann->g.as, sub->channel, MEMBER_ANNOUNCED, NULL, NULL));
    assert_asked("enter user:ann room:r | ann r %s 1", lease->incarnation);
}

static void one_who_left_elsewhere_leaves_here_too(void **state) {
    (void)state;
    struct user *ann = online("ann"), *bob = online("bob");
    struct channel *ch = enter(ann, true)->channel;
    enter(bob, true);
    membership_left(&leases, ch, SLICE("ann"));
    assert_asked("member room:r | ann");
    assert_int_equal(fake.pending, 1);
    fake_answer("-1");
    assert_told("ann:userLeft{\"room\":\"r\",\"userId\":\"ann\"} ");
    assert_null(sub_find(&ann->g.as, SLICE("room:r")));
    assert_non_null(sub_find(&bob->g.as, SLICE("room:r")));
}

static void one_who_has_joined_again_stays(void **state) {
    (void)state;
    struct user *ann = online("ann"), *bob = online("bob");
    struct sub *sub = enter(ann, true);
    struct channel *ch = sub->channel;
    enter(bob, true); /* who keeps the channel */
    membership_left(&leases, ch, SLICE("ann"));
    fake_answer("0");
    assert_ptr_equal(sub_find(&ann->g.as, SLICE("room:r")), sub);
    membership_left(&leases, ch, SLICE("ann"));
    sub_drop(sub);
    sub = subscribe(ann, true); /* a later one, which the question was not about */
    fake_answer("-1");
    answer_read();
    assert_told_nothing();
    assert_false(sub->recheck);
    assert_ptr_equal(sub_find(&ann->g.as, SLICE("room:r")), sub);
}

static void a_sub_that_a_login_owns_is_looked_at_when_it_has_started(void **state) {
    (void)state;
    struct user *ann = online("ann");
    struct sub *sub = enter(ann, false);
    membership_left(&leases, sub->channel, SLICE("ann"));
    fake_answer("-1");
    assert_told_nothing();
    sub_start(sub);
    membership_recheck(&leases, sub);
    assert_asked("member room:r | ann");
    fake_answer("-1");
    assert_told("ann:userLeft{\"room\":\"r\",\"userId\":\"ann\"} ");
    assert_null(sub_find(&ann->g.as, SLICE("room:r")));
}

static void memberships_are_made_again_with_the_registration(void **state) {
    (void)state;
    struct user *ann = online("ann");
    enter(ann, true);
    lease_renew_incarnation(lease);
    answer_lease();
    assert_online(ann, "''");
    assert_int_equal(fake.pending, 2);
    fake_answer("0");
    assert_asked("enter user:ann room:r | ann r %s 2", lease->incarnation);
    fake_answer("-1"); /* the user has left by another connection */
    assert_told("ann:in ann:userLeft{\"room\":\"r\",\"userId\":\"ann\"} ");
}

#define MANY 70

static int set_up_split(void **state) {
    set_up(state);
    fake_split(2);
    return 0;
}

/* The room is in partition 1, its users are in partition 0. */
static void memberships_of_a_room_are_made_again_some_at_a_time(void **state) {
    struct renewals renewals;
    struct user *users[MANY];
    struct position none = {.epoch = ""};
    (void)state;
    renewals_init(&renewals, &leases);
    for (unsigned i = 0; i < MANY; i++) {
        users[i] = user_make(fake_format("u%ux", i));
        hub_subscribe(&hub, &users[i]->g.as, SLICE("room:r1"), &none, on_checked, users[i]);
        if (i == 0)
            fake_confirm("sluice:{room:r1}");
        answer_read();
    }
    assert_nothing_asked();
    membership_renew_rooms(&renewals, &hub, &fake.redis.partitions[1]);
    assert_int_equal(fake.pending, 64);
    told_forget();
    fake_answer("-1"); /* the first user has left by another connection */
    assert_told("u0x:userLeft{\"room\":\"r1\",\"userId\":\"u0x\"} ");
    assert_int_equal(fake.pending, 64);
    user_gone(users[MANY - 1]);
    for (unsigned i = 0; i < 5; i++)
        fake_answer("-1");
    assert_int_equal(fake.pending, 63); /* nobody asks for one who is gone */
    while (fake.pending > 0)
        fake_answer("-1");
    assert_int_equal(renewals.under_way, 0);
    assert_null(renewals.all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(enters_a_room),
        CASE(one_who_left_elsewhere_leaves_here_too),
        CASE(one_who_has_joined_again_stays),
        CASE(a_sub_that_a_login_owns_is_looked_at_when_it_has_started),
        CASE(memberships_are_made_again_with_the_registration),
        cmocka_unit_test_setup_teardown(memberships_of_a_room_are_made_again_some_at_a_time,
                                        set_up_split, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
