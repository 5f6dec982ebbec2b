#include "gateway/tap/queue.h"

#include <stdlib.h>
#include <string.h>

/* A user or a channel behind which others wait. */
struct block {
    struct map_node node;
    struct tap_event *offline; /* a user's end that can still be dropped */
    char key[];
};

void tap_queue_init(struct tap_queue *q) {
    memset(q, 0, sizeof *q);
    list_init(&q->all);
    list_init(&q->ready);
    list_init(&q->held);
    map_init(&q->blocks);
}

static struct block *block_of(struct tap_queue *q, struct slice key) {
    struct map_node *node = key.len > 0 ? map_find(&q->blocks, key) : NULL;
    return node != NULL ? container_of(node, struct block, node) : NULL;
}

static struct block *block_make(struct tap_queue *q, struct slice key) {
    struct block *b = block_of(q, key);
    if (b != NULL)
        return b;
    b = calloc(1, sizeof *b + key.len + 1);
    if (b == NULL)
        return NULL;
    memcpy(b->key, key.ptr, key.len);
    b->node.key = (struct slice){b->key, key.len};
    if (map_insert(&q->blocks, &b->node))
        return b;
    free(b);
    return NULL;
}

static void unblock_all(struct tap_queue *q) {
    struct map_node *node;
    while ((node = map_next(&q->blocks, NULL)) != NULL) {
        map_remove(&q->blocks, node);
        free(container_of(node, struct block, node));
    }
}

static void event_free(struct tap_queue *q, struct tap_event *e) {
    list_remove(&e->order);
    list_remove(&e->link);
    q->bytes -= e->json.len;
    q->count--;
    free(e);
}

void tap_queue_clear(struct tap_queue *q) {
    while (!list_empty(&q->all))
        event_free(q, container_of(list_pop(&q->all), struct tap_event, order));
    unblock_all(q);
    map_deinit(&q->blocks);
    tap_queue_init(q);
}

/* --- waiting --------------------------------------------------------------------------------
 */

static bool is_due(const struct tap_queue *q, const struct tap_event *e, uint64_t now) {
    return q->newest >= e->ms + q->linger || now >= e->came + q->linger;
}

/* False: there is no memory. */
static bool hold(struct tap_queue *q, struct tap_event *e, bool lingers) {
    struct slice keys[] = {e->user, e->channel};
    for (size_t i = 0; i < 2; i++) {
        struct block *b = keys[i].len > 0 ? block_make(q, keys[i]) : NULL;
        if (b == NULL && keys[i].len > 0)
            return false;
        if (b != NULL && i == 0 && lingers)
            b->offline = e;
    }
    list_push(&q->held, &e->link);
    return true;
}

static void make_ready(struct tap_queue *q, struct tap_event *e) {
    list_push(&q->ready, &e->link);
    q->ready_count++;
    q->ready_bytes += e->json.len;
}

static void place(struct tap_queue *q, struct tap_event *e, uint64_t now) {
    bool lingers = e->offline && q->linger > 0 && !is_due(q, e, now);
    bool waits = lingers || block_of(q, e->user) != NULL || block_of(q, e->channel) != NULL;
    if (!waits || !hold(q, e, lingers))
        make_ready(q, e); /* without memory the order is not kept */
}

/* Is it the return of a user whose end can still be dropped? */
static bool takes_back(struct tap_queue *q, const struct tap_event *e) {
    struct block *b = e->online ? block_of(q, e->user) : NULL;
    if (b == NULL || b->offline == NULL || e->ms > b->offline->ms + q->linger)
        return false;
    event_free(q, b->offline);
    b->offline = NULL;
    q->stirred = true;
    return true;
}

void tap_queue_add(struct tap_queue *q, struct tap_event *e, bool wanted) {
    list_init(&e->link);
    if (e->ms > q->newest)
        q->newest = e->ms;
    if (takes_back(q, e) || !wanted) {
        free(e);
        return;
    }
    list_push(&q->all, &e->order);
    q->bytes += e->json.len;
    q->count++;
    place(q, e, e->came);
}

void tap_queue_release(struct tap_queue *q, uint64_t now) {
    struct list waiting;
    if (list_empty(&q->held) && !q->stirred)
        return;
    if (!q->stirred && !is_due(q, container_of(q->held.next, struct tap_event, link), now))
        return;
    q->stirred = false;
    list_init(&waiting);
    list_splice(&waiting, &q->held);
    unblock_all(q);
    while (!list_empty(&waiting))
        place(q, container_of(list_pop(&waiting), struct tap_event, link), now);
}

/* --- going ----------------------------------------------------------------------------------
 */

struct tap_event *tap_queue_take(struct tap_queue *q) {
    if (list_empty(&q->ready))
        return NULL;
    struct tap_event *e = container_of(list_pop(&q->ready), struct tap_event, link);
    q->ready_count--;
    q->ready_bytes -= e->json.len;
    return e;
}

void tap_queue_done(struct tap_queue *q, struct tap_event *e) {
    event_free(q, e);
}

const struct tap_event *tap_queue_first(const struct tap_queue *q) {
    return list_empty(&q->all) ? NULL : container_of(q->all.next, struct tap_event, order);
}
