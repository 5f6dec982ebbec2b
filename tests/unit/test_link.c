#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/redis/link.h"

/* --- a fake Redis, and the link that talks to it, in one loop -------------------------------
 */

struct rule {
    const char *command; /* begins with this */
    const char *answer;  /* NULL: closes the connection; "": none */
};

struct fixture {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_prepare_t flush;
    uv_idle_t trickle;
    uv_timer_t clock;

    struct rule rules[4];
    unsigned hold; /* answer only when so many commands were seen */
    size_t step;   /* bytes of an answer that go out in one turn; 0: all */
    uv_tcp_t *peer;
    struct reply_reader *reader;
    struct buf seen;    /* each command's words, with a | behind */
    struct buf answers; /* not yet written */
    unsigned commands;
    unsigned accepted;

    struct redis_address address;
    struct link link;
    bool no_flush;
    unsigned push_us; /* handling a push takes this */
    unsigned ready, down, closed;
    struct buf log; /* what the link told: outcomes, pushes, errors */
    char why[256];
};

static struct fixture *the; /* of the running test */

static const struct rule greeting[] = {
    {"AUTH", "+OK\r\n"},
    {"SELECT", "+OK\r\n"},
    {"CLIENT SETNAME", "+OK\r\n"},
    {"CLIENT ID", ":7\r\n"},
    {"INFO server", "$37\r\n# Server\r\nrun_id:run1\r\nother:run_id\r\n\r\n"},
    {"INFO replication", "$47\r\n# Replication\r\nrole:master\r\nmaster_replid:abc\r\n\r\n"},
    {"PING", "+PONG\r\n"},
};

static void peer_closed(uv_handle_t *handle) {
    free(handle);
}

static void drop_peer(void) {
    if (the->peer == NULL)
        return;
    uv_close((uv_handle_t *)the->peer, peer_closed);
    reply_reader_destroy(the->reader);
    the->peer = NULL;
    the->reader = NULL;
    buf_clear(&the->answers);
}

static const char *find_answer(const char *command) {
    for (size_t i = 0; i < 4; i++) {
        const char *wanted = the->rules[i].command;
        if (wanted != NULL && strncmp(command, wanted, strlen(wanted)) == 0)
            return the->rules[i].answer;
    }
    for (size_t i = 0; i < sizeof greeting / sizeof *greeting; i++) {
        if (strncmp(command, greeting[i].command, strlen(greeting[i].command)) == 0)
            return greeting[i].answer;
    }
    return "-ERR unknown command\r\n";
}

static void on_command(const struct reply *r) {
    size_t from = the->seen.len;
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            buf_char(&the->seen, ' ');
        buf_slice(&the->seen, reply_text(r->items[i]));
    }
    buf_append(&the->seen, "|", 2);
    the->seen.len--;
    the->commands++;
    const char *answer = find_answer(the->seen.data + from);
    if (answer != NULL)
        buf_str(&the->answers, answer);
    else
        drop_peer();
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    static char bytes[4096];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    const struct reply *reply;
    if (stream != (uv_stream_t *)the->peer)
        return;
    if (n < 0) {
        drop_peer();
        return;
    }
    assert_true(reply_reader_feed(the->reader, buf->base, (size_t)n));
    while (the->reader != NULL && reply_reader_next(the->reader, &reply) == 1)
        on_command(reply);
}

static void on_connection(uv_stream_t *listener, int status) {
    assert_int_equal(status, 0);
    drop_peer();
    the->accepted++;
    the->peer = malloc(sizeof *the->peer);
    the->reader = reply_reader_create();
    uv_tcp_init(&the->loop, the->peer);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)the->peer), 0);
    uv_tcp_nodelay(the->peer, 1);
    uv_read_start((uv_stream_t *)the->peer, on_alloc, on_read);
}

/* Each turn writes one piece of what is to be answered. */
static void on_trickle(uv_idle_t *idle) {
    struct buf *b = &the->answers;
    (void)idle;
    if (the->peer == NULL || b->len == 0 || the->commands < the->hold)
        return;
    size_t len = the->step != 0 && the->step < b->len ? the->step : b->len;
    uv_buf_t bytes = uv_buf_init(b->data, (unsigned)len);
    int n = uv_try_write((uv_stream_t *)the->peer, &bytes, 1);
    if (n > 0) {
        b->len -= (size_t)n;
        memmove(b->data, b->data + n, b->len);
    }
}

static void on_prepare(uv_prepare_t *prepare) {
    (void)prepare;
    if (!the->no_flush)
        link_flush(&the->link);
}

static void on_clock(uv_timer_t *clock) {
    (void)clock; /* wakes the loop */
}

/* --- what the link tells --------------------------------------------------------------------
 */

static void on_ready(struct link *l) {
    assert_int_equal(l->state, LINK_READY);
    the->ready++;
}

static void on_down(struct link *l, const char *why) {
    assert_int_equal(l->pipeline.in_flight, 0);
    assert_false(link_send(l, -1, 0, SLICE("x"), SLICE(""), NULL, NULL));
    snprintf(the->why, sizeof the->why, "%s", why);
    the->down++;
}

static void put_reply(const struct reply *r) {
    if (r->type == REPLY_ARRAY) {
        buf_char(&the->log, '[');
        for (size_t i = 0; i < r->count; i++)
            put_reply(r->items[i]);
        buf_char(&the->log, ']');
    } else if (r->type == REPLY_NIL) {
        buf_str(&the->log, "nil");
    } else if (r->type == REPLY_INTEGER) {
        buf_printf(&the->log, "%lld", reply_number(r));
    } else {
        buf_slice(&the->log, reply_text(r));
    }
}

static void on_push(struct link *l, const struct reply *push) {
    (void)l;
    put_reply(push);
    buf_char(&the->log, ' ');
    usleep(the->push_us);
}

static void on_error(struct link *l, struct slice text) {
    (void)l;
    buf_printf(&the->log, "!%.*s ", (int)text.len, text.ptr);
}

static void put_eval(struct link *l, struct buf *out, int script, unsigned argc) {
    (void)l;
    buf_printf(out, "*%u\r\n$4\r\nEVAL\r\n$8\r\nsource-%d\r\n$1\r\n1\r\n", argc + 3, script);
}

static void on_closed(struct link *l) {
    assert_ptr_equal(l, &the->link);
    the->closed++;
}

static const struct link_events events = {on_ready, on_down, on_push, on_error, put_eval};

static void on_done(void *arg, const struct reply *reply, enum outcome outcome) {
    static const char *const words[] = {"none", "refused", "unknown"};
    buf_printf(&the->log, "%s=", (const char *)arg);
    if (reply != NULL) {
        assert_int_equal(outcome, OUTCOME_NONE);
        put_reply(reply);
    } else {
        buf_str(&the->log, words[outcome]);
    }
    buf_char(&the->log, ' ');
}

/* --- running --------------------------------------------------------------------------------
 */

static int set_up(void **state) {
    struct sockaddr_in at;
    int size = sizeof at;
    the = calloc(1, sizeof *the);
    *state = the;
    uv_loop_init(&the->loop);
    uv_tcp_init(&the->loop, &the->listener);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_bind(&the->listener, (struct sockaddr *)&at, 0);
    uv_listen((uv_stream_t *)&the->listener, 8, on_connection);
    uv_tcp_getsockname(&the->listener, (struct sockaddr *)&at, &size);
    uv_prepare_init(&the->loop, &the->flush);
    uv_prepare_start(&the->flush, on_prepare);
    uv_idle_init(&the->loop, &the->trickle);
    uv_idle_start(&the->trickle, on_trickle);
    uv_timer_init(&the->loop, &the->clock);
    uv_timer_start(&the->clock, on_clock, 1, 1);
    snprintf(the->address.host, sizeof the->address.host, "127.0.0.1");
    the->address.port = ntohs(at.sin_port);
    alarm(60);
    return link_init(&the->link, &the->loop, &the->address, &events, NULL, "unit", false, 5000);
}

static bool wait_for(const unsigned *count, unsigned least) {
    uint64_t until = uv_hrtime() + 8000000000ULL;
    while (*count < least && uv_hrtime() < until)
        uv_run(&the->loop, UV_RUN_ONCE);
    return *count >= least;
}

static void turns(unsigned n) {
    while (n-- > 0)
        uv_run(&the->loop, UV_RUN_ONCE);
}

static void close_link(void) {
    unsigned down = the->down;
    link_close(&the->link, on_closed);
    assert_int_equal(the->closed, 0);
    assert_true(wait_for(&the->closed, 1));
    assert_true(the->down <= down + 1);
    turns(5);
    assert_int_equal(the->closed, 1);
}

/* Nothing may be left: no handle in the loop, no byte (ASan). */
static int tear_down(void **state) {
    (void)state;
    if (the->closed == 0)
        close_link();
    drop_peer();
    uv_close((uv_handle_t *)&the->listener, NULL);
    uv_close((uv_handle_t *)&the->flush, NULL);
    uv_close((uv_handle_t *)&the->trickle, NULL);
    uv_close((uv_handle_t *)&the->clock, NULL);
    uv_run(&the->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&the->loop);
    buf_deinit(&the->seen);
    buf_deinit(&the->answers);
    buf_deinit(&the->log);
    free(the);
    return left;
}

static void open_ready(void) {
    link_open(&the->link);
    assert_true(wait_for(&the->ready, 1));
    buf_clear(&the->seen);
    buf_clear(&the->log);
}

static void send_word(const char *word) {
    char head[100];
    snprintf(head, sizeof head, "*1\r\n$%zu\r\n", strlen(word));
    char tail[100];
    snprintf(tail, sizeof tail, "%s\r\n", word);
    assert_true(link_send(&the->link, -1, 0, slice_of(head), slice_of(tail), on_done,
                          (void *)(uintptr_t)word));
}

static void assert_buf(const struct buf *b, const char *expected) {
    if (!slice_is(buf_bytes(b), expected))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)b->len, b->data, expected);
}

/* --- greeting -------------------------------------------------------------------------------
 */

#define PLAIN "CLIENT SETNAME unit|CLIENT ID|INFO server|INFO replication|PING|"

static void check_greeting(unsigned commands, const char *expected) {
    the->hold = commands; /* not one answer before the last is there: they are pipelined */
    link_open(&the->link);
    assert_int_equal(the->link.state, LINK_CLOSED);
    assert_true(wait_for(&the->ready, 1));
    assert_buf(&the->seen, expected);
    assert_string_equal(the->link.greeting.run, "run1");
    assert_string_equal(the->link.greeting.replid, "abc");
    assert_int_equal(the->link.greeting.id, 7);
    assert_int_equal(the->down, 0);
}

static void greets_in_order(void **state) {
    (void)state;
    check_greeting(5, PLAIN);
}

static void greets_with_user_and_database(void **state) {
    (void)state;
    strcpy(the->address.user, "me");
    strcpy(the->address.password, "s3 cret");
    the->address.database = 3;
    check_greeting(7, "AUTH me s3 cret|SELECT 3|" PLAIN);
}

static void greets_with_a_password(void **state) {
    (void)state;
    strcpy(the->address.password, "s3cret");
    check_greeting(6, "AUTH s3cret|" PLAIN);
}

/* Each way to be refused: told once, nothing is ready, and the next attempt is a new one. */
static void each_bad_greeting_is_named(void **state) {
    (void)state;
    static const struct {
        struct rule rule;
        const char *why;
    } table[] = {
        {{"AUTH", "-WRONGPASS invalid\r\n"}, "password"},
        {{"SELECT", "-ERR DB index is out of range\r\n"}, "database"},
        {{"INFO server", "-NOPERM no\r\n"}, "INFO"},
        {{"INFO replication", "-NOPERM no\r\n"}, "INFO"},
        {{"INFO replication", "$12\r\nrole:slave\r\n\r\n"}, "not a master"},
        {{"INFO replication", "$13\r\nrole:masters\n\r\n"}, "not a master"},
        {{"INFO replication", "+\r\n"}, "not a master"},
        {{"INFO server", "$36\r\nrun_id:run1\r\nredis_mode:cluster\r\n\r\n\r\n"},
         "redis+cluster://"},
        {{"PING", "-BUSY a script\r\n"}, "PING"},
        {{"PING", "HTTP/1.1 400 Bad Request\r\n"}, "protocol"},
        {{"PING", NULL}, "closed"},
        {{"CLIENT", NULL}, "closed"},
    };
    strcpy(the->address.password, "x");
    the->address.database = 1;
    link_open(&the->link);
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        the->rules[0] = table[i].rule;
        the->link.backoff.refusals = 0; /* the wait is not what is tried here */
        assert_true(wait_for(&the->down, i + 1));
        if (strstr(the->why, table[i].why) == NULL)
            fail_msg("%u: \"%s\" does not name %s", i, the->why, table[i].why);
        assert_int_equal(the->down, i + 1);
        assert_int_equal(the->ready, 0);
    }
    /* A Redis without CLIENT, and one that does not tell which it is, serves as well. */
    the->rules[0] = (struct rule){"CLIENT", "-ERR unknown subcommand\r\n"};
    the->rules[1] = (struct rule){"INFO server", "$10\r\nxrun_id:1\n\r\n"};
    assert_true(wait_for(&the->ready, 1));
    assert_string_equal(the->link.greeting.run, "");
    assert_int_equal(the->link.greeting.id, 0);
    assert_int_equal(the->accepted, sizeof table / sizeof *table + 1);
}

/* It is asked again on the same link, for longer than the timeout. */
static void a_loading_redis_is_awaited(void **state) {
    (void)state;
    the->link.timeout_ms = 300;
    the->rules[0] = (struct rule){"PING", "-LOADING Redis is loading\r\n"};
    link_open(&the->link);
    assert_true(wait_for(&the->commands, 9));
    assert_string_equal(link_trouble(&the->link), "Redis loads its data");
    the->rules[0].command = NULL;
    assert_true(wait_for(&the->ready, 1));
    assert_int_equal(the->accepted, 1);
    assert_int_equal(the->down, 0);
}

/* Whoever is let in only to be thrown out waits ever longer. */
static void a_hollow_success_is_none(void **state) {
    (void)state;
    uint64_t from = uv_hrtime();
    open_ready();
    for (unsigned i = 1; i <= 6; i++) {
        buf_str(&the->answers, "-NOPERM no\r\n");
        assert_true(wait_for(&the->down, i));
        assert_non_null(strstr(the->why, "NOPERM"));
        assert_true(wait_for(&the->ready, i + 1));
    }
    /* At least 25, 50, 100, 200, 400 and 800 ms. */
    assert_true(uv_hrtime() - from > 1500000000ULL);
}

static void a_silent_redis_times_out(void **state) {
    (void)state;
    the->link.timeout_ms = 50;
    the->rules[0] = (struct rule){"PING", ""};
    link_open(&the->link);
    assert_true(wait_for(&the->down, 2));
    assert_string_equal(the->why, "timed out");
    the->rules[0].command = NULL;
    assert_true(wait_for(&the->ready, 1));
    unsigned down = the->down;
    uint64_t until = uv_hrtime() + 150000000;
    while (uv_hrtime() < until)
        turns(1);
    assert_int_equal(the->down, down); /* ready: the time is off */
}

/* --- commands -------------------------------------------------------------------------------
 */

static const struct rule some_answers[4] = {{"one", "+first\r\n"},
                                            {"two", "*3\r\n:2\r\n$-1\r\n*1\r\n$2\r\nin\r\n"},
                                            {"oom", "-OOM command not allowed\r\n"},
                                            {"err", "-ERR in the middle\r\n"}};
#define ALL_TOLD                                                                               \
    "one=first two=[2nil[in]] !OOM command not allowed oom=refused !ERR in the middle "        \
    "err=unknown one=first "

static void send_all(void) {
    static const char *const words[] = {"one", "two", "oom", "err", "one"};
    memcpy(the->rules, some_answers, sizeof some_answers);
    for (size_t i = 0; i < 5; i++)
        send_word(words[i]);
    assert_int_equal(the->link.pipeline.in_flight, 5);
    assert_int_equal(the->log.len, 0);
    assert_true(wait_for(&the->commands, 10));
    for (int i = 0; i < 2000 && the->link.pipeline.in_flight > 0; i++)
        turns(1);
    turns(2);
    assert_buf(&the->seen, "one|two|oom|err|one|");
    assert_buf(&the->log, ALL_TOLD);
}

static void answers_come_in_order(void **state) {
    (void)state;
    open_ready();
    send_all();
}

static void answers_may_come_byte_by_byte(void **state) {
    (void)state;
    the->step = 1;
    open_ready();
    send_all();
    assert_int_equal(the->down, 0);
}

/* Some 600 KB of script arguments, both ways around NOSCRIPT; the caller's bytes are gone by
 * the time that they are needed again. */
static void an_unknown_script_is_sent_whole(void **state) {
    (void)state;
    enum { BYTES = 300000 };
    struct buf tail, expected;
    buf_init(&tail);
    buf_init(&expected);
    the->rules[0] = (struct rule){"EVALSHA", "-NOSCRIPT No matching script\r\n"};
    the->rules[1] = (struct rule){"EVAL source-7", "+ran\r\n"};
    the->rules[2] = (struct rule){"EVAL source-8", "-NOSCRIPT again\r\n"};
    open_ready();
    for (int script = 7; script <= 8; script++) {
        buf_clear(&tail);
        resp_bulk(&tail, SLICE("key"));
        buf_printf(&tail, "$%d\r\n%0*d\r\n", BYTES, BYTES, script);
        assert_true(link_send(&the->link, script, 2,
                              SLICE("*5\r\n$7\r\nEVALSHA\r\n$3\r\nsha\r\n"
                                    "$1\r\n1\r\n"),
                              buf_bytes(&tail), on_done, (void *)(uintptr_t) "s"));
        memset(tail.data, 'x', tail.len);
    }
    send_word("PING");
    assert_true(wait_for(&the->commands, 10));
    turns(10);
    buf_printf(&expected, "EVALSHA sha 1 key %0*d|EVALSHA sha 1 key %0*d|PING|", BYTES, 7,
               BYTES, 8);
    buf_printf(&expected, "EVAL source-7 1 key %0*d|EVAL source-8 1 key %0*d|", BYTES, 7, BYTES,
               8);
    assert_true(slice_eq(buf_bytes(&the->seen), buf_bytes(&expected)));
    assert_buf(&the->log, "PING=PONG s=ran !NOSCRIPT again s=refused ");
    buf_deinit(&tail);
    buf_deinit(&expected);
}

/* What a flush took may have had an effect; what none took cannot. */
static void outcome_tells_what_was_flushed(void **state) {
    (void)state;
    for (unsigned i = 1; i <= 2; i++) {
        buf_clear(&the->log);
        the->rules[0] = (struct rule){"sent", ""};
        if (i == 1)
            open_ready();
        the->commands = 0;
        send_word("sent-a");
        send_word("sent-b");
        assert_true(wait_for(&the->commands, 2));
        the->no_flush = true;
        send_word("kept-c");
        send_word("kept-d");
        buf_clear(&the->log);
        if (i == 1)
            drop_peer();
        else
            link_reset(&the->link, "a reason");
        assert_true(wait_for(&the->down, i));
        assert_buf(&the->log, "sent-a=unknown sent-b=unknown kept-c=refused kept-d=refused ");
        assert_string_equal(the->why, i == 1 ? "Redis closed the connection" : "a reason");
        the->no_flush = false;
        buf_clear(&the->seen);
        assert_true(wait_for(&the->ready, i + 1));
        assert_buf(&the->seen, PLAIN); /* nothing is sent again */
    }
}

static void sends_only_while_ready(void **state) {
    (void)state;
    assert_false(link_send(&the->link, -1, 0, SLICE("x"), SLICE(""), on_done, NULL));
    link_open(&the->link);
    assert_false(link_send(&the->link, -1, 0, SLICE("x"), SLICE(""), on_done, NULL));
    link_reset(&the->link, "not connected");
    assert_int_equal(the->down, 0);
    assert_true(wait_for(&the->ready, 1));
    assert_buf(&the->seen, PLAIN);
}

static void an_unasked_reply_resets(void **state) {
    (void)state;
    open_ready();
    buf_str(&the->answers, "+surprise\r\n");
    assert_true(wait_for(&the->down, 1));
    assert_non_null(strstr(the->why, "nothing asked for"));
    assert_true(wait_for(&the->ready, 2));
    buf_str(&the->answers, "-ERR max number of clients reached\r\n");
    assert_true(wait_for(&the->down, 2));
    assert_buf(&the->log, "!ERR max number of clients reached ");
    assert_true(wait_for(&the->ready, 3));
    assert_int_equal(the->link.attempts, 0);
}

/* --- a subscriber ---------------------------------------------------------------------------
 */

static void a_subscriber_gets_pushes(void **state) {
    (void)state;
    static const size_t steps[] = {0, 1, 7};
    the->link.subscriber = true;
    the->rules[0] = (struct rule){"SUBSCRIBE", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                                               "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n"};
    open_ready();
    for (size_t i = 0; i < 3; i++) {
        the->step = steps[i];
        buf_clear(&the->log);
        assert_true(link_send(&the->link, -1, 0, SLICE("*2\r\n$9\r\nSUBSCRIBE\r\n"),
                              SLICE("$1\r\nc\r\n"), NULL, NULL));
        assert_int_equal(the->link.pipeline.in_flight, 0);
        for (int n = 0; n < 2000 && the->log.len < 25; n++)
            turns(1);
        assert_buf(&the->log, "[subscribec1] [messagec] ");
    }
    buf_str(&the->answers, "+no push\r\n");
    the->step = 0;
    assert_true(wait_for(&the->down, 1));
}

/* Pushes that take 200 ms to handle: the loop turns in between, and they stay in order. */
static void a_turn_has_a_budget(void **state) {
    (void)state;
    struct buf expected;
    unsigned n = 0;
    buf_init(&expected);
    the->link.subscriber = true;
    open_ready();
    the->push_us = 100;
    for (int i = 0; i < 2000; i++) {
        buf_printf(&the->answers, "*1\r\n:%d\r\n", i);
        buf_printf(&expected, "[%d] ", i);
    }
    for (; n < 5000 && the->log.len < expected.len; n++)
        turns(1);
    assert_true(slice_eq(buf_bytes(&the->log), buf_bytes(&expected)));
    assert_true(n > 10);
    buf_deinit(&expected);
}

/* --- waiting and closing --------------------------------------------------------------------
 */

static void attempts_go_on(void **state) {
    (void)state;
    int port = the->address.port;
    the->address.port = 1; /* nobody listens there */
    link_open(&the->link);
    assert_true(wait_for(&the->down, 5));
    turns(3);
    assert_int_equal(the->link.attempts, 5);
    assert_int_equal(the->ready, 0);
    the->address.port = port;
    assert_true(wait_for(&the->ready, 1));
    assert_int_equal(the->link.attempts, 0);
    assert_int_equal(the->down, 5);
}

/* --- names ----------------------------------------------------------------------------------
 */

static struct {
    unsigned delay_ms;
    unsigned asked;
    int ports[2]; /* of the addresses in the answer; 0: no more */
} dns;

/* In place of the C library's, in libuv's thread: a name leads to these ports of 127.0.0.1. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out) {
    struct addrinfo *next = NULL;
    (void)node;
    (void)service;
    (void)hints;
    dns.asked++;
    usleep(dns.delay_ms * 1000);
    for (int i = 1; i >= 0; i--) {
        if (dns.ports[i] == 0)
            continue;
        struct addrinfo *made = calloc(1, sizeof *made + sizeof(struct sockaddr_in));
        made->ai_addr = (struct sockaddr *)(made + 1);
        uv_ip4_addr("127.0.0.1", dns.ports[i], (struct sockaddr_in *)made->ai_addr);
        made->ai_next = next;
        next = made;
    }
    *out = next;
    return 0;
}

static void name_leads_to(int first, int second, unsigned delay_ms) {
    strcpy(the->address.host, "unit.invalid");
    dns.ports[0] = first;
    dns.ports[1] = second;
    dns.delay_ms = delay_ms;
    dns.asked = 0;
}

/* Of two addresses the first serves nobody: both are tried before the name is asked for again.
 */
static void all_addresses_of_an_answer_are_tried(void **state) {
    (void)state;
    name_leads_to(1, the->address.port, 0);
    link_open(&the->link);
    assert_true(wait_for(&the->ready, 1));
    assert_int_equal(the->down, 1);
    assert_int_equal(dns.asked, 1);
    drop_peer(); /* it may lead elsewhere now */
    assert_true(wait_for(&the->ready, 2));
    assert_int_equal(dns.asked, 2);
}

/* An answer that takes longer than the timeout is not thrown away, nor asked for again. */
static void a_slow_answer_serves(void **state) {
    (void)state;
    name_leads_to(the->address.port, 0, 600);
    the->link.timeout_ms = 100;
    link_open(&the->link);
    for (int i = 0; i < 50; i++)
        turns(1);
    assert_int_equal(the->link.state, LINK_RESOLVING);
    assert_string_equal(link_trouble(&the->link), "the name of Redis is being looked up");
    link_reset(&the->link, "meanwhile"); /* its answer serves the next attempt */
    assert_true(wait_for(&the->ready, 1));
    assert_int_equal(dns.asked, 1);
    assert_int_equal(the->down, 1);
}

static bool reach(enum link_state wanted) {
    for (int i = 0; i < 3000 && the->link.state != wanted; i++)
        turns(1);
    return the->link.state == wanted;
}

static void closes_before_it_is_opened(void **state) {
    (void)state;
    close_link();
    assert_int_equal(the->down, 0);
}

static void closes_while_resolving(void **state) {
    (void)state;
    name_leads_to(the->address.port, 0, 50);
    link_open(&the->link);
    assert_true(reach(LINK_RESOLVING));
    close_link();
}

static void closes_while_greeting(void **state) {
    (void)state;
    the->hold = 100;
    link_open(&the->link);
    assert_true(reach(LINK_GREETING));
    close_link();
    assert_int_equal(the->ready, 0);
}

static void closes_while_ready(void **state) {
    (void)state;
    the->rules[0] = (struct rule){"sent", ""};
    open_ready();
    the->commands = 0;
    send_word("sent");
    assert_true(wait_for(&the->commands, 1));
    send_word("kept");
    close_link();
    assert_buf(&the->log, "sent=unknown kept=refused ");
    assert_int_equal(the->down, 1);
}

static void closes_while_falling(void **state) {
    (void)state;
    open_ready();
    link_reset(&the->link, "a reason");
    assert_int_equal(the->link.state, LINK_FALLING);
    close_link();
    assert_int_equal(the->down, 1);
}

static void closes_while_waiting(void **state) {
    (void)state;
    the->rules[0] = (struct rule){"PING", NULL};
    link_open(&the->link);
    assert_true(reach(LINK_WAITING));
    close_link();
    assert_int_equal(the->ready, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(greets_in_order),
        TEST(greets_with_user_and_database),
        TEST(greets_with_a_password),
        TEST(each_bad_greeting_is_named),
        TEST(a_loading_redis_is_awaited),
        TEST(a_hollow_success_is_none),
        TEST(a_silent_redis_times_out),
        TEST(answers_come_in_order),
        TEST(answers_may_come_byte_by_byte),
        TEST(an_unknown_script_is_sent_whole),
        TEST(outcome_tells_what_was_flushed),
        TEST(sends_only_while_ready),
        TEST(an_unasked_reply_resets),
        TEST(a_subscriber_gets_pushes),
        TEST(a_turn_has_a_budget),
        TEST(attempts_go_on),
        TEST(all_addresses_of_an_answer_are_tried),
        TEST(a_slow_answer_serves),
        TEST(closes_before_it_is_opened),
        TEST(closes_while_resolving),
        TEST(closes_while_greeting),
        TEST(closes_while_ready),
        TEST(closes_while_falling),
        TEST(closes_while_waiting),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
