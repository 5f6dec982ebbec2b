#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "gateway/hooks/hooks.h"

/* --- a back end in the loop of the test, and calls to it ------------------------------------
 */
#define CALLS   1200
#define GUESTS  64 /* connections of the back end */
#define TICK_MS 10

struct guest {
    uv_tcp_t tcp;
    struct buf in;
    bool open;
};

struct told {
    struct hook_call call;
    unsigned times;
    enum hook_result result;
    long status;
    char body[256];
    char code[HOOK_CODE_SIZE];
    char message[64];
    struct hook_call *cancels; /* in its `done` */
    bool again;                /* begins itself again in its `done` */
};

static struct {
    uv_loop_t loop;
    uv_timer_t ticks;
    uv_timer_t limit;
    struct options options;
    struct metrics metrics;
    struct hooks hooks;
    uv_tcp_t listener;
    struct guest guests[GUESTS];
    unsigned guest_count;
    unsigned held[GUESTS]; /* guests whose request is not answered, the oldest first */
    unsigned held_count;
    unsigned asked; /* requests that came */
    char last[8192];
    const char *answer; /* of each request; NULL: it is held; "": the connection ends */
    char url[64];
    bool late; /* the test takes too long */
    bool closed;
    struct told told[CALLS];
} the;

static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"ok\":1} ";

static void on_written(uv_write_t *write, int status) {
    (void)status;
    free(write);
}

static void on_guest_closed(uv_handle_t *handle) {
    struct guest *g = handle->data;
    g->open = false;
}

static void answer_guest(struct guest *g, const char *text) {
    if (text[0] == '\0') {
        if (!uv_is_closing((uv_handle_t *)&g->tcp))
            uv_close((uv_handle_t *)&g->tcp, on_guest_closed);
        return;
    }
    uv_write_t *write = calloc(1, sizeof *write);
    uv_buf_t bytes = {.base = (char *)(uintptr_t)text, .len = strlen(text)};
    uv_write(write, (uv_stream_t *)&g->tcp, &bytes, 1, on_written);
}

/* A whole request has come. */
static void on_request(struct guest *g, size_t len) {
    the.asked++;
    assert_in_range(len, 1, sizeof the.last - 1);
    memcpy(the.last, g->in.data, len);
    the.last[len] = '\0';
    buf_clear(&g->in);
    if (the.answer != NULL)
        answer_guest(g, the.answer);
    else
        the.held[the.held_count++] = (unsigned)(g - the.guests);
}

static void look_for_request(struct guest *g) {
    buf_char(&g->in, '\0');
    g->in.len--;
    const char *end = strstr(g->in.data, "\r\n\r\n");
    const char *length = strstr(g->in.data, "Content-Length: ");
    if (end == NULL)
        return;
    assert_non_null(length);
    size_t whole =
        (size_t)(end - g->in.data) + 4 + strtoul(length + strlen("Content-Length: "), NULL, 10);
    if (g->in.len >= whole)
        on_request(g, whole);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out) {
    static char room[65536];
    (void)handle;
    (void)size;
    *out = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes) {
    struct guest *g = stream->data;
    if (count < 0) {
        answer_guest(g, "");
        return;
    }
    buf_append(&g->in, bytes->base, (size_t)count);
    look_for_request(g);
}

static void on_guest(uv_stream_t *listener, int status) {
    struct guest *g = &the.guests[the.guest_count++];
    assert_int_equal(status, 0);
    assert_in_range(the.guest_count, 1, GUESTS);
    uv_tcp_init(&the.loop, &g->tcp);
    g->tcp.data = g;
    g->open = true;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&g->tcp), 0);
    uv_read_start((uv_stream_t *)&g->tcp, on_alloc, on_read);
}

static void release(unsigned count) {
    while (count-- > 0) {
        answer_guest(&the.guests[the.held[0]], good);
        memmove(the.held, the.held + 1, --the.held_count * sizeof *the.held);
    }
}

/* --- the test's end of calls ----------------------------------------------------------------
 */

static void begin(unsigned i, enum hook_type type, const char *user);

static void on_done(struct hook_call *call, enum hook_result result,
                    const struct hook_answer *answer) {
    struct told *t = container_of(call, struct told, call);
    t->times++;
    t->result = result;
    t->status = answer->status;
    snprintf(t->body, sizeof t->body, "%.*s", (int)answer->body.raw.len, answer->body.raw.ptr);
    snprintf(t->code, sizeof t->code, "%s", answer->code);
    snprintf(t->message, sizeof t->message, "%.*s", (int)answer->message.raw.len,
             answer->message.raw.ptr);
    if (t->cancels != NULL)
        hook_cancel(t->cancels);
    if (t->again) {
        t->again = false;
        begin((unsigned)(t - the.told), call->type, "again");
    }
}

static struct hook_ask ask_of(const char *user) {
    return (struct hook_ask){.url = slice_of(the.url), .user = slice_of(user), .done = on_done};
}

static void begin(unsigned i, enum hook_type type, const char *user) {
    struct hook_ask ask = ask_of(user);
    hook_open(&the.told[i].call, type, NULL, 0);
    hooks_begin(&the.hooks, &the.told[i].call, &ask);
}

static unsigned ended(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < CALLS; i++)
        count += the.told[i].times;
    return count;
}

static void on_tick(uv_timer_t *timer) {
    (void)timer;
    hooks_tick(&the.hooks, uv_now(&the.loop));
}

static void on_late(uv_timer_t *timer) {
    (void)timer;
    the.late = true;
}

static void until_asked(unsigned count) {
    while (the.asked < count && !the.late)
        uv_run(&the.loop, UV_RUN_ONCE);
    assert_int_equal(the.asked, count);
}

static void until_ended(unsigned count) {
    while (ended() < count && !the.late)
        uv_run(&the.loop, UV_RUN_ONCE);
    assert_int_equal(ended(), count);
}

static uint64_t counted(enum hook_type type, enum hook_end end) {
    return metric_value(&the.metrics,
                        METRIC_HOOK_CALLS + (unsigned)type * HOOK_END_COUNT + (unsigned)end);
}

static int setup(void **state) {
    struct sockaddr_in at;
    int size = sizeof at;
    (void)state;
    memset(&the, 0, sizeof the);
    uv_loop_init(&the.loop);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(&the.loop, &the.listener);
    uv_tcp_bind(&the.listener, (struct sockaddr *)&at, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&the.listener, 128, on_guest), 0);
    uv_tcp_getsockname(&the.listener, (struct sockaddr *)&at, &size);
    snprintf(the.url, sizeof the.url, "http://127.0.0.1:%u/hook?key=1", ntohs(at.sin_port));
    the.options.hook_secret = the.options.hook_ca = "";
    the.options.hook_timeout = 10000;
    the.options.hook_answer = 1024;
    the.answer = good;
    assert_null(hooks_init(&the.hooks, &the.loop, &the.options, &the.metrics));
    uv_timer_init(&the.loop, &the.ticks);
    uv_timer_start(&the.ticks, on_tick, TICK_MS, TICK_MS);
    uv_timer_init(&the.loop, &the.limit);
    uv_timer_start(&the.limit, on_late, 20000, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (!the.closed)
        hooks_close(&the.hooks);
    uv_close((uv_handle_t *)&the.ticks, NULL);
    uv_close((uv_handle_t *)&the.limit, NULL);
    uv_close((uv_handle_t *)&the.listener, NULL);
    for (unsigned i = 0; i < the.guest_count; i++)
        if (the.guests[i].open)
            answer_guest(&the.guests[i], "");
    uv_run(&the.loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < the.guest_count; i++)
        buf_deinit(&the.guests[i].in);
    hooks_deinit(&the.hooks);
    return uv_loop_close(&the.loop);
}

/* --- what is sent ---------------------------------------------------------------------------
 */

static const char *body_sent(void) {
    return strstr(the.last, "\r\n\r\n") + 4;
}

static void a_call_is_a_post_with_its_head_and_what_was_appended(void **state) {
    struct hook_call *call = &the.told[0].call;
    struct hook_ask ask = ask_of("ann");
    char expected[256];
    (void)state;
    hook_open(call, HOOK_EVENT, NULL, 1234);
    buf_str(&call->body, ",\"event\":\"x\"");
    ask.headers = SLICE("Cookie: a=b; c\nX-Empty: \n");
    hooks_begin(&the.hooks, call, &ask);
    until_ended(1);
    snprintf(expected, sizeof expected,
             "{\"id\":\"%s\",\"type\":\"event\",\"time\":1234,\"event\":\"x\"}", call->id);
    assert_int_equal(strlen(call->id), 32);
    assert_string_equal(body_sent(), expected);
    assert_non_null(strstr(the.last, "POST /hook?key=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(the.last, "\r\nCookie: a=b; c\r\n"));
    assert_non_null(strstr(the.last, "\r\nX-Empty:"));
    assert_non_null(strstr(the.last, "\r\nContent-Type: application/json\r\n"));
    snprintf(expected, sizeof expected, "\r\nSluice-Event-Id: %s\r\n", call->id);
    assert_non_null(strstr(the.last, expected));
    assert_null(strstr(the.last, "Sluice-Signature"));
    assert_null(strstr(the.last, "Expect"));
    assert_int_equal(the.told[0].result, HOOK_DONE);
    assert_string_equal(the.told[0].body, "{\"ok\":1}");
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_GOOD), 1);
}

static void sign(const char *secret, const char *text, char out[65]) {
    unsigned char bytes[32];
    size_t len;
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, strlen(secret),
                              (const unsigned char *)text, strlen(text), bytes, sizeof bytes,
                              &len));
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * (size_t)i, 3, "%02x", bytes[i]);
}

static void each_secret_signs_the_time_and_the_body(void **state) {
    char text[1024], one[65], two[65], expected[256];
    unsigned long seconds;
    (void)state;
    the.options.hook_secret = "one-one-one-one-one-one-one-one-\ntwo two two two two two two t";
    begin(0, HOOK_PUBLISH, "ann");
    until_ended(1);
    const char *line = strstr(the.last, "Sluice-Signature: t=");
    assert_non_null(line);
    seconds = strtoul(line + strlen("Sluice-Signature: t="), NULL, 10);
    assert_in_range(seconds, time(NULL) - 5, time(NULL) + 5);
    snprintf(text, sizeof text, "%lu.%s", seconds, body_sent());
    sign("one-one-one-one-one-one-one-one-", text, one);
    sign("two two two two two two two t", text, two);
    snprintf(expected, sizeof expected, "Sluice-Signature: t=%lu,v1=%s,v1=%s\r\n", seconds, one,
             two);
    assert_non_null(strstr(the.last, expected));
}

static void a_repeat_has_the_same_id(void **state) {
    char id[HOOK_ID_SIZE];
    struct hook_ask ask = ask_of("ann");
    (void)state;
    begin(0, HOOK_DISCONNECT, "ann");
    until_ended(1);
    memcpy(id, the.told[0].call.id, sizeof id);
    hook_open(&the.told[0].call, HOOK_DISCONNECT, the.told[0].call.id, 0);
    hooks_begin(&the.hooks, &the.told[0].call, &ask);
    until_ended(2);
    assert_non_null(strstr(body_sent(), id));
}

static void neither_a_redirect_nor_a_proxy_is_followed(void **state) {
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    the.answer = "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n";
    begin(0, HOOK_EVENT, "ann");
    until_ended(1);
    unsetenv("http_proxy");
    assert_int_equal(the.asked, 1);
    assert_int_equal(the.told[0].status, 302);
    assert_int_equal(the.told[0].result, HOOK_UNKNOWN);
}

/* --- slots ----------------------------------------------------------------------------------
 */

static void a_url_has_32_slots_and_they_go_round_the_users(void **state) {
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 60; i++)
        begin(i, HOOK_EVENT, "ann");
    begin(60, HOOK_EVENT, "bob");
    until_asked(32);
    for (unsigned i = 0; i < 3; i++)
        uv_run(&the.loop, UV_RUN_NOWAIT);
    assert_int_equal(the.asked, 32);
    assert_int_equal(the.hooks.waiting, 29);
    release(2);
    until_asked(34); /* one of ann's, and bob's */
    assert_int_equal(the.told[60].call.state, HOOK_RUNS);
    assert_int_equal(the.told[32].call.state, HOOK_RUNS);
    assert_int_equal(the.told[33].call.state, HOOK_WAITS);
    the.answer = good;
    release(the.held_count);
    until_ended(61);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_GOOD), 61);
    assert_int_equal(the.hooks.running + the.hooks.waiting, 0);
}

static void of_one_user_32_may_wait_and_of_all_1000(void **state) {
    char user[16];
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 32 + 33; i++)
        begin(i, HOOK_EVENT, "ann");
    until_ended(1);
    assert_int_equal(the.told[64].result, HOOK_REFUSED);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_FULL), 1);
    for (unsigned i = 65; i < 65 + 1000 - 32 + 1; i++) {
        snprintf(user, sizeof user, "u%u", i);
        begin(i, HOOK_EVENT, user);
    }
    until_ended(2);
    assert_int_equal(the.told[65 + 1000 - 32].result, HOOK_REFUSED);
    assert_int_equal(the.hooks.waiting, 1000);
}

static void connect_hook_has_16_slots_of_its_own_and_4_for_an_address(void **state) {
    char address[16];
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 32; i++)
        begin(i, HOOK_EVENT, "ann");
    for (unsigned i = 32; i < 42; i++)
        begin(i, HOOK_CONNECT, "10.0.0.1");
    until_asked(36);
    for (unsigned i = 42; i < 62; i++) {
        snprintf(address, sizeof address, "10.0.1.%u", i);
        begin(i, HOOK_CONNECT, address);
    }
    until_asked(48);
    assert_int_equal(the.hooks.waiting, 6 + 8);
}

/* --- time -----------------------------------------------------------------------------------
 */

static void without_an_answer_in_time_the_outcome_is_unknown(void **state) {
    (void)state;
    the.answer = NULL;
    the.options.hook_timeout = 100;
    begin(0, HOOK_EVENT, "ann");
    until_ended(1);
    assert_int_equal(the.told[0].result, HOOK_UNKNOWN);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_TIMEOUT), 1);
    assert_int_equal(the.hooks.running, 0);
}

static void what_waited_too_long_was_never_sent(void **state) {
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 32; i++)
        begin(i, HOOK_EVENT, "ann");
    the.options.hook_timeout = 100;
    begin(32, HOOK_EVENT, "bob");
    until_ended(1);
    assert_int_equal(the.told[32].result, HOOK_REFUSED);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_WAITED), 1);
    assert_int_equal(the.asked, 32);
}

static void the_time_of_a_call_begins_with_its_event(void **state) {
    struct hook_ask ask = ask_of("ann");
    (void)state;
    while (uv_now(&the.loop) < 200)
        uv_run(&the.loop, UV_RUN_ONCE);
    ask.arrived = uv_now(&the.loop) - 100;
    ask.timeout = 100;
    hook_open(&the.told[0].call, HOOK_EVENT, NULL, 0);
    hooks_begin(&the.hooks, &the.told[0].call, &ask);
    assert_int_equal(ended(), 0); /* in a later turn */
    until_ended(1);
    assert_int_equal(the.told[0].result, HOOK_REFUSED);
    assert_int_equal(the.asked, 0);
}

/* --- faults ---------------------------------------------------------------------------------
 */

static void nobody_at_the_port_is_a_refusal(void **state) {
    (void)state;
    snprintf(the.url, sizeof the.url, "http://127.0.0.1:1/");
    begin(0, HOOK_EVENT, "ann");
    until_ended(1);
    assert_int_equal(the.told[0].result, HOOK_REFUSED);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_CONNECT), 1);
}

static void a_connection_that_ends_leaves_the_outcome_unknown(void **state) {
    (void)state;
    the.answer = "";
    begin(0, HOOK_EVENT, "ann");
    until_ended(1);
    assert_int_equal(the.told[0].result, HOOK_UNKNOWN);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_CUT), 1);
}

static void an_answer_may_have_so_many_bytes_and_no_more(void **state) {
    char text[2048];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        unsigned len = 1024 + i;
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n{%*s}", len,
                 (int)len - 2, "");
        the.answer = text;
        begin(i, HOOK_EVENT, "ann");
        until_ended(i + 1);
    }
    assert_int_equal(the.told[0].result, HOOK_DONE);
    assert_int_equal(the.told[1].result, HOOK_UNKNOWN);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_BODY), 1);
}

static void a_url_that_fails_is_left_alone(void **state) {
    (void)state;
    the.answer = "HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n";
    for (unsigned i = 0; i < 5; i++) {
        begin(i, HOOK_EVENT, "ann");
        until_ended(i + 1);
        assert_int_equal(the.told[i].result, HOOK_UNKNOWN);
    }
    assert_int_equal(hooks_circuits_open(&the.hooks), 1);
    begin(5, HOOK_EVENT, "ann");
    until_ended(6);
    assert_int_equal(the.told[5].result, HOOK_REFUSED);
    assert_int_equal(the.asked, 5);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_CIRCUIT), 1);
    assert_int_equal(metric_value(&the.metrics, METRIC_HOOK_CIRCUIT_OPENS), 1);
}

static void those_that_wait_are_refused_when_it_opens(void **state) {
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 40; i++)
        begin(i, HOOK_EVENT, "ann");
    until_asked(32);
    the.answer = "";
    for (unsigned i = 0; i < 5; i++)
        answer_guest(&the.guests[the.held[i]], "");
    while (hooks_circuits_open(&the.hooks) == 0 && !the.late)
        uv_run(&the.loop, UV_RUN_ONCE);
    assert_int_equal(the.hooks.waiting, 0);
    assert_true(
        counted(HOOK_EVENT, HOOK_END_CIRCUIT) + (unsigned)!list_empty(&the.hooks.ending) > 0);
}

static void a_circuit_goes_through_its_states(void **state) {
    struct circuit c = {.state = CIRCUIT_CLOSED};
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_false(circuit_tell(&c, 100000, true, false));
    assert_false(circuit_tell(&c, 100000, false, false));
    assert_false(circuit_tell(&c, 104000, false, false)); /* 2 of 5 */
    assert_true(circuit_tell(&c, 105000, false, false));  /* 3 of 6 */
    assert_false(circuit_lets(&c, 109999));
    assert_true(circuit_lets(&c, 110000));
    assert_true(circuit_sent(&c));
    assert_false(circuit_lets(&c, 110000));               /* one at a time */
    assert_false(circuit_tell(&c, 110100, false, false)); /* of one from before */
    assert_true(circuit_tell(&c, 110200, false, true));
    assert_false(circuit_lets(&c, 115199));
    assert_true(circuit_lets(&c, 115200));
    assert_true(circuit_sent(&c));
    circuit_forget(&c, true);
    assert_true(circuit_lets(&c, 115201));
    assert_true(circuit_sent(&c));
    assert_true(circuit_tell(&c, 115300, true, true));
    assert_int_equal(c.state, CIRCUIT_CLOSED);
    for (unsigned i = 0; i < 4; i++)
        assert_false(circuit_tell(&c, 115300, false, false));
    assert_false(circuit_tell(&c, 125300, false, false)); /* those before are too old */
}

/* --- lifetimes ------------------------------------------------------------------------------
 */

static void a_cancelled_call_is_not_told_and_frees_its_slot(void **state) {
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 34; i++)
        begin(i, HOOK_EVENT, "ann");
    until_asked(32);
    hook_cancel(&the.told[33].call); /* waits */
    hook_cancel(&the.told[0].call);  /* is under way */
    hook_cancel(&the.told[0].call);
    until_asked(33);
    assert_int_equal(ended(), 0);
    assert_int_equal(counted(HOOK_EVENT, HOOK_END_GIVEN_UP), 2);
    hook_open(&the.told[40].call, HOOK_EVENT, NULL, 0);
    hook_cancel(&the.told[40].call); /* has not begun */
}

static void done_may_cancel_others_and_begin_again(void **state) {
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 3; i++)
        begin(i, HOOK_EVENT, "ann");
    until_asked(3);
    the.told[0].cancels = &the.told[1].call;
    the.told[0].again = true;
    the.told[2].cancels = &the.told[2].call; /* itself, which is over */
    release(3);
    until_asked(4);
    release(1);
    until_ended(3);
    assert_int_equal(the.told[0].times, 2);
    assert_int_equal(the.told[1].times, 0);
    assert_int_equal(the.told[2].times, 1);
}

static void one_of_those_that_end_may_cancel_the_next(void **state) {
    (void)state;
    the.options.hook_timeout = 0; /* each has had its time */
    begin(0, HOOK_EVENT, "ann");
    begin(1, HOOK_EVENT, "ann");
    the.told[0].cancels = &the.told[1].call;
    until_ended(1);
    for (unsigned i = 0; i < 3; i++)
        uv_run(&the.loop, UV_RUN_ONCE);
    assert_int_equal(the.told[1].times, 0);
}

static void at_the_end_all_are_told(void **state) {
    (void)state;
    the.answer = NULL;
    for (unsigned i = 0; i < 34; i++)
        begin(i, HOOK_EVENT, "ann");
    until_asked(32);
    the.told[33].again = true; /* which is refused at once */
    hooks_close(&the.hooks);
    the.closed = true;
    assert_int_equal(ended(), 35);
    assert_int_equal(the.told[0].result, HOOK_UNKNOWN);
    assert_int_equal(the.told[33].result, HOOK_REFUSED);
}

/* --- answers --------------------------------------------------------------------------------
 */

static void answers_are_read_by_their_status(void **state) {
    static const struct {
        long status;
        const char *text;
        enum hook_end end;
        const char *code;
    } rows[] = {
        {200, "{\"a\":1}", HOOK_END_GOOD, ""},
        {200, "", HOOK_END_GOOD, ""},
        {201, "", HOOK_END_GOOD, ""},
        {204, "", HOOK_END_GOOD, ""},
        {201, "{}", HOOK_END_STATUS, ""},
        {200, "[]", HOOK_END_BODY, ""},
        {200, "{", HOOK_END_BODY, ""},
        {200, "{\"a\":\"\xff\"}", HOOK_END_BODY, ""},
        {302, "", HOOK_END_STATUS, ""},
        {400, "", HOOK_END_STATUS, ""},
        {400, "{}", HOOK_END_STATUS, ""},
        {400, "{\"error\":{}}", HOOK_END_ERROR, "rejected"},
        {422, "{\"error\":{\"code\":\"too_rude\"}}", HOOK_END_ERROR, "too_rude"},
        {400, "{\"error\":{\"code\":\"Rude\"}}", HOOK_END_ERROR, "rejected"},
        {400, "{\"error\":{\"code\":\"internal\"}}", HOOK_END_ERROR, "rejected"},
        {400, "{\"error\":{\"code\":\"unavailable\"}}", HOOK_END_ERROR, "rejected"},
        {400, "{\"error\":{\"code\":\"rate_limited\"}}", HOOK_END_ERROR, "rejected"},
        {400, "{\"error\":{\"code\":\"\"}}", HOOK_END_ERROR, "rejected"},
        {400, "{\"error\":{\"code\":7}}", HOOK_END_ERROR, "rejected"},
        {400, "{\"error\":{\"code\":\"a\\u0000b\"}}", HOOK_END_ERROR, "rejected"},
        {401, "", HOOK_END_STATUS, ""},
        {500, "{\"error\":{\"code\":\"x\"}}", HOOK_END_STATUS, ""},
    };
    struct hook_answer answer;
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            hook_answer_read(&answer, HOOK_EVENT, rows[i].status, slice_of(rows[i].text)),
            rows[i].end);
        assert_string_equal(answer.code, rows[i].code);
        assert_int_equal(answer.body.type == JSON_OBJECT, rows[i].end == HOOK_END_GOOD);
    }
    assert_int_equal(hook_answer_read(&answer, HOOK_CONNECT, 401, slice_of("")),
                     HOOK_END_ERROR);
    assert_string_equal(answer.code, "unauthorized");
}

static void a_refusal_has_a_code_a_message_and_data(void **state) {
    (void)state;
    the.answer = "HTTP/1.1 403 No\r\nContent-Length: 55\r\n\r\n"
                 "{\"error\":{\"code\":\"banned\",\"message\":\"no\",\"data\":[1.0]}}";
    begin(0, HOOK_EVENT, "ann");
    until_ended(1);
    assert_int_equal(the.told[0].result, HOOK_ERROR);
    assert_string_equal(the.told[0].code, "banned");
    assert_string_equal(the.told[0].message, "\"no\"");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_a_post_with_its_head_and_what_was_appended),
        TEST(each_secret_signs_the_time_and_the_body),
        TEST(a_repeat_has_the_same_id),
        TEST(neither_a_redirect_nor_a_proxy_is_followed),
        TEST(a_url_has_32_slots_and_they_go_round_the_users),
        TEST(of_one_user_32_may_wait_and_of_all_1000),
        TEST(connect_hook_has_16_slots_of_its_own_and_4_for_an_address),
        TEST(without_an_answer_in_time_the_outcome_is_unknown),
        TEST(what_waited_too_long_was_never_sent),
        TEST(the_time_of_a_call_begins_with_its_event),
        TEST(nobody_at_the_port_is_a_refusal),
        TEST(a_connection_that_ends_leaves_the_outcome_unknown),
        TEST(an_answer_may_have_so_many_bytes_and_no_more),
        TEST(a_url_that_fails_is_left_alone),
        TEST(those_that_wait_are_refused_when_it_opens),
        cmocka_unit_test(a_circuit_goes_through_its_states),
        TEST(a_cancelled_call_is_not_told_and_frees_its_slot),
        TEST(done_may_cancel_others_and_begin_again),
        TEST(one_of_those_that_end_may_cancel_the_next),
        TEST(at_the_end_all_are_told),
        cmocka_unit_test(answers_are_read_by_their_status),
        TEST(a_refusal_has_a_code_a_message_and_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
