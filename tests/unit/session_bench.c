#include "session_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/client/life.h"
#include "gateway/session/offset.h"
#include "told.h"
#include "unheard.h"
uv_loop_t loop;
struct leases leases;
struct lease *lease;
struct hub hub;
static struct clients clients;
struct sessions sessions;
static struct options options;
static struct slabs slabs;
static struct metrics metrics;
unsigned freed;

/* --- the door -------------------------------------------------------------------------------
 */

static void on_deliver(struct subscriber *s, struct message *m) {
    struct session *own = client_of(s)->session;
    struct buf out;
    buf_init(&out);
    if (m->seq != 0 || slice_is(m->event, "e"))
        offset_put(own, m, offset_sends(own, m), &out);
    tell("%llu:%.*s ", (unsigned long long)m->seq, (int)out.len, out.len > 0 ? out.data : "");
    buf_deinit(&out);
}
static size_t on_queued(const struct subscriber *s) {
    (void)s;
    return 0;
}
static void on_want_drained(struct subscriber *s) {
    (void)s;
}
static void on_close(struct subscriber *s, uint16_t code, const char *reason) {
    tell("close:%u:%s ", code, reason);
    session_over(client_of(s)->session, false);
    client_gone(client_of(s));
}
static void on_free(struct subscriber *s) {
    struct client *c = client_of(s);
    freed++;
    session_free(c->session);
    client_deinit(c);
    free(c);
}
static const struct door door = {.as = {.name = "door",
                                        .deliver = on_deliver,
                                        .queued = on_queued,
                                        .want_drained = on_want_drained,
                                        .close = on_close,
                                        .free = on_free}};

/* --- what the hub tells ---------------------------------------------------------------------
 */

static enum audience on_room_event(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip) {
    (void)owner, (void)ch, (void)m, (void)skip;
    return AUDIENCE_LIVE;
}
static void on_channel(void *owner, struct channel *ch) {
    (void)owner, (void)ch;
}
static void on_subscriber(void *owner, struct subscriber *s) {
    (void)owner, (void)s;
}
static void on_entering(void *owner, struct subscriber *s) {
    (void)owner;
    session_entering(client_of(s));
}
static void on_entered(void *owner, struct sub *sub, const struct position *floor,
                       uint64_t clock, bool resumed) {
    (void)owner;
    session_entered(sub, floor, clock, resumed);
}
static void on_reset(void *owner, struct sub *sub, struct slice epoch, uint64_t from) {
    (void)owner;
    session_reset(sub, epoch, from);
}
static void on_dropped(void *owner, struct sub *sub) {
    (void)owner;
    session_dropped(sub);
}
static const struct hub_events hub_events = {.on_room_event = on_room_event,
                                             .on_healed = on_channel,
                                             .on_free = on_channel,
                                             .on_entering = on_entering,
                                             .on_entered = on_entered,
                                             .on_made = on_subscriber,
                                             .on_reset = on_reset,
                                             .on_dropped = on_dropped};

/* --- a client, and where it is --------------------------------------------------------------
 */

struct client *ann;

struct client *client_make(void) {
    struct client *c = calloc(1, sizeof *c);
    client_open(c, &clients, &door);
    c->as.user = slice_of(strdup("ann"));
    assert_true(session_open(c, NAME, SLICE("/")));
    return c;
}

static void on_checked(void *arg, struct sub *sub, enum check_result result,
                       const struct position *now) {
    (void)arg, (void)result, (void)now;
    sub_start(sub);
}

const char *bell_of(const char *channel) {
    static char name[64];
    snprintf(name, sizeof name, "sluice:{%s}", channel);
    return name;
}

/* Asks to enter a channel, from a seq if that is not 0; the log is not asked for yet. */
struct sub *subscribe(const char *channel, unsigned seq) {
    struct position since = {.epoch = ""};
    if (seq > 0)
        position_set(&since, SLICE("a"), seq);
    struct sub *sub =
        hub_subscribe(&hub, &ann->as, slice_of(channel), &since, on_checked, NULL);
    fake_confirm(bell_of(channel));
    return sub;
}

/* Enters a channel whose log is in the epoch a, and ends at 5 with the time 100. */
struct sub *enter(const char *channel) {
    struct sub *sub = subscribe(channel, 0);
    fake_answer("0 a 5 5 100 [ ]");
    return sub;
}

const char *frame(const char *channel, unsigned seq, unsigned time) {
    static char text[256];
    snprintf(text, sizeof text,
             "{\"channel\":\"%s\",\"epoch\":\"a\",\"seq\":%u,\"time\":%u,\"event\":\"e\","
             "\"data\":0}",
             channel, seq, time);
    return text;
}

void ring(const char *channel, unsigned seq, unsigned time) {
    fake_ring(bell_of(channel), frame(channel, seq, time));
}

static void on_saved(void *arg, bool good) {
    (void)arg;
    tell(good ? "saved " : "not-saved ");
}

void save(struct sub *room) {
    session_save(ann->session, room, on_saved, NULL);
}

/* The oldest script must be of ann's session: verb, then the text after the incarnation. */
void assert_session(const char *verb, const char *more) {
    char id[CLIENT_ID_SIZE];
    struct slice own = client_id(ann, id);
    assert_asked("session sio:%s | %s %.*s %s%s", ann->session->pid, verb, (int)own.len,
                 own.ptr, leases.all[ann->session->home].incarnation, more);
}

const char *whole_of(const char *room, const char *channels) {
    static char text[1024];
    char id[CLIENT_ID_SIZE];
    struct slice own = subscriber_origin(&ann->as, id);
    snprintf(text, sizeof text, " " TTL " salt %u room %s user ann namespace / origin %.*s%s",
             ann->session->salt, room, (int)own.len, own.ptr, channels);
    return text;
}

static int begin(unsigned partitions) {
    told_forget();
    freed = 0;
    options = (struct options){.lease_interval = 1000,
                               .lease_timeout = 5000,
                               .redis_timeout = 3000,
                               .score_interval = 30000,
                               .sio_recovery = RECOVERY};
    fake_begin();
    fake_split(partitions);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(
        hub_init(&hub, &loop, &fake.redis, &slabs, 1048576, &metrics, &hub_events, NULL), 0);
    assert_int_equal(
        leases_init(&leases, &loop, &fake.redis, &options, "n", &lease_unheard, NULL), 0);
    lease = lease_first(&leases);
    for (unsigned i = 0; i < partitions; i++) {
        lease_redis_up(&leases.all[i]);
        fake_answer("0 0 %s 1", leases.all[i].incarnation);
    }
    sessions = (struct sessions){.terms = {0}};
    sessions_init(&sessions, &leases, &options, &hub);
    for (unsigned i = 0; i < partitions; i++) {
        hub_redis_up(&hub, redis_at(&fake.redis, i), true);
        sessions_redis_up(&sessions, redis_at(&fake.redis, i));
    }
    clients = (struct clients){.sessions = &sessions};
    clients_init(&clients, &slabs, &hub, &leases, &options, &metrics, &registry_unheard, NULL);
    ann = client_make();
    return 0;
}

int set_up(void **state) {
    (void)state;
    return begin(1);
}

int set_up_apart(void **state) {
    (void)state;
    return begin(3);
}

int tear_down(void **state) {
    (void)state;
    leases_stop(&leases);
    fake_fall();
    while (!list_empty(&clients.registry.all.list)) {
        struct client *c = client_at(clients.registry.all.list.next);
        session_over(c->session, false);
        client_gone(c);
    }
    for (unsigned i = 0; i < leases.count; i++)
        redis_unsubscribe(redis_at(&fake.redis, i), leases.all[i].beacon_bell);
    fake_end();
    assert_int_equal(freed, clients.registry.all.last);
    assert_true(list_empty(&sessions.kept));
    hub_close(&hub, NULL);
    leases_close(&leases, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    leases_deinit(&leases);
    hub_deinit(&hub);
    slabs_deinit(&slabs);
    return 0;
}
