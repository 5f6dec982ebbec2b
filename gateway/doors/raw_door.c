#include "gateway/doors/raw_door.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/name.h"
#include "common/percent.h"
#include "common/rate.h"
#include "common/utf8.h"

/* Delivery is at most once, so messages that a stalled Redis does not take are dropped. */
#define BACKLOG_MOST 1048576
/* The longest message to a channel without w. */
#define READ_ONLY_MOST 16384

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
    struct bucket rate; /* what it has spent */
};

static struct raw_socket *of_wsock(struct wsock *w) {
    return container_of(w, struct raw_socket, ws);
}

/* --- out ------------------------------------------------------------------------------------
 */

static void on_published(void *arg, struct slice payload) {
    struct raw_channel *ch = arg;
    struct net *net = ch->door->shared->net;
    enum ws_opcode opcode = utf8_valid(payload) ? WS_TEXT : WS_BINARY;
    struct region frame = wsock_encode(net, opcode, &payload, 1);
    if (frame.slab == NULL) {
        metric_add(ch->door->metrics, METRIC_DROPPED + DROP_NO_MEMORY, 1);
        return;
    }
    slab_ref(frame.slab);
    for (struct list *at = ch->sockets.next, *next; at != &ch->sockets; at = next) {
        struct raw_socket *s = container_of(at, struct raw_socket, link);
        next = at->next;
        if (!wsock_send(&s->ws, frame, false))
            metric_add(ch->door->metrics, METRIC_DROPPED + DROP_SLOW, 1);
    }
    slab_unref(&net->slabs, frame.slab);
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
static void charge(struct wsock *w) {
    struct net *n = w->shared->net;
    uint64_t until = rate_charge(&of_wsock(w)->rate, net_now(n), n->rate, 1);
    if (until != 0 && conn_slow(w->conn, until))
        metric_limited(n->metrics, LIMIT_RATE);
}

static void on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    struct raw_channel *ch = of_wsock(w)->channel;
    struct raw_door *d = ch->door;
    (void)opcode;
    unsigned outcome = METRIC_RAW_PUBLISHED;
    if (!ch->writable)
        outcome = METRIC_DROPPED + DROP_NOT_WRITABLE;
    else if (redis_backlog(d->redis) >= BACKLOG_MOST ||
             !redis_publish(d->redis, slice_of(ch->name), payload, NULL, NULL))
        outcome = METRIC_DROPPED + DROP_REDIS_AWAY;
    metric_add(d->metrics, outcome, 1);
    charge(w);
}

/* A message to a channel that is only read is dropped, so it need not be long. */
static size_t most(const struct wsock *w) {
    const struct raw_socket *s = container_of(w, const struct raw_socket, ws);
    size_t all = w->shared->pool.max_message;
    return s->channel->writable || all < READ_ONLY_MOST ? all : READ_ONLY_MOST;
}

static void on_drained(struct wsock *w) {
    (void)w;
}

static void on_gone(struct wsock *w) {
    struct raw_socket *s = of_wsock(w);
    struct raw_channel *ch = s->channel;
    list_remove(&s->link);
    if (--ch->count == 0 && ch->subscription != NULL) {
        redis_unsubscribe(ch->door->redis, ch->subscription);
        ch->subscription = NULL;
    }
}

static void on_free(struct wsock *w) {
    free(of_wsock(w));
}

static const struct wsock_ops ops = {.door = DOOR_RAW,
                                     .on_message = on_message,
                                     .most = most,
                                     .on_control = charge,
                                     .on_drained = on_drained,
                                     .on_gone = on_gone,
                                     .on_free = on_free};

static struct raw_channel *channel_find(struct raw_door *d, struct slice encoded) {
    char name[256];
    ptrdiff_t len = percent_decode(encoded, name, sizeof name);
    for (size_t i = 0; len > 0 && i < d->count; i++) {
        if (slice_is((struct slice){name, (size_t)len}, d->channels[i].name))
            return &d->channels[i];
    }
    return NULL;
}

bool raw_door_open(struct raw_door *d, const struct http_request *request,
                   struct slice encoded) {
    struct raw_channel *ch = channel_find(d, encoded);
    struct raw_socket *s = ch != NULL ? calloc(1, sizeof *s) : NULL;
    if (ch == NULL) {
        http_answer(request, 404, "text/plain", SLICE("this channel is not open here\n"), NULL);
        return false;
    }
    if (s == NULL) {
        http_answer(request, 503, "text/plain", SLICE("out of memory\n"), NULL);
        return false;
    }
    if (ch->subscription == NULL)
        ch->subscription = redis_subscribe(d->redis, slice_of(ch->name), &redis_events, ch);
    if (!wsock_open(&s->ws, d->shared, request, &ops)) {
        if (ch->count == 0 && ch->subscription != NULL) {
            redis_unsubscribe(d->redis, ch->subscription);
            ch->subscription = NULL;
        }
        free(s);
        return false;
    }
    s->channel = ch;
    list_push(&ch->sockets, &s->link);
    ch->count++;
    if (ch->subscription == NULL)
        wsock_close(&s->ws, WS_CODE_INTERNAL, "out of memory");
    return true;
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

void raw_door_deinit(struct raw_door *d) {
    for (size_t i = 0; i < d->count; i++)
        free(d->channels[i].name);
    free(d->channels);
}
