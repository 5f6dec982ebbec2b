#include "client_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/client/asking.h"
#include "gateway/client/early.h"
#include "gateway/client/field.h"
#include "gateway/client/life.h"
#include "told.h"
#include "unheard.h"
uv_loop_t loop;
static const struct slice KEY = {"k", 1};
struct leases leases;
struct lease *lease;
struct clients clients;
struct options options;
static struct slabs slabs;
static struct metrics metrics;
struct event_row rows[EVENT_COUNT];
uint64_t slow_until;          /* as the door was told */
struct request *held;         /* the event that takes its time */
bool abandoned, freed, kills; /* kills: the next answer ends the connection */

/* --- the door -------------------------------------------------------------------------------
 */

static void on_deliver(struct subscriber *s, struct message *m) {
    (void)s;
    tell("%.*s ", (int)m->event.len, m->event.ptr);
}
static void on_close(struct subscriber *s, uint16_t code, const char *reason) {
    tell("close:%u:%s ", code, reason);
    client_gone(client_of(s));
}
static void on_address(const struct subscriber *s, char *out, size_t size) {
    (void)s;
    snprintf(out, size, "1.2.3.4:5");
}
static void on_free(struct subscriber *s) {
    struct client *gone = client_of(s);
    freed = true;
    client_deinit(gone);
    free(gone);
}
static void on_answer(struct client *c, const struct ack *ack, struct slice data,
                      bool several) {
    (void)several;
    tell("%.*s=%.*s ", ack->len, ack->bytes, (int)data.len, data.ptr);
    if (kills)
        client_close(c, 1013, "slow");
}
static void on_fail(struct client *c, const struct ack *ack, const char *event,
                    const struct failure *failure) {
    static const char *const outcomes[] = {"", "/refused", "/unknown"};
    (void)c, (void)event;
    tell("!%.*s:%s%s%s%s ", ack->len, ack->bytes, err_code(failure->err),
         outcomes[failure->outcome], failure->field != NULL ? ":" : "",
         failure->field != NULL ? failure->field : "");
    if (failure->message_id.len > 0)
        tell("#%.*s ", (int)failure->message_id.len, failure->message_id.ptr);
}
static void on_pause(struct client *c, bool pause) {
    (void)c;
    tell(pause ? "pause " : "go-on ");
}
static bool on_slow(struct client *c, uint64_t until) {
    (void)c;
    slow_until = until;
    return true;
}
size_t unread;
static size_t on_queued(const struct subscriber *s) {
    (void)s;
    return unread;
}
static void on_want_drained(struct subscriber *s) {
    (void)s;
    tell("want-drained ");
}
struct door door = {.as = {.name = "door",
                           .deliver = on_deliver,
                           .queued = on_queued,
                           .want_drained = on_want_drained,
                           .close = on_close,
                           .address = on_address,
                           .free = on_free},
                    .answer = on_answer,
                    .fail = on_fail,
                    .pause = on_pause,
                    .slow = on_slow};

/* --- the events -----------------------------------------------------------------------------
 */

static void read_from_redis(struct request *r, struct json_value data) {
    (void)data;
    request_script(r, SCRIPT_roster, &KEY, 1, NULL, 0, request_done);
}

static void say(struct request *r, struct json_value data) {
    static const char *const names[] = {"clientMessageId"};
    struct json_value f[1];
    struct buf id;
    json_fields(data, names, f, 1);
    buf_init(&id);
    if (field_message_id(r, f[0], &id))
        request_sent(r,
                     append_event(clients.redis, SLICE("topic:t"), "e", SLICE("0"),
                                  buf_bytes(&id), SLICE(""), &r->sending, request_appended, r));
    buf_deinit(&id);
}

static void on_logged_in(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct client *c = r->client;
    if (!request_check(r, reply, outcome))
        return;
    c->as.user = slice_of(strdup("ann"));
    c->as.logged_in = true;
    c->presence.wanted = c->presence.in = true; /* the registry has a test of its own */
    clients.user_count++;
    early_release(c);
    request_ok(r, SLICE("{}"));
}

static void log_in(struct request *r, struct json_value data) {
    (void)data;
    request_script(r, SCRIPT_online, &KEY, 1, NULL, 0, on_logged_in);
}

static void on_abandon(struct request *r) {
    abandoned = true;
    request_ok(r, (struct slice){NULL, 0});
}

void hold(struct request *r, struct json_value data) {
    (void)data;
    held = r;
    r->abandon = on_abandon;
}

static void do_nothing(struct request *r, struct json_value data) {
    (void)data;
    request_ok(r, SLICE("{}"));
}

#define ROW(symbol, name, handler, flags, rights, payload)                                     \
    {name, do_nothing, flags, 0, payload, 0, 0},
static void rows_make(void) {
    static const struct event_row table[EVENT_COUNT] = {EVENT_TABLE(ROW)};
    memcpy(rows, table, sizeof rows);
    rows[EVENT_LOGIN].handle = log_in;
    rows[EVENT_PUBLISH].handle = say;
    rows[EVENT_HISTORY].handle = read_from_redis;
    rows[EVENT_TYPING].handle = hold;
    rows[EVENT_PRIVATE_MESSAGE].handle = hold;
}

/* --- the client -----------------------------------------------------------------------------
 */

struct client *client;

/* An event with this data, or without any if it is empty; the number is its ack. */
void send_event_beside(const char *event, unsigned number, const char *data) {
    struct json_value value = {JSON_NONE, {NULL, 0}};
    struct ack ack;
    if (*data != '\0')
        assert_int_equal(json_parse(slice_of(data), &value), JSON_OK);
    ack.len = (unsigned char)snprintf(ack.bytes, sizeof ack.bytes, "%u", number);
    client_event(client, slice_of(event), value, &ack);
}

void send_event(const char *event, unsigned number, const char *data) {
    send_event_beside(event, number, data);
    fake_turn();
}

/* A message whose clientMessageId is this number. after: 0, or the one before it. */
void send_message(unsigned number, unsigned after) {
    char data[96];
    int len = snprintf(data, sizeof data, "{\"clientMessageId\":%u", number);
    if (after != 0)
        len += snprintf(data + len, sizeof data - (size_t)len, ",\"after\":%u", after);
    snprintf(data + len, sizeof data - (size_t)len, "}");
    send_event("publish", number, data);
}

/* The oldest script appends this message. */
void assert_appends(unsigned number) {
    assert_asked("append topic:t | '' e 0 ann:%u '' ''", number);
}

void answer_append(unsigned seq) {
    fake_answer("0 %u 7000", seq);
}

void client_make(void) {
    client = calloc(1, sizeof *client);
    freed = false;
    client_open(client, &clients, &door);
}

void client_log_in(void) {
    send_event("login", 0, "");
    fake_answer("0");
    assert_told("0={} ");
}

/* --- the room -------------------------------------------------------------------------------
 */

int set_up_anonymous(void **state) {
    (void)state;
    told_forget();
    held = NULL;
    unread = 0;
    abandoned = kills = false;
    slow_until = 0;
    door.waits_for_login = false;
    options = (struct options){.lease_interval = 1000,
                               .lease_timeout = 5000,
                               .redis_timeout = 3000,
                               .score_interval = 30000,
                               .heartbeat_timeout = 4000,
                               .max_subscriptions = 10,
                               .max_message = MOST};
    fake_begin();
    rows_make();
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(
        leases_init(&leases, &loop, &fake.redis, &options, "n", &lease_unheard, NULL), 0);
    lease = lease_first(&leases);
    clients = (struct clients){.rows = rows};
    clients_init(&clients, &slabs, NULL, &leases, &options, &metrics, &registry_unheard, NULL);
    client_make();
    lease_redis_up(lease);
    fake_answer("0 0 %s 1", lease->incarnation);
    return 0;
}

int set_up(void **state) {
    set_up_anonymous(state);
    client_log_in();
    return 0;
}

/* Nothing is left that belongs to the client. */
int tear_down(void **state) {
    (void)state;
    if (!freed && !client->as.gone)
        client_gone(client);
    if (held != NULL && !abandoned)
        request_ok(held, SLICE("{}"));
    lease->stopping = true;
    redis_unsubscribe(fake.redis.partitions, lease->beacon_bell);
    registry_close(&clients.registry); /* or those that Redis could not be told of are kept */
    fake_end();
    assert_true(freed);
    assert_int_equal(clients.waiting_bytes, 0);
    assert_int_equal(clients.registry.all.count, 0);
    assert_int_equal(clients.user_count, 0);
    assert_int_equal(clients.wheel.count, 0);
    leases_close(&leases, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    leases_deinit(&leases);
    slabs_deinit(&slabs);
    return 0;
}
