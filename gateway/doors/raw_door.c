#include "gateway/doors/raw_door.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/name.h"
#include "common/percent.h"
#include "common/rate.h"
#include "common/utf8.h"
#include "gateway/login/connect_ask.h"
#include "gateway/redis/overview.h"
#include "gateway/redis/plain.h"

/* Delivery is at most once, so messages that a stalled Redis does not take are dropped. */
#define BACKLOG_MOST 1048576
/* The longest message to a channel without w. */
#define READ_ONLY_MOST 16384
/* The wall clock, by which tokens end, may be set; so it is looked at this often. */
#define LOOK_MS            10000
#define CODE_TOKEN_EXPIRED 4401
#define CODE_REVOKED       4403

struct raw_channel {
    struct raw_door *door;
    char *name;
    bool writable;
    struct list sockets;
    size_t count;
    struct subscription *subscription; /* not NULL while there are sockets */
};

struct raw_socket {
    struct wsock ws;
    struct raw_channel *channel;
    struct list link;
    struct bucket rate;        /* what it has spent */
    struct raw_bearer *bearer; /* NULL: identity is off, or the socket is gone */
};

/* A connection with a token: first its handshake, then its socket. It is freed when Redis has
 * answered for it (raw_users.h). */
struct raw_bearer {
    struct raw_user user;
    struct holder holder;
    struct wheel_timer end; /* of the token */
    struct raw_door *door;
    struct raw_handshake *handshake; /* held, or NULL */
    struct raw_socket *socket;       /* open, or NULL */
    bool writes;
};

struct raw_handshake {
    struct handshake as;
    struct raw_door *door;
    struct raw_channel *channel; /* NULL: it is not opened */
    struct raw_bearer *bearer;   /* NULL: none yet */
    uint64_t number;             /* of its connection, without a token (raw_users.h); else 0 */
    struct visit *visit;         /* owned; or NULL */
    struct connect_ask ask;

    struct slice name;
    char name_bytes[2 * NAME_MAX_LEN];
};

static struct raw_socket *of_wsock(struct wsock *w) {
    return container_of(w, struct raw_socket, ws);
}

/* --- out ------------------------------------------------------------------------------------
 */

static void on_published(void *arg, struct slice payload) {
    struct raw_channel *ch = arg;
    struct net *net = ch->door->handshakes->sockets->net;
    enum ws_opcode opcode = utf8_valid(payload) ? WS_TEXT : WS_BINARY;
    struct frame frame = wsock_encode(net, opcode, &payload, 1);
    if (frame.plain.slab == NULL) {
        metric_add(ch->door->metrics, METRIC_DROPPED + DROP_NO_MEMORY, 1);
        return;
    }
    frame.wide = list_is_longer(&ch->sockets, FRAME_MANY);
    for (struct list *at = ch->sockets.next, *next; at != &ch->sockets; at = next) {
        struct raw_socket *s = container_of(at, struct raw_socket, link);
        next = at->next;
        if (!wsock_send(&s->ws, &frame, false))
            metric_add(ch->door->metrics, METRIC_DROPPED + DROP_SLOW, 1);
    }
    frame_done(&frame, &net->slabs);
}

static void on_nothing(void *arg) {
    (void)arg; /* delivery is at most once: missed messages are lost */
}

static const struct subscription_events redis_events = {
    .on_confirmed = on_nothing, .on_message = on_published, .on_lost = on_nothing};

/* --- in -------------------------------------------------------------------------------------
 */

/* Nothing is refused here, since a publisher would not be told: one that is too fast is read
 * more slowly. */
static void charge(struct wsock *w, uint64_t units) {
    struct net *n = w->shared->net;
    uint64_t until = rate_charge(&of_wsock(w)->rate, net_now(n), n->rate, units);
    if (until != 0 && conn_slow(w->conn, until))
        metric_limited(n->metrics, LIMIT_RATE);
}

static bool may_write(const struct raw_socket *s) {
    return s->channel->writable && (s->bearer == NULL || s->bearer->writes);
}

static void on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    struct raw_channel *ch = of_wsock(w)->channel;
    struct raw_door *d = ch->door;
    (void)opcode;
    unsigned outcome = METRIC_RAW_PUBLISHED;
    if (!may_write(of_wsock(w)))
        outcome = METRIC_DROPPED + DROP_NOT_WRITABLE;
    else if (redis_backlog(d->redis) >= BACKLOG_MOST ||
             !redis_publish(d->redis, slice_of(ch->name), payload, NULL, NULL))
        outcome = METRIC_DROPPED + DROP_REDIS_AWAY;
    metric_add(d->metrics, outcome, 1);
    charge(w, 1);
}

/* A message to a channel that is only read is dropped, so it need not be long. */
static size_t most(const struct wsock *w) {
    const struct raw_socket *s = container_of(w, const struct raw_socket, ws);
    size_t all = w->shared->pool.max_message;
    return may_write(s) || all < READ_ONLY_MOST ? all : READ_ONLY_MOST;
}

static void on_drained(struct wsock *w) {
    (void)w;
}

static void bearer_gone(struct raw_bearer *b);

static void leave_channel(struct raw_channel *ch) {
    if (ch->count > 0 || ch->subscription == NULL)
        return;
    redis_unlisten(ch->door->redis, ch->subscription);
    ch->subscription = NULL;
}

static void on_gone(struct wsock *w) {
    struct raw_socket *s = of_wsock(w);
    list_remove(&s->link);
    s->channel->count--;
    leave_channel(s->channel);
    if (s->bearer != NULL)
        bearer_gone(s->bearer);
    s->bearer = NULL;
}

static void on_free(struct wsock *w) {
    free(of_wsock(w));
}

static const struct wsock_ops ops = {.door = DOOR_RAW,
                                     .on_message = on_message,
                                     .most = most,
                                     .charge = charge,
                                     .on_drained = on_drained,
                                     .on_gone = on_gone,
                                     .on_free = on_free};

/* --- the handshake --------------------------------------------------------------------------
 */

/* Opens the socket, and frees the handshake. bearer: NULL if identity is off. */
static void admit(struct raw_handshake *h, struct raw_bearer *bearer) {
    struct raw_channel *ch = h->channel;
    struct raw_door *d = h->door;
    struct raw_socket *s = calloc(1, sizeof *s);
    struct buf early;
    if (s != NULL && ch->subscription == NULL)
        ch->subscription = redis_listen(d->redis, slice_of(ch->name), &redis_events, ch);
    if (s == NULL || ch->subscription == NULL) {
        free(s);
        handshake_refuse(&h->as, 503, "out of memory\n");
        return;
    }
    if (!handshake_admit(&h->as, &s->ws, &ops, &early)) {
        free(s);
        leave_channel(ch);
        return;
    }
    s->channel = ch;
    list_push(&ch->sockets, &s->link);
    ch->count++;
    if (bearer != NULL) {
        s->bearer = bearer;
        bearer->socket = s;
        bearer->handshake = NULL;
        h->bearer = NULL;
    }
    h->as.ops->free(&h->as);
    wsock_take_early(&s->ws, &early);
}

/* --- connections with a token ---------------------------------------------------------------
 */

static struct raw_bearer *of_user(struct raw_user *u) {
    return container_of(u, struct raw_bearer, user);
}

static struct raw_bearer *of_holder(const struct holder *h) {
    return container_of(h, struct raw_bearer, holder);
}

static struct identity *holder_who(const struct holder *h) {
    return of_holder(h)->user.who;
}

/* A user is disconnected from what is open; a handshake may go on, as another may begin. */
static void holder_close(struct holder *h, uint16_t code, const char *reason) {
    struct raw_bearer *b = of_holder(h);
    if (b->socket != NULL)
        wsock_close(&b->socket->ws, code, reason);
    else if (b->handshake != NULL && code == CODE_REVOKED)
        handshake_refuse(&b->handshake->as, 401, "the token is revoked\n");
}

static const struct holder_ops holder_ops = {.who = holder_who, .close = holder_close};

static void bearer_free(struct raw_bearer *b) {
    identity_unref(b->user.who);
    free(b);
}

static void on_user_free(struct raw_user *u) {
    bearer_free(of_user(u));
}

/* The handshake or the socket is over. Redis is told, and then it is freed. */
static void bearer_gone(struct raw_bearer *b) {
    b->socket = NULL;
    b->handshake = NULL;
    wheel_clear(&b->door->ends, &b->end);
    holders_leave(b->door->holders, &b->holder);
    raw_user_leave(&b->user);
}

static void on_user_revoked(struct raw_user *u) {
    wsock_close(&of_user(u)->socket->ws, CODE_REVOKED, "revoked");
}

/* Sets the timer, or closes the socket if its token has ended. */
static void watch_end(struct raw_bearer *b, uint64_t now) {
    int64_t left = b->user.who->until_ms - auth_now_ms();
    if (left <= 0)
        wsock_close(&b->socket->ws, CODE_TOKEN_EXPIRED, "token expired");
    else
        wheel_set(&b->door->ends, &b->end, now + (uint64_t)(left < LOOK_MS ? left : LOOK_MS));
}

static void on_end(void *owner, struct wheel_timer *t) {
    struct raw_door *d = owner;
    watch_end(container_of(t, struct raw_bearer, end), net_now(d->handshakes->sockets->net));
}

void raw_door_tick(struct raw_door *d, uint64_t now) {
    wheel_run(&d->ends, now, on_end, d);
}

static void on_user_entered(struct raw_user *u, enum raw_entered how) {
    struct raw_bearer *b = of_user(u);
    struct raw_door *d = b->door;
    struct raw_handshake *h = b->handshake;
    switch (how) {
    case RAW_ENTERED:
        wheel_set(&d->ends, &b->end, net_now(d->handshakes->sockets->net));
        admit(h, b);
        break;
    case RAW_REVOKED:
        handshake_refuse(&h->as, 401, "the token is revoked\n");
        break;
    case RAW_TOO_MANY:
        metric_limited(d->metrics, LIMIT_PER_USER);
        handshake_refuse(&h->as, 429, "too many connections of this user\n");
        break;
    case RAW_AWAY:
        handshake_refuse(&h->as, 503, "Redis cannot be reached\n");
        break;
    }
}

static const struct raw_user_ops user_ops = {
    .entered = on_user_entered, .revoked = on_user_revoked, .free = on_user_free};

/* Asks Redis. The bearer can be found by its user from here on, so no news of a revocation is
 * missed that comes before Redis's answer. */
static void enter(struct raw_handshake *h) {
    struct raw_bearer *b = calloc(1, sizeof *b);
    if (b == NULL) {
        handshake_refuse(&h->as, 503, "out of memory\n");
        return;
    }
    b->door = h->door;
    b->user.who = identity_ref(h->as.who);
    b->user.number = h->number;
    b->user.channel = slice_of(h->channel->name);
    b->user.address = h->as.hold.conn->address;
    b->writes =
        grant_allows_channel(h->as.who->grant, h->name, true, name_slice(&h->as.who->sub));
    if (holders_enter(h->door->holders, &b->holder, &holder_ops) &&
        raw_user_enter(h->door->users, &b->user)) {
        b->handshake = h;
        h->bearer = b;
        return;
    }
    holders_leave(h->door->holders, &b->holder);
    bearer_free(b);
    handshake_refuse(&h->as, 503, "Redis cannot be reached\n");
}

/* Whether the channel is opened is told only to who may read it. */
static void on_checked(struct handshake *as) {
    struct raw_handshake *h = container_of(as, struct raw_handshake, as);
    const struct identity *who = as->who;
    if (who != NULL && !grant_allows_channel(who->grant, h->name, false, name_slice(&who->sub)))
        handshake_refuse(as, 403, "the token gives no right to this channel\n");
    else if (h->channel == NULL)
        handshake_refuse(as, 404, "this channel is not open here\n");
    else if (who == NULL)
        admit(h, NULL);
    else
        enter(h);
}

static void on_answered(struct connect_ask *ask, const struct connect_answer *answer) {
    struct raw_handshake *h = container_of(ask, struct raw_handshake, ask);
    if (answer->how == CONNECT_IS) {
        h->as.who = answer->who;
        welcome_free(answer->welcome); /* there are no rooms here */
        handshake_identified(&h->as);
    } else if (answer->how == CONNECT_NOT) {
        handshake_refuse(&h->as, 401, "the back end does not let it in\n");
    } else {
        handshake_refuse(&h->as, 503, "the back end cannot be reached\n");
    }
}

/* Nothing but the back end says who it is; or it is a guest. */
static void identify(struct handshake *as) {
    struct raw_handshake *h = container_of(as, struct raw_handshake, as);
    char id[RAW_ID_SIZE], address[CONN_ADDRESS_SIZE];
    h->number = raw_users_number(h->door->users);
    struct slice socket = raw_users_id(h->door->users, h->number, id);
    if (connect_asks(h->door->clients)) {
        conn_address_text(&as->hold.conn->address, address);
        struct connect_about about = {.socket = socket,
                                      .nsp = SLICE("/"),
                                      .door = "raw",
                                      .address = address,
                                      .visit = h->visit};
        h->ask.done = on_answered;
        connect_ask(&h->ask, h->door->clients, &about);
        return;
    }
    if (!as->all->auth->options->guests) {
        handshake_refuse(as, 401, "a token is wanted: Authorization: Bearer\n");
        return;
    }
    as->who = auth_guest(as->all->auth, socket);
    if (as->who != NULL)
        handshake_identified(as);
    else
        handshake_refuse(as, 503, "out of memory\n");
}

static void free_handshake(struct handshake *as) {
    struct raw_handshake *h = container_of(as, struct raw_handshake, as);
    if (h->bearer != NULL)
        bearer_gone(h->bearer);
    handshake_deinit(as);
    connect_ask_cancel(&h->ask);
    free(h->visit);
    free(h);
}

static const struct handshake_ops handshake_ops = {.door = DOOR_RAW,
                                                   .identify = identify,

                                                   .checked = on_checked,
                                                   .free = free_handshake};

static void refuse(struct raw_door *d, const struct http_request *request, int status,
                   struct slice why) {
    http_answer(request, status, "text/plain", why, NULL);
    metric_handshake(d->metrics, DOOR_RAW, false);
}

static struct raw_channel *channel_find(struct raw_door *d, struct slice name) {
    for (size_t i = 0; name.len > 0 && i < d->count; i++) {
        if (slice_is(name, d->channels[i].name))
            return &d->channels[i];
    }
    return NULL;
}

void raw_door_route(struct raw_door *d, const struct http_request *request,
                    struct slice encoded) {
    struct raw_handshake *h = calloc(1, sizeof *h);
    if (h == NULL || !visit_keep(&h->visit, d->clients->options, request)) {
        free(h);
        refuse(d, request, 503, SLICE("out of memory\n"));
        return;
    }
    ptrdiff_t len = percent_decode(encoded, h->name_bytes, sizeof h->name_bytes);
    h->door = d;
    h->name = (struct slice){h->name_bytes, len > 0 ? (size_t)len : 0};
    h->channel = channel_find(d, h->name);
    if (h->channel == NULL && !handshakes_need_tokens(d->handshakes)) {
        free(h->visit);
        free(h);
        refuse(d, request, 404, SLICE("this channel is not open here\n"));
        return;
    }
    handshake_begin(&h->as, d->handshakes, request, &handshake_ops);
}

bool raw_door_close_one(struct raw_door *d, uint16_t code, const char *reason) {
    for (size_t i = 0; i < d->count; i++) {
        struct list *first = d->channels[i].sockets.next;
        if (first == &d->channels[i].sockets)
            continue;
        wsock_close(&container_of(first, struct raw_socket, link)->ws, code, reason);
        return true;
    }
    return false;
}

/* --- the list -------------------------------------------------------------------------------
 */

static const char *add_channel(struct raw_door *d, struct slice item, const char *prefix) {
    struct slice name = item;
    bool writable = false;
    const char *colon = memrchr(item.ptr, ':', item.len);
    if (colon != NULL) {
        struct slice mode = {colon + 1, item.len - (size_t)(colon + 1 - item.ptr)};
        name.len = (size_t)(colon - item.ptr);
        writable = slice_is(mode, "rw") || slice_is(mode, "w");
        if (!writable && !slice_is(mode, "r"))
            return log_text("%.*s: after the colon r, w or rw", (int)item.len, item.ptr);
    }
    if (!name_valid(name))
        return log_text("\"%.*s\" is not a channel name", (int)item.len, item.ptr);
    if (slice_starts(name, slice_of(prefix)) || slice_starts(name, SLICE("__")))
        return log_text("%.*s begins with %s, which is not for clients", (int)item.len,
                        item.ptr, slice_starts(name, SLICE("__")) ? "__" : prefix);
    if (slice_starts(name, SLICE("socket.io")))
        return log_text("%.*s begins with socket.io, whose channels are for servers",
                        (int)item.len, item.ptr);
    for (size_t i = 0; i < d->count; i++) {
        if (slice_is(name, d->channels[i].name))
            return log_text("%.*s is named twice", (int)name.len, name.ptr);
    }
    struct raw_channel *grown = realloc(d->channels, (d->count + 1) * sizeof *grown);
    if (grown == NULL)
        return "out of memory";
    d->channels = grown;
    struct raw_channel *ch = &grown[d->count];
    *ch = (struct raw_channel){.door = d, .writable = writable};
    ch->name = strndup(name.ptr, name.len);
    if (ch->name == NULL)
        return "out of memory";
    d->count++;
    return NULL;
}

const char *raw_door_init(struct raw_door *d, const char *list, const char *prefix) {
    const char *wrong = NULL;
    while (*list != '\0' && wrong == NULL) {
        size_t len = strcspn(list, ",");
        wrong = add_channel(d, (struct slice){list, len}, prefix);
        list += len;
        list += *list == ',';
    }
    for (size_t i = 0; i < d->count; i++)
        list_init(&d->channels[i].sockets); /* the channels stay where they are from now on */
    return wrong;
}

void raw_door_open(struct raw_door *d) {
    d->users->ops = &user_ops;
    wheel_init(&d->ends, net_now(d->handshakes->sockets->net));
}

void raw_door_deinit(struct raw_door *d) {
    for (size_t i = 0; i < d->count; i++)
        free(d->channels[i].name);
    free(d->channels);
}
