#include "gateway/node/memory.h"

#include <malloc.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/node/machine.h"
#include "gateway/redis/overview.h"
#include "gateway/tls_memory.h"

#define SHARE     60 /* % of the machine's memory, if no limit is given */
#define LEAST     (UINT64_C(32) * 1024 * 1024)
#define BASE_MOST (UINT64_C(16) * 1024 * 1024) /* sanitizers have more */
#define AT_ONCE   256                          /* connections that are ended at one tick */
#define MUCH      65536 /* bytes that wait: nobody who reads has so much for long */
#define LITTLE    1024  /* who holds less is not ended */

/* What the parts of a client take, with what malloc adds (measured; OPERATIONS, sizing). */
#define CONNECTION_BYTES 480
#define USER_BYTES       500
#define SUB_BYTES        200
#define CHANNEL_BYTES    700
#define SESSION_BYTES    1200

void memory_init(struct node *n) {
    size_t resident = 0;
    uint64_t given = n->options->memory_limit;
    uint64_t limit = given != 0 ? given : machine_memory("") / 100 * SHARE;
    if (uv_resident_set_memory(&resident) == 0)
        n->memory.base = resident < BASE_MOST ? resident : BASE_MOST;
    if (n->seats != NULL)
        limit /= n->seats->count;
    n->memory.limit = limit > LEAST ? limit : LEAST;
}

uint64_t memory_account(const struct node *n) {
    const struct clients *clients = &n->domain.clients;
    const struct hub *hub = &n->domain.hub;
    const struct eio_server *eio = &n->sio.server.eio;
    return n->memory.base + n->net.slabs.held + n->sockets.pool.held + eio->sockets.pool.held +
           n->net.requests_held + clients->waiting_bytes + clients->chunks.bytes +
           redis_held(&n->domain.redis) + tls_memory_held() + eio->held +
           (uint64_t)n->net.count * CONNECTION_BYTES +
           (uint64_t)clients->user_count * USER_BYTES + (uint64_t)hub->sub_count * SUB_BYTES +
           (uint64_t)hub->channel_count * CHANNEL_BYTES + (uint64_t)eio->count * SESSION_BYTES;
}

/* --- who holds it ---------------------------------------------------------------------------
 */

/* In the order in which they are ended. */
enum rank { WAITS_LONG, UNFINISHED, WAITS, RANKS };

struct holder_of {
    struct conn *conn;           /* or: */
    struct eio_session *session; /* which is polled, or whose sockets hold something */
    enum rank rank;
    size_t bytes;      /* by which it is ranked */
    size_t everything; /* that its end gives back */
};

static bool rank(struct holder_of *h, size_t waits, size_t unfinished) {
    h->everything = waits + unfinished;
    h->rank = waits >= MUCH ? WAITS_LONG : unfinished >= LITTLE ? UNFINISHED : WAITS;
    h->bytes = h->rank == UNFINISHED ? unfinished : waits;
    return h->bytes >= LITTLE;
}

static int compare(const void *a, const void *b) {
    const struct holder_of *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* Lists them; returns their number. */
static size_t find_holders(struct node *n, struct holder_of *out) {
    struct eio_server *eio = &n->sio.server.eio;
    size_t count = 0;
    for (struct list *at = n->net.conns.next; at != &n->net.conns; at = at->next) {
        struct conn *c = container_of(at, struct conn, link);
        size_t held =
            !c->closed && c->ops != NULL && c->ops->held != NULL ? c->ops->held(c) : 0;
        out[count] = (struct holder_of){.conn = c};
        if (!c->closed && c->door != DOOR_PEER)
            count += rank(&out[count], queue_held(c->queue), held);
    }
    for (struct map_node *at = map_next(&eio->sessions, NULL); at != NULL;
         at = map_next(&eio->sessions, at)) {
        struct eio_session *s = container_of(at, struct eio_session, node);
        out[count] = (struct holder_of){.session = s};
        count += rank(&out[count], s->state == EIO_POLLING ? eio_queued(s) : 0, eio_held(s));
    }
    return count;
}

static void end(struct node *n, const struct holder_of *h) {
    bool closed = h->conn != NULL ? h->conn->closed : h->session->state == EIO_CLOSED;
    if (closed)
        return; /* with another one */
    n->memory.shed++;
    metric_limited(&n->metrics, LIMIT_MEMORY);
    if (h->conn != NULL)
        conn_shed(h->conn);
    else
        eio_close(h->session, WS_CODE_TRY_LATER, "memory");
}

/* What connections held is given back in this turn or the next, so it is only reckoned here. */
static void shed(struct node *n, uint64_t over) {
    size_t most = n->net.count + n->sio.server.eio.count + 1U;
    struct holder_of *all = calloc(most, sizeof *all);
    uint64_t given = 0;
    if (all == NULL)
        return; /* again at the next look */
    size_t count = find_holders(n, all);
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count && i < AT_ONCE && given < over; i++) {
        end(n, &all[i]);
        given += all[i].everything;
    }
    free(all);
}

/* --- the state ------------------------------------------------------------------------------
 */

static void short_set(struct node *n, bool is_short, uint64_t account) {
    n->memory.is_short = is_short;
    log_write(is_short ? LOG_WARN : LOG_INFO, is_short ? "memory_short" : "memory_enough",
              "account", log_text("%llu", (unsigned long long)account), "limit",
              log_text("%llu", (unsigned long long)n->memory.limit), "closed",
              log_text("%llu", (unsigned long long)n->memory.shed), NULL);
    if (is_short)
        n->memory.shed = 0;
    else
        malloc_trim(0);
}

void memory_tick(struct node *n) {
    uint64_t account = memory_account(n), goal = n->memory.limit / 10 * 9;
    if (!n->memory.is_short && account > n->memory.limit)
        short_set(n, true, account);
    if (n->memory.is_short && account > goal)
        shed(n, account - goal);
    else if (n->memory.is_short)
        short_set(n, false, account);
}
