#include "gateway/presence/sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/json.h"
#include "gateway/channel/filter.h"
#include "gateway/channel/name.h"

#define SIZE_LEAST 64

/* The doorbell of a mark. */
struct sockets_bell {
    struct list link;
    struct sockets *all;
    struct subscription *subscription;
    size_t users; /* sockets with that mark, and calls under way */
    char mark[SOCKET_NODE_LEN + 1];
};

/* --- the ids --------------------------------------------------------------------------------
 */

static size_t place_of(const struct sockets *all, struct slice id) {
    return (size_t)hash_add(HASH_EMPTY, id.ptr, id.len) & (all->size - 1);
}

static struct subscriber **bucket_of(const struct sockets *all, const struct subscriber *s) {
    char id[CLIENT_ID_SIZE];
    return &all->buckets[place_of(all, subscriber_socket(s, id))];
}

static void put(struct sockets *all, struct subscriber *s) {
    struct subscriber **bucket = bucket_of(all, s);
    s->next_socket = *bucket;
    *bucket = s;
}

/* False: no memory, and the array is as it was. */
static bool resize(struct sockets *all, size_t size) {
    struct subscriber **old = all->buckets, **fresh = calloc(size, sizeof(struct subscriber *));
    size_t old_size = all->size;
    if (fresh == NULL)
        return false;
    all->buckets = fresh;
    all->size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (struct subscriber *s = old[i], *next; s != NULL; s = next) {
            next = s->next_socket;
            put(all, s);
        }
    }
    free(old);
    return true;
}

struct subscriber *sockets_find(const struct sockets *all, struct slice id) {
    char own[CLIENT_ID_SIZE];
    struct subscriber *s = all->size > 0 ? all->buckets[place_of(all, id)] : NULL;
    while (s != NULL && !slice_eq(subscriber_socket(s, own), id))
        s = s->next_socket;
    return s;
}

/* --- the doorbells --------------------------------------------------------------------------
 */

static struct slice bell_name(const struct sockets_bell *b, char out[CHANNEL_NAME_SIZE]) {
    int len = snprintf(out, CHANNEL_NAME_SIZE, "socket:%s", b->mark);
    return (struct slice){out, (size_t)len};
}

static void bell_drop(struct sockets_bell *b) {
    if (--b->users > 0)
        return;
    char name[CHANNEL_NAME_SIZE];
    struct slice channel = bell_name(b, name);
    list_remove(&b->link);
    if (b->subscription != NULL)
        redis_unsubscribe(redis_partition(b->all->redis, channel), b->subscription);
    free(b);
}

static void deliver(const struct sockets *all, struct message *m) {
    char name[sizeof "socket:" + CLIENT_ID_SIZE];
    struct json_value quoted = {JSON_STRING, m->channel};
    ptrdiff_t len = json_decode(quoted, name, sizeof name);
    struct slice channel = {name, len > 0 ? (size_t)len : 0};
    if (!is_socket(channel))
        return;
    struct subscriber *s = sockets_find(all, channel_rest(channel, SLICE("socket:")));
    if (s != NULL && s->logged_in && !s->gone && filter_passes(m, s))
        s->ops->deliver(s, m);
}

static void on_rung(void *arg, struct slice payload) {
    struct sockets_bell *b = arg;
    struct message m;
    b->users++; /* the delivery may end the last socket of this mark */
    if (message_parse_entry(&m, payload) && m.seq == 0) {
        deliver(b->all, &m);
        message_done(&m, b->all->slabs);
    }
    bell_drop(b);
}

static void on_nothing(void *arg) {
    (void)arg; /* nothing that goes to a socket is kept */
}

static const struct subscription_events bell_events = {
    .on_confirmed = on_nothing, .on_message = on_rung, .on_lost = on_nothing};

/* Returns one that counts its user; NULL: no memory. */
static struct sockets_bell *bell_make(struct sockets *all, struct slice mark) {
    char bytes[CHANNEL_NAME_SIZE];
    struct buf bell;
    struct sockets_bell *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->all = all;
    b->users = 1;
    memcpy(b->mark, mark.ptr, mark.len);
    list_push(&all->bells, &b->link);
    struct slice name = bell_name(b, bytes);
    struct partition *p = redis_partition(all->redis, name);
    buf_init(&bell);
    redis_doorbell(p, &bell, name);
    if (!bell.failed)
        b->subscription = redis_subscribe(p, buf_bytes(&bell), &bell_events, b);
    buf_deinit(&bell);
    if (b->subscription != NULL)
        return b;
    bell_drop(b);
    return NULL;
}

static struct sockets_bell *bell_find(const struct sockets *all, struct slice mark) {
    for (struct list *at = all->bells.next; at != &all->bells; at = at->next) {
        struct sockets_bell *b = container_of(at, struct sockets_bell, link);
        if (slice_is(mark, b->mark))
            return b;
    }
    return NULL;
}

/* The mark of another process in the socket's id; empty: it is of this one. */
static struct slice foreign_mark(const struct sockets *all, struct slice id) {
    struct slice none = {NULL, 0};
    if (id.len < SOCKET_NODE_LEN)
        return none;
    struct slice mark = {id.ptr + id.len - SOCKET_NODE_LEN, SOCKET_NODE_LEN};
    return slice_is(mark, all->mark) ? none : mark;
}

/* --- sockets that come and go ---------------------------------------------------------------
 */

bool sockets_enter(struct sockets *all, struct subscriber *s) {
    char bytes[CLIENT_ID_SIZE];
    struct slice mark = foreign_mark(all, subscriber_socket(s, bytes));
    if (s->found)
        return true;
    bool grows = all->count >= all->size;
    if (grows && !resize(all, all->size > 0 ? 2 * all->size : SIZE_LEAST) && all->size == 0)
        return false;
    struct sockets_bell *b = mark.len > 0 ? bell_find(all, mark) : NULL;
    if (b != NULL)
        b->users++;
    else if (mark.len > 0 && bell_make(all, mark) == NULL)
        return false;
    put(all, s);
    s->found = true;
    all->count++;
    return true;
}

void sockets_leave(struct sockets *all, struct subscriber *s) {
    char bytes[CLIENT_ID_SIZE];
    struct slice mark = foreign_mark(all, subscriber_socket(s, bytes));
    if (!s->found)
        return;
    struct subscriber **at = bucket_of(all, s);
    while (*at != s)
        at = &(*at)->next_socket;
    *at = s->next_socket;
    s->found = false;
    all->count--;
    if (mark.len > 0)
        bell_drop(bell_find(all, mark));
    if (all->size > SIZE_LEAST && all->count < all->size / 8)
        resize(all, all->size / 2); /* without memory it stays as long as it is */
}

int sockets_init(struct sockets *all, struct redis *redis, struct slabs *slabs,
                 const char *mark) {
    *all = (struct sockets){.redis = redis, .slabs = slabs, .mark = mark};
    list_init(&all->bells);
    return bell_make(all, slice_of(mark)) != NULL ? 0 : UV_ENOMEM;
}

void sockets_deinit(struct sockets *all) {
    while (!list_empty(&all->bells)) /* their subscriptions go with those of the partitions */
        free(container_of(list_pop(&all->bells), struct sockets_bell, link));
    free(all->buckets);
    all->buckets = NULL;
    all->size = all->count = 0;
}
