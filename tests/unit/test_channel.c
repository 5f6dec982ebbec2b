#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "gateway/channel/heal.h"
#include "gateway/channel/hub.h"

/* Channels above a fake Redis: this program links gateway/channel and what is below it. */

#define BELL "sluice:{room:r}"

static struct hub hub;

/* --- the log --------------------------------------------------------------------------------
 */

static const char *frame(char out[160], const char *epoch, unsigned seq) {
    snprintf(out, 160,
             "{\"channel\":\"room:r\",\"epoch\":\"%s\",\"seq\":%u,\"time\":1732155555123456,"
             "\"event\":\"e\",\"data\":%u}",
             epoch, seq, seq);
    return out;
}

static void ring(const char *epoch, unsigned seq) {
    char bytes[160];
    fake_ring(BELL, frame(bytes, epoch, seq));
}

/* The next read must be this one: a position, how many entries, and the lineage. */
static void assert_read(const char *args) {
    int three = 0;
    sscanf(args, "%*s %*s %*s%n", &three);
    assert_asked("read room:r | %.*s %s%s", three, args, hub.page_bytes, args + three);
}

/* Answers the oldest read: the log is in `epoch` and ends at `last`; from `from` on there are
 * entries in epochs that a letter each tells, as in "aab". forks: as in "a 3 b 5". */
struct answer {
    int status;
    const char *epoch;
    unsigned last, from;
    const char *entries;
    const char *forks;
};

static void answer(struct answer a) {
    char entries[8 * 161] = "", bytes[160];
    unsigned seq = a.from;
    for (const char *e = a.entries; e != NULL && *e != '\0'; e++) {
        const char epoch[] = {*e, '\0'};
        strcat(strcat(entries, " "), frame(bytes, epoch, ++seq));
    }
    fake_answer("%d %s %u %u 1732155555123456 [ %s ]%s", a.status, a.epoch, a.last, a.from,
                a.forks != NULL ? a.forks : "", entries);
}

/* --- subscribers ----------------------------------------------------------------------------
 */

struct listener {
    struct subscriber as;
    char heard[512]; /* "1 2 reset:3-4 " */
    size_t queued;
    bool wants_drained;
    bool started;
    enum check_result result;
    struct sub *sub;
};

static struct listener *listener_of(const struct subscriber *s) {
    return container_of(s, struct listener, as);
}

static void on_deliver(struct subscriber *s, struct message *m) {
    struct listener *l = listener_of(s);
    size_t len = strlen(l->heard);
    unsigned from = 0, to = 0;
    if (slice_is(m->event, "channel_reset")) {
        const char *at = memmem(m->data.ptr, m->data.len, "\"from\"", 6);
        assert_int_equal(sscanf(at, "\"from\":%u,\"to\":%u}", &from, &to), 2);
        snprintf(l->heard + len, sizeof l->heard - len, "reset:%u-%u ", from, to);
        return;
    }
    snprintf(l->heard + len, sizeof l->heard - len, "%.*s%llu ", (int)m->epoch.len,
             m->epoch.ptr, (unsigned long long)m->seq);
}

static size_t on_queued(const struct subscriber *s) {
    return listener_of(s)->queued;
}

static void on_want_drained(struct subscriber *s) {
    listener_of(s)->wants_drained = true;
}

static const struct subscriber_ops ops = {.name = "test",
                                          .deliver = on_deliver,
                                          .queued = on_queued,
                                          .want_drained = on_want_drained};

static void on_checked(void *arg, struct sub *sub, enum check_result result,
                       const struct position *now) {
    struct listener *l = arg;
    (void)now;
    l->result = result;
    l->sub = sub;
    if (result == CHECK_FAILED)
        return;
    l->started = true;
    sub_start(sub);
}

static enum audience on_room_event(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip) {
    (void)owner, (void)ch, (void)m, (void)skip;
    return AUDIENCE_STARTED;
}
static void on_channel(void *owner, struct channel *ch) {
    (void)owner, (void)ch;
}
static void on_subscriber(void *owner, struct subscriber *s) {
    (void)owner, (void)s;
}
static void on_entered(void *owner, struct sub *sub, const struct position *floor,
                       uint64_t clock, bool resumed) {
    (void)owner, (void)sub, (void)floor, (void)clock, (void)resumed;
}
static void on_reset(void *owner, struct sub *sub, struct slice epoch, uint64_t from) {
    (void)owner, (void)sub, (void)epoch, (void)from;
}
static void on_sub(void *owner, struct sub *sub) {
    (void)owner, (void)sub;
}
static const struct hub_events events = {.on_room_event = on_room_event,
                                         .on_healed = on_channel,
                                         .on_free = on_channel,
                                         .on_entering = on_subscriber,
                                         .on_entered = on_entered,
                                         .on_made = on_subscriber,
                                         .on_reset = on_reset,
                                         .on_dropped = on_sub};

/* --- a hub with two listeners ---------------------------------------------------------------
 */

static uv_loop_t loop;
static struct slabs slabs;
static struct metrics metrics;
static struct subscribers all;
static struct listener ann, bob;

static void enter(struct listener *l, const char *epoch, unsigned seq) {
    struct position since;
    position_set(&since, slice_of(epoch), seq);
    assert_non_null(hub_subscribe(&hub, &l->as, SLICE("room:r"), &since, on_checked, l));
}

/* ann is live at the position a 3. */
static int set_up(void **state) {
    (void)state;
    fake_begin();
    memset(&ann, 0, sizeof ann);
    memset(&bob, 0, sizeof bob);
    assert_int_equal(uv_loop_init(&loop), 0);
    subscribers_init(&all, &slabs, 1);
    subscriber_init(&ann.as, &ops, &all);
    subscriber_init(&bob.as, &ops, &all);
    assert_int_equal(
        hub_init(&hub, &loop, &fake.redis, &slabs, 1048576, &metrics, &events, NULL), 0);
    enter(&ann, "", 0);
    assert_nothing_asked(); /* the doorbell comes first */
    fake_confirm(BELL);
    assert_read("'' 0 0");
    answer((struct answer){.epoch = "a", .last = 3, .from = 3});
    assert_nothing_asked();
    assert_true(ann.started);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    while (!list_empty(&ann.as.subs))
        sub_drop(container_of(ann.as.subs.next, struct sub, in_subscriber));
    while (!list_empty(&bob.as.subs))
        sub_drop(container_of(bob.as.subs.next, struct sub, in_subscriber));
    fake_end();
    hub_close(&hub, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    hub_deinit(&hub);
    slabs_deinit(&slabs);
    return 0;
}

static void delivers_what_follows(void **state) {
    (void)state;
    ring("a", 4);
    ring("a", 5);
    ring("a", 5); /* once more */
    ring("a", 3);
    assert_string_equal(ann.heard, "a4 a5 ");
    assert_nothing_asked();
}

static void reads_a_hole(void **state) {
    (void)state;
    ring("a", 5);
    assert_string_equal(ann.heard, "");
    assert_read("a 3 100");
    ring("a", 6); /* the page does not have it: it was sent before */
    answer((struct answer){.epoch = "a", .last = 5, .from = 3, .entries = "aa"});
    assert_string_equal(ann.heard, "a4 a5 a6 ");
    assert_nothing_asked();
}

static void reads_once_more_after_what_it_cannot_explain(void **state) {
    (void)state;
    ring("a", 5);
    ring("a", 7);
    answer((struct answer){.epoch = "a", .last = 5, .from = 3, .entries = "aa"});
    assert_string_equal(ann.heard, "a4 a5 ");
    assert_read("a 5 100");
    answer((struct answer){.epoch = "a", .last = 7, .from = 5, .entries = "aa"});
    assert_string_equal(ann.heard, "a4 a5 a6 a7 ");
    assert_nothing_asked();
}

static void goes_on_in_another_epoch(void **state) {
    (void)state;
    ring("b", 4); /* b began at 3: nothing is lost */
    assert_read("a 3 100");
    answer((struct answer){.epoch = "b", .last = 4, .from = 3, .entries = "b", .forks = "a 3"});
    assert_string_equal(ann.heard, "b4 ");
    ring("b", 5);
    assert_string_equal(ann.heard, "b4 b5 ");
}

static void tells_of_a_lost_end(void **state) {
    (void)state;
    ring("b", 3); /* b began at 1 */
    assert_read("a 3 100");
    answer((struct answer){
        .status = 1, .epoch = "b", .last = 3, .from = 1, .entries = "bb", .forks = "a 1"});
    assert_string_equal(ann.heard, "reset:2-3 b2 b3 ");
}

static void finds_its_way_by_its_lineage(void **state) {
    (void)state;
    ring("b", 4);
    answer((struct answer){.epoch = "b", .last = 4, .from = 3, .entries = "b", .forks = "a 3"});
    /* A log without b, which is still in a: the read says where b came from. */
    fake_lose(BELL);
    fake_confirm(BELL);
    assert_read("b 4 100 a 3");
    answer((struct answer){.status = 1, .epoch = "a", .last = 3, .from = 3});
    assert_string_equal(ann.heard, "b4 reset:4-4 ");
    ring("c", 4);
    assert_read("a 3 100 b 3 a 3");
    answer((struct answer){.epoch = "c", .last = 4, .from = 3, .entries = "c", .forks = "a 3"});
    assert_string_equal(ann.heard, "b4 reset:4-4 c4 ");
}

static void finds_its_way_after_several_losses_when_it_is_behind(void **state) {
    (void)state;
    ring("b", 4);
    answer((struct answer){.epoch = "b", .last = 4, .from = 3, .entries = "b", .forks = "a 3"});
    bob.queued = SIZE_MAX; /* it takes nothing */
    enter(&bob, "b", 2);
    assert_read("b 2 0 a 2");
    answer((struct answer){.epoch = "b", .last = 4, .from = 2, .forks = "a 3"});
    assert_true(bob.wants_drained);
    for (const char *epoch = "cd"; *epoch != '\0'; epoch++) {
        const char name[] = {*epoch, '\0'};
        fake_lose(BELL);
        fake_confirm(BELL);
        answer((struct answer){.status = 1, .epoch = "a", .last = 3, .from = 3});
        ring(name, 4);
        answer((struct answer){
            .epoch = name, .last = 4, .from = 3, .entries = name, .forks = "a 3"});
    }
    assert_nothing_asked();
    bob.queued = 0;
    subscriber_drained(&bob.as);
    assert_read("b 2 100 a 2");
    answer(
        (struct answer){.epoch = "d", .last = 4, .from = 2, .entries = "ad", .forks = "a 3"});
    assert_string_equal(bob.heard, "a3 d4 ");
    ring("d", 5);
    assert_string_equal(bob.heard, "a3 d4 d5 ");
}

static void a_page_from_before_a_loss_proves_nothing(void **state) {
    (void)state;
    ring("a", 5);
    fake_lose(BELL);
    fake_confirm(BELL);
    assert_read("a 3 100");
    answer((struct answer){.epoch = "a", .last = 5, .from = 3, .entries = "aa"});
    assert_string_equal(ann.heard, "");
    assert_read("a 3 100");
    answer((struct answer){.epoch = "a", .last = 5, .from = 3, .entries = "aa"});
    assert_string_equal(ann.heard, "a4 a5 ");
    assert_nothing_asked();
}

static void tells_of_what_fell_out_of_the_log(void **state) {
    (void)state;
    ring("a", 9);
    answer((struct answer){.epoch = "a", .last = 9, .from = 3});
    assert_string_equal(ann.heard, "reset:4-9 ");
    ring("a", 10);
    assert_string_equal(ann.heard, "reset:4-9 a10 ");
}

static void catches_one_up_from_the_log_and_the_tail(void **state) {
    (void)state;
    enter(&bob, "a", 1);
    assert_read("a 1 0");
    answer((struct answer){.epoch = "a", .last = 3, .from = 1});
    assert_int_equal(bob.result, CHECK_GOOD);
    assert_read("a 1 100");
    ring("a", 4); /* while its page is on its way */
    assert_string_equal(bob.heard, "");
    answer((struct answer){.epoch = "a", .last = 3, .from = 1, .entries = "aa"});
    assert_string_equal(bob.heard, "a2 a3 a4 ");
    ring("a", 5);
    assert_string_equal(bob.heard, "a2 a3 a4 a5 ");
    assert_string_equal(ann.heard, "a4 a5 ");
    assert_nothing_asked();
}

static void one_that_is_behind_hears_what_no_log_keeps(void **state) {
    static const char typing[] = "{\"channel\":\"room:r\",\"seq\":0,\"time\":1732155555123456,"
                                 "\"event\":\"e\",\"data\":1}";
    (void)state;
    enter(&bob, "a", 1);
    fake_ring(BELL, typing);
    assert_string_equal(bob.heard, ""); /* not told yet that it is in */
    answer((struct answer){.epoch = "a", .last = 3, .from = 1});
    fake_ring(BELL, typing);
    assert_string_equal(bob.heard, "0 ");
    answer((struct answer){.epoch = "a", .last = 3, .from = 1, .entries = "aa"});
    assert_string_equal(bob.heard, "0 a2 a3 ");
}

static void waits_for_a_slow_socket(void **state) {
    (void)state;
    bob.queued = SIZE_MAX;
    enter(&bob, "a", 1);
    answer((struct answer){.epoch = "a", .last = 3, .from = 1});
    assert_true(bob.wants_drained);
    assert_nothing_asked();
    bob.queued = 0;
    subscriber_drained(&bob.as);
    assert_read("a 1 100");
}

static void fails_when_redis_is_away(void **state) {
    (void)state;
    enter(&bob, "a", 1);
    fake_fail(OUTCOME_REFUSED);
    assert_int_equal(bob.result, CHECK_FAILED);
    assert_null(bob.sub);
    assert_true(list_empty(&bob.as.subs));
    fake_fall();
    bob.result = CHECK_GOOD;
    fake_lose(BELL);
    enter(&bob, "a", 1);
    hub_redis_down(&hub, fake.redis.partitions);
    assert_int_equal(bob.result, CHECK_FAILED);
    assert_true(list_empty(&bob.as.subs));
}

/* --- many channels at once ------------------------------------------------------------------
 */

#define MANY 68 /* four more than are read one by one */

static const char *bell_of(unsigned i) {
    static char bell[32];
    snprintf(bell, sizeof bell, "sluice:{topic:%u}", i);
    return bell;
}

static void enter_many(void) {
    static const struct position none;
    for (unsigned i = 0; i < MANY; i++) {
        const char *name = fake_format("topic:%u", i);
        assert_non_null(hub_subscribe(&hub, &ann.as, slice_of(name), &none, on_checked, &ann));
        fake_confirm(bell_of(i));
        fake_answer("0 a 3 3 1732155555123456 [ ]");
    }
    assert_nothing_asked();
    ann.heard[0] = '\0';
}

static void ring_topic(unsigned i, unsigned seq) {
    fake_ring(bell_of(i), fake_format("{\"channel\":\"topic:%u\",\"epoch\":\"a\",\"seq\":%u,"
                                      "\"time\":1732155555123456,\"event\":\"e\",\"data\":1}",
                                      i, seq));
}

static void lose_many(void) {
    for (unsigned i = 0; i < MANY; i++)
        fake_lose(bell_of(i));
    for (unsigned i = 0; i < MANY; i++)
        fake_confirm(bell_of(i));
}

/* All that are read one by one are level. */
static void answer_reads(void) {
    while (strncmp(fake_asked(), "read topic", 10) == 0)
        fake_answer("0 a 3 3 1732155555123456 [ ]");
}

static void compares_many_logs_at_once(void **state) {
    (void)state;
    enter_many();
    lose_many();
    ring_topic(66, 4); /* before its log was compared */
    answer_reads();
    assert_asked("level topic:64 topic:65 topic:66 topic:67 | a 3 a 3 a 3 a 3");
    fake_answer("0 2"); /* the second has gone on */
    assert_string_equal(ann.heard, "a4 ");
    assert_asked("read topic:65 | a 3 100 %s", hub.page_bytes);
    ring_topic(64, 4);
    ring_topic(65, 5);
    assert_string_equal(ann.heard, "a4 a4 ");
    fake_answer("0 a 4 3 1732155555123456 [ ] {\"channel\":\"topic:65\",\"epoch\":\"a\","
                "\"seq\":4,\"time\":1732155555123456,\"event\":\"e\",\"data\":1}");
    assert_string_equal(ann.heard, "a4 a4 a4 a5 ");
    assert_nothing_asked();
    assert_int_equal(hub.live_count, hub.channel_count);
}

static void a_comparison_from_before_a_loss_proves_nothing(void **state) {
    (void)state;
    enter_many();
    lose_many();
    answer_reads();
    fake_lose(bell_of(64));
    fake_confirm(bell_of(64));
    fake_answer("0"); /* all are level, it says */
    assert_asked("read topic:64 | a 3 100 %s", hub.page_bytes);
    assert_int_equal(hub.live_count, hub.channel_count - 1);
    fake_fail(OUTCOME_UNKNOWN);
    assert_int_equal(hub.live_count, hub.channel_count - 1);
    fake_answer("0 a 3 3 1732155555123456 [ ]");
    assert_int_equal(hub.live_count, hub.channel_count);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(delivers_what_follows),
        CASE(reads_a_hole),
        CASE(reads_once_more_after_what_it_cannot_explain),
        CASE(goes_on_in_another_epoch),
        CASE(tells_of_a_lost_end),
        CASE(finds_its_way_by_its_lineage),
        CASE(finds_its_way_after_several_losses_when_it_is_behind),
        CASE(a_page_from_before_a_loss_proves_nothing),
        CASE(tells_of_what_fell_out_of_the_log),
        CASE(catches_one_up_from_the_log_and_the_tail),
        CASE(one_that_is_behind_hears_what_no_log_keeps),
        CASE(waits_for_a_slow_socket),
        CASE(fails_when_redis_is_away),
        CASE(compares_many_logs_at_once),
        CASE(a_comparison_from_before_a_loss_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
