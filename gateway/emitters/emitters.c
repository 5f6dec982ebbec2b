#include "gateway/emitters/emitters.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/percent.h"
#include "common/utf8.h"
#include "gateway/channel/filter.h"
#include "gateway/channel/name.h"
#include "gateway/client/own.h"
#include "gateway/client/request.h"
#include "gateway/emitters/packet.h"
#include "gateway/presence/sockets.h"
#include "gateway/redis/plain.h"

#define BROADCASTS   "socket.io#*"
#define ORDERS       "socket.io-request#*"
#define MESSAGE_MORE 65536 /* a message may be so much longer than a client's */

static void drop(const struct emitters *e, struct slice channel, const char *why) {
    metric_add(e->clients->metrics, METRIC_EMITTERS_DROPPED, 1);
    LOG(LOG_DEBUG, "emitter_dropped", "channel",
        log_text("%.*s", (int)(channel.len < 200 ? channel.len : 200), channel.ptr), "why", why,
        NULL);
}

static void taken(const struct emitters *e) {
    metric_add(e->clients->metrics, METRIC_EMITTERS_TAKEN, 1);
}

/* --- whom it is for -------------------------------------------------------------------------
 */

/* Something is done to sockets, once to each. */
struct visit {
    struct emitters *emitters;
    void (*take)(struct visit *v, struct subscriber *s);
    struct slice nsp;
    struct message *m;          /* for `give` */
    struct subscriber **picked; /* for `pick`: references */
    size_t count, size;
    bool failed; /* no memory for them */
};

static struct subscribers *all_of(const struct emitters *e) {
    return &e->clients->registry.all;
}

static void meet(struct visit *v, struct subscriber *s) {
    uint32_t stamp = all_of(v->emitters)->stamp;
    if (s->gone || !s->logged_in || s->stamp == stamp || !slice_eq(subscriber_nsp(s), v->nsp))
        return;
    s->stamp = stamp;
    v->take(v, s);
}

static void leave_out(struct visit *v, struct subscriber *s) {
    (void)v; /* its stamp says that it was met */
    (void)s;
}

static void meet_subs(struct visit *v, struct list *subs) {
    /* A delivery may close its subscriber, which takes this sub out of the list. */
    for (struct list *at = subs->next, *next; at != subs; at = next) {
        const struct sub *sub = container_of(at, struct sub, in_channel);
        next = at->next;
        if (sub->catchup == NULL || sub->started)
            meet(v, sub->subscriber);
    }
}

static void meet_channel(struct visit *v, struct slice channel) {
    struct channel *ch = hub_find(v->emitters->clients->hub, channel);
    if (ch == NULL)
        return;
    channel_ref(ch);
    meet_subs(v, &ch->behind);
    meet_subs(v, &ch->live);
    channel_unref(ch);
}

static void meet_all(struct visit *v) {
    struct list *list = &all_of(v->emitters)->list;
    for (struct list *at = list->next, *next; at != list; at = next) {
        next = at->next;
        meet(v, container_of(at, struct subscriber, link));
    }
}

/* The channel of a name: a user's inbox, or a room. Empty: it can be neither. */
static struct slice channel_of(struct slice name, char out[CHANNEL_NAME_SIZE]) {
    char bytes[NAME_MAX_LEN];
    struct slice user = SLICE("user:"), none = {NULL, 0};
    bool is_user = slice_starts(name, user);
    if (is_user)
        name = channel_rest(name, user);
    ptrdiff_t len = percent_encode_name(name, bytes, sizeof bytes);
    struct slice named = {bytes, len > 0 ? (size_t)len : 0};
    if (is_user)
        return name_valid_user(named) ? user_channel(named, out) : none;
    return name_valid(named) ? room_channel(named, out) : none;
}

static struct subscriber *socket_of(const struct visit *v, struct slice name) {
    return sockets_find(v->emitters->clients->sockets, name);
}

static void meet_name(struct visit *v, struct slice name) {
    char bytes[CHANNEL_NAME_SIZE];
    struct subscriber *s = socket_of(v, name);
    if (s != NULL)
        meet(v, s);
    struct slice channel = channel_of(name, bytes);
    if (channel.len > 0)
        meet_channel(v, channel);
}

/* --- broadcasts -----------------------------------------------------------------------------
 */

static void give(struct visit *v, struct subscriber *s) {
    if (filter_passes(v->m, s))
        s->ops->deliver(s, v->m);
}

/* What is the same for all of a packet's rooms: all of the frame from the event on. */
static bool put_tail(struct buf *out, const struct packet *p) {
    buf_clear(out);
    buf_str(out, "\"event\":");
    json_escape(out, p->event);
    if (p->nsp.len > 1) {
        buf_str(out, ",\"nsp\":");
        json_escape(out, p->nsp);
    }
    buf_str(out, p->only.len > 0 ? ",\"data\":" : ",\"args\":");
    buf_slice(out, p->only.len > 0 ? p->only : buf_bytes(&p->args));
    if (p->bin.len > 0) {
        buf_str(out, ",\"bin\":");
        buf_slice(out, buf_bytes(&p->bin));
    }
    buf_char(out, '}');
    return !out->failed;
}

/* The sockets of one name, or all of them (of the name `all`), get the message. */
static void deliver(struct visit *v, struct slice channel, struct slice name) {
    struct clients *all = v->emitters->clients;
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (message_own(&m, &frame, channel, buf_bytes(&v->emitters->tail))) {
        metric_add(all->metrics, METRIC_MESSAGES, 1);
        v->m = &m;
        if (name.len == 0)
            meet_all(v);
        else
            meet_name(v, name);
        message_done(&m, all->slabs);
        v->m = NULL;
    }
    buf_deinit(&frame);
}

/* A frame names the room, or the socket if it is one of this node. */
static void deliver_name(struct visit *v, struct slice name) {
    char bytes[CHANNEL_NAME_SIZE];
    struct slice channel = channel_of(name, bytes);
    struct buf socket;
    buf_init(&socket);
    if (socket_of(v, name) != NULL) {
        channel_join_name(&socket, "socket:", name);
        channel = buf_bytes(&socket);
    }
    if (channel.len > 0 && !socket.failed)
        deliver(v, channel, name);
    buf_deinit(&socket);
}

static void broadcast(struct emitters *e, const struct packet *p) {
    static const struct slice nobody = {NULL, 0};
    struct visit v = {.emitters = e, .take = leave_out, .nsp = p->nsp};
    struct slice name;
    all_of(e)->stamp++;
    for (uint32_t i = 0; packet_name(p->except, i, &name); i++)
        meet_name(&v, name);
    v.take = give;
    if (!packet_name(p->rooms, 0, &name))
        deliver(&v, SLICE("all"), nobody);
    for (uint32_t i = 0; packet_name(p->rooms, i, &name); i++)
        deliver_name(&v, name);
}

static const char *check_names(const struct emitters *e, const struct packet *p) {
    if (p->nsp.len == 0 || p->nsp.ptr[0] != '/' || !event_name_valid(p->nsp))
        return "its namespace is none";
    if (!event_name_valid(p->event))
        return "its event is no name of one";
    return event_reserved(e->clients->options, p->event, p->nsp) ? "its event is reserved"
                                                                 : NULL;
}

static void on_broadcast(struct emitters *e, struct slice channel, struct slice payload) {
    struct packet p;
    const char *wrong = packet_read(&p, payload);
    if (wrong != NULL) {
        drop(e, channel, wrong);
        return;
    }
    wrong = check_names(e, &p);
    if (wrong == NULL && !put_tail(&e->tail, &p))
        wrong = "out of memory";
    if (wrong == NULL) {
        taken(e);
        broadcast(e, &p);
    } else {
        drop(e, channel, wrong);
    }
    packet_free(&p);
    if (e->tail.cap > MESSAGE_MORE)
        buf_deinit(&e->tail);
}

/* --- orders ---------------------------------------------------------------------------------
 */

/* What is ordered may change the lists of sockets, so they are picked before. */
static void pick(struct visit *v, struct subscriber *s) {
    if (v->count == v->size) {
        size_t size = v->size > 0 ? 2 * v->size : 64;
        struct subscriber **grown = realloc(v->picked, size * sizeof(struct subscriber *));
        v->failed = v->failed || grown == NULL;
        if (grown == NULL)
            return;
        v->picked = grown;
        v->size = size;
    }
    subscriber_ref(s);
    v->picked[v->count++] = s;
}

static void meet_names(struct visit *v, struct json_value names) {
    char bytes[3 * NAME_MAX_LEN];
    struct json_iter it;
    json_iter_init(&it, names);
    while (json_iter_next(&it)) {
        ptrdiff_t len = json_decode(it.value, bytes, sizeof bytes);
        if (len > 0)
            meet_name(v, (struct slice){bytes, (size_t)len});
    }
}

static bool is_empty(struct json_value names) {
    struct json_iter it;
    json_iter_init(&it, names);
    return !json_iter_next(&it);
}

/* A move that fails is told to nobody: the client has not asked for it. */
static void on_moved(struct request *r, const struct failure *f) {
    struct client *c = r->client;
    const char *room = r->outer; /* that was to be entered; NULL: left */
    struct sub *sub =
        f == NULL && room != NULL && !c->as.gone ? sub_find(&c->as, slice_of(room)) : NULL;
    if (sub != NULL)
        sub->granted = true; /* while it is in the room, it needs no other right */
    request_ok(r, SLICE("{}"));
}

static void on_enter(struct request *r, struct json_value data) {
    static const char *const names[] = {"room"};
    char name[NAME_MAX_LEN], channel[CHANNEL_NAME_SIZE];
    struct json_value room;
    json_fields(data, names, &room, 1);
    ptrdiff_t len = json_decode(room, name, sizeof name);
    struct slice whole = room_channel((struct slice){name, len > 0 ? (size_t)len : 0}, channel);
    r->outer = strndup(whole.ptr, whole.len); /* without memory, its own rights decide */
    r->outer_drop = free;
    r->trusted = true;
    request_step(r, &clients_of(r->client)->rows[EVENT_JOIN], data, on_moved);
}

static void on_leaving(struct request *r, struct json_value data) {
    r->trusted = r->alone = true;
    request_step(r, &clients_of(r->client)->rows[EVENT_LEAVE], data, on_moved);
}

/* Moves a socket into the room, or out of it. */
static void move(const struct emitters *e, struct client *c, enum order_kind kind,
                 struct slice room) {
    struct buf text;
    struct json_value data;
    buf_init(&text);
    buf_str(&text, "{\"room\":");
    json_escape(&text, room);
    buf_char(&text, '}');
    if (!text.failed && json_parse(buf_bytes(&text), &data) == JSON_OK)
        client_act(c, kind == ORDER_JOIN ? &e->enter : &e->leave, data);
    buf_deinit(&text);
}

static void move_all(const struct emitters *e, struct client *c, const struct order_read *o) {
    char bytes[3 * NAME_MAX_LEN], channel[CHANNEL_NAME_SIZE];
    struct json_iter it;
    json_iter_init(&it, o->rooms);
    while (!c->as.gone && json_iter_next(&it)) {
        ptrdiff_t len = json_decode(it.value, bytes, sizeof bytes);
        struct slice name =
            channel_of((struct slice){bytes, len > 0 ? (size_t)len : 0}, channel);
        if (is_room(name))
            move(e, c, o->kind, room_of(name));
    }
}

static void obey(const struct emitters *e, const struct order_read *o, struct visit *v) {
    for (size_t i = 0; i < v->count; i++) {
        struct client *c = client_of(v->picked[i]);
        if (c->as.gone)
            continue;
        if (o->kind == ORDER_DISCONNECT)
            client_close(c, 4403, "disconnected by the application");
        else
            move_all(e, c, o);
    }
    for (size_t i = 0; i < v->count; i++)
        subscriber_unref(v->picked[i]);
}

static void on_order(struct emitters *e, struct slice channel, struct slice payload) {
    struct order_read o;
    const char *wrong = "it is no UTF-8";
    if (utf8_valid(payload))
        wrong = order_read(&o, channel, payload);
    if (wrong != NULL) {
        drop(e, channel, wrong);
        return;
    }
    if (o.kind == ORDER_OTHER)
        return;
    struct visit v = {.emitters = e, .take = leave_out, .nsp = o.nsp};
    taken(e);
    all_of(e)->stamp++;
    meet_names(&v, o.except);
    v.take = pick;
    if (is_empty(o.who))
        meet_all(&v);
    else
        meet_names(&v, o.who);
    obey(e, &o, &v);
    if (v.failed)
        drop(e, channel, "out of memory for some sockets");
    free(v.picked);
}

/* --- listening ------------------------------------------------------------------------------
 */

static void on_matched(void *arg, struct slice channel, struct slice payload) {
    struct emitters *e = arg;
    if (payload.len > e->clients->options->max_message + MESSAGE_MORE)
        drop(e, channel, "it is too long");
    else if (slice_starts(channel, SLICE("socket.io#")))
        on_broadcast(e, channel, payload);
    else
        on_order(e, channel, payload);
}

static void on_nothing(void *arg) {
    (void)arg; /* what is published while Redis is away reaches nobody, as with Socket.IO */
}

static const struct subscription_events events = {
    .on_confirmed = on_nothing, .on_matched = on_matched, .on_lost = on_nothing};

int emitters_init(struct emitters *e, struct clients *clients) {
    *e = (struct emitters){.clients = clients};
    buf_init(&e->tail);
    e->enter = clients->rows[EVENT_JOIN];
    e->enter.handle = on_enter;
    e->leave = clients->rows[EVENT_LEAVE];
    e->leave.handle = on_leaving;
    if (!clients->options->sio_emitters)
        return 0;
    bool good = redis_listen_pattern(clients->redis, SLICE(BROADCASTS), &events, e) != NULL &&
                redis_listen_pattern(clients->redis, SLICE(ORDERS), &events, e) != NULL;
    return good ? 0 : UV_ENOMEM;
}

void emitters_deinit(struct emitters *e) {
    buf_deinit(&e->tail);
}
