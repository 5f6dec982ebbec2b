#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/client/event_map.h"

/* The lines of the option `event`. */

static void handle(struct request *r, struct json_value data) {
    (void)r, (void)data;
}

static struct event_map *good(const char *text) {
    const char *why;
    struct event_map *m = event_map_read(text, handle, &why);
    if (m == NULL)
        fail_msg("\"%s\" is refused: %s", text, why);
    return m;
}

static void assert_bad(const char *text, const char *words) {
    const char *why;
    struct event_map *m = event_map_read(text, handle, &why);
    if (m != NULL)
        fail_msg("\"%s\" is not refused", text);
    if (strstr(why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void assert_slice(struct slice s, const char *text) {
    if (!slice_is(s, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)s.len, s.ptr, text);
}

static const struct map_line *find(const struct event_map *m, const char *event) {
    return event_map_find(m, slice_of(event), SLICE("/"));
}

static void reads_actions_and_modifiers(void **state) {
    (void)state;
    struct event_map *m = good("\"chat message\" room\n"
                               "a room 0.x.y args=1..2 as \"b c\" others from open in /n\n"
                               "b user 1 volatile id=0.id ack={\"a b\": \"c ] \\\" d\"}\n"
                               "c rpc http://h/x timeout=10s parallel=4\n"
                               "d stream s.t:u-1\ne drop ack=[]\nf all\ng room =lobby");
    assert_int_equal(m->count, 8);
    const struct map_line *l = m->lines;
    assert_slice(l[0].event, "chat message");
    assert_int_equal(l[0].action, MAP_ROOM);
    assert_int_equal(l[0].where.text.len, 0);
    assert_int_equal(l[0].row.flags, EVENT_ANY_ID | EVENT_APPENDS);
    assert_slice(l[1].where.path, "x.y");
    assert_int_equal(l[1].first, 1);
    assert_int_equal(l[1].last, 2);
    assert_slice(l[1].as, "b c");
    assert_slice(l[1].nsp, "/n");
    assert_true(l[1].others && l[1].from && l[1].open && !l[1].is_volatile);
    assert_true(l[2].is_volatile);
    assert_int_equal(l[2].row.flags, EVENT_ANY_ID);
    assert_slice(l[2].ack, "{\"a b\": \"c ] \\\" d\"}");
    assert_slice(l[3].target, "http://h/x");
    assert_int_equal(l[3].timeout, 10000);
    assert_int_equal(l[3].row.parallel, 4);
    assert_int_equal(l[3].row.cost, 3);
    assert_slice(l[4].target, "s.t:u-1");
    assert_slice(l[5].ack, "[]");
    assert_true(l[6].is_volatile);
    assert_true(l[7].where.is_text);
    event_map_free(m);
}

static void refuses_what_it_cannot_do(void **state) {
    (void)state;
    assert_bad("a", "an action is");
    assert_bad("a shout", "an action is");
    assert_bad("\"a room", "quotes do not end");
    assert_bad("a\\b room", "without control characters");
    assert_bad("a user", "wants an argument's number");
    assert_bad("a join room", "wants an argument's number");
    assert_bad("a room 0..x", "wants an argument's number");
    assert_bad("a room 10", "wants an argument's number");
    assert_bad("a room =", "wants an argument's number");
    assert_bad("a room loud", "takes no `loud`");
    assert_bad("a join 0 volatile", "takes no `volatile`");
    assert_bad("a all open", "takes no `open`");
    assert_bad("a room args=2..1", "args=");
    assert_bad("a room args=x", "args=");
    assert_bad("a room as", "`as` wants");
    assert_bad("a room in n", "`in` wants");
    assert_bad("a room id=x", "id=");
    assert_bad("a room ack={", "ack=");
    assert_bad("a rpc", "wants a URL");
    assert_bad("a rpc http://h timeout=0", "timeout=");
    assert_bad("a rpc http://h parallel=0", "parallel=");
    assert_bad("a stream b/c", "stream");
    assert_bad("a room\nb room 0 x", "b room 0 x: ");
}

static void the_first_line_that_fits_counts(void **state) {
    (void)state;
    struct event_map *m = good("a:b drop\na:* room\nx drop in /n\n* all");
    assert_int_equal(find(m, "a:b")->action, MAP_DROP);
    assert_int_equal(find(m, "a:c")->action, MAP_ROOM);
    assert_int_equal(find(m, "a:")->action, MAP_ROOM);
    assert_int_equal(find(m, "x")->action, MAP_ALL);
    assert_int_equal(event_map_find(m, SLICE("x"), SLICE("/n"))->action, MAP_DROP);
    assert_null(event_map_find(m, SLICE("y"), SLICE("/n")));
    assert_ptr_equal(map_line_of(&find(m, "x")->row), find(m, "x"));
    event_map_free(m);
}

static struct json_value json(const char *text) {
    struct json_value value;
    assert_int_equal(json_parse(slice_of(text), &value), JSON_OK);
    return value;
}

static void picks_strings_and_integers(void **state) {
    (void)state;
    struct event_map *m = good("a room 0\nb room 1.k.\xC3\xA4\nc room =\"a b\"\nd room 0.n");
    struct json_value args = json("[\"x\",{\"k\":{\"\\u00e4\":7,\"z\":1}}]");
    assert_slice(pick_value(&m->lines[0].where, args).raw, "\"x\"");
    assert_slice(pick_value(&m->lines[1].where, args).raw, "7");
    assert_slice(pick_value(&m->lines[2].where, args).raw, "\"a b\"");
    assert_int_equal(pick_value(&m->lines[3].where, args).type, JSON_NONE);
    static const char *const none[] = {
        "[]", "[null]", "[[1]]", "[{\"n\":1.5}]", "[{\"n\":{}}]", "[{\"n\":true}]"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(pick_value(&m->lines[3].where, json(none[i])).type, JSON_NONE);
    assert_slice(pick_value(&m->lines[3].where, json("[{\"n\":-3}]")).raw, "-3");
    event_map_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_actions_and_modifiers),
        cmocka_unit_test(refuses_what_it_cannot_do),
        cmocka_unit_test(the_first_line_that_fits_counts),
        cmocka_unit_test(picks_strings_and_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
