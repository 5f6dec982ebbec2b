#include "gateway/net/tls.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/tls_memory.h"

#define TURN_BUDGET_NS 5000000ULL /* for handshakes in one turn of the loop */
#define PIECE_MOST     32768 /* of memory that a peer may make OpenSSL take in the handshake */
#define GATHER         64    /* regions that go into one record at most */
#define ANSWERS_MOST                                                                           \
    65536 /* of records that wait: a peer may ask for answers by the thousand */
/* What a connection takes (measured): one whose handshake goes on, and one that is idle. */
#define SHAKING_BYTES 40960
#define SHAKEN_BYTES  12288
/* Lines about failed handshakes: as many at once, and one more in each time. */
#define LINES   10
#define LINE_MS 1000ULL

static const char not_http[] = "HTTP/1.1 400 Bad Request\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 39\r\n"
                               "Connection: close\r\n\r\n"
                               "this port speaks TLS: use https or wss\n";

/* --- life -----------------------------------------------------------------------------------
 */

struct conn_tls *conn_tls_make(SSL_CTX *context, struct conn *c) {
    struct conn_tls *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->conn = c;
    list_init(&t->link);
    SSL_CTX_up_ref(context);
    t->context = context;
    return t;
}

void conn_tls_free(struct conn_tls *t) {
    list_remove(&t->link);
    tls_deinit(&t->tls);
    SSL_CTX_free(t->context);
    buf_deinit(&t->writing);
    free(t);
}

size_t conn_tls_held(const struct conn_tls *t) {
    return t->context != NULL ? 0 : t->shaken ? SHAKEN_BYTES : SHAKING_BYTES;
}

/* --- handshakes -----------------------------------------------------------------------------
 */

bool conn_tls_must_wait(const struct net *n, const struct conn_tls *t) {
    return !t->shaken && n->shaking_ns > TURN_BUDGET_NS;
}

/* Plain HTTP, and a peer that connects and says nothing (as a load balancer does that checks
 * the port), are no trouble. Anybody can cause the others, so their lines are limited. */
static void tell_failure(struct net *n, const struct conn_tls *t, enum tls_handshake result,
                         const char *why, const struct conn_address *from) {
    bool common = result == TLS_HTTP || !t->heard;
    char text[CONN_ADDRESS_SIZE];
    if (!log_enabled(common ? LOG_DEBUG : LOG_INFO))
        return;
    if (!common && !bucket_has(&n->shaking_told, net_now(n), LINE_MS, LINES * LINE_MS)) {
        n->shaking_untold++;
        return;
    }
    if (!common)
        bucket_take(&n->shaking_told, net_now(n), LINE_MS);
    conn_address_text(from, text);
    LOG(common ? LOG_DEBUG : LOG_INFO, "tls_handshake_failed", "from", text, "why", why, "more",
        n->shaking_untold > 0 ? log_text("%u", n->shaking_untold) : NULL, NULL);
    n->shaking_untold = 0;
}

static void shaken(struct net *n, struct conn_tls *t, enum tls_handshake result,
                   const char *why, const struct conn_address *from) {
    if (t->shaken)
        return;
    t->shaken = true;
    metric_add(n->metrics, METRIC_TLS_HANDSHAKES + (unsigned)result, 1);
    if (result != TLS_DONE && result != TLS_RESUMED)
        tell_failure(n, t, result, why, from);
}

static void look_at_handshake(struct net *n, struct conn_tls *t,
                              const struct conn_address *from) {
    if (t->tls.failed)
        shaken(n, t, t->tls.trouble, tls_why(&t->tls), from);
    else if (tls_is_open(&t->tls))
        shaken(n, t, SSL_session_reused(t->tls.ssl) ? TLS_RESUMED : TLS_DONE, NULL, from);
}

/* --- in -------------------------------------------------------------------------------------
 */

static void begin(struct conn_tls *t) {
    if (!tls_init(&t->tls, t->context, true)) {
        t->tls.failed = true;
        t->tls.trouble = TLS_NO_MEMORY;
    }
    SSL_CTX_free(t->context);
    t->context = NULL;
}

void conn_tls_read(struct net *n, struct conn_tls *t, struct slice bytes,
                   const struct conn_address *from, struct slice *plain) {
    uint64_t began = t->shaken ? 0 : uv_hrtime();
    t->heard = true;
    if (t->context != NULL)
        begin(t);
    if (!t->shaken)
        tls_memory_limit(PIECE_MOST);
    tls_read(&t->tls, bytes, plain);
    tls_memory_limit(SIZE_MAX);
    if (began != 0) {
        look_at_handshake(n, t, from);
        n->shaking_ns += uv_hrtime() - began;
    }
    if (t->end != 0)
        return;
    if (t->tls.out.len > ANSWERS_MOST) /* it takes none, as of KeyUpdate (RFC 8446, 4.6.3) */
        t->tls.failed = true;
    if (t->tls.failed && t->tls.trouble == TLS_HTTP) {
        buf_clear(&t->tls.out);
        buf_str(&t->tls.out, not_http);
    }
    if (t->tls.failed)
        t->end = UV_EPROTO;
    else if (t->tls.ended)
        t->end = UV_EOF;
}

void conn_tls_ended(struct net *n, struct conn_tls *t, int status,
                    const struct conn_address *from) {
    shaken(n, t, TLS_HUNG_UP, uv_strerror(status), from);
    /* Without close_notify somebody else may have cut off the rest. */
    if (t->end == 0)
        t->end = status == UV_EOF ? UV_ECONNABORTED : status;
}

void conn_tls_closing(struct net *n, struct conn_tls *t, const struct conn_address *from) {
    shaken(n, t, TLS_LATE, "given up", from);
}

/* --- out ------------------------------------------------------------------------------------
 */

/* The first bytes, as many as go into a record. Regions are joined: a record each would cost
 * more than the copy. */
static struct slice first_bytes(const struct out_queue *q) {
    static char joined[TLS_RECORD];
    uv_buf_t bufs[GATHER];
    size_t len = 0;
    unsigned count = queue_gather(q, bufs, GATHER, &len);
    size_t first = bufs[0].len < TLS_RECORD ? bufs[0].len : TLS_RECORD;
    if (count == 1 || first == TLS_RECORD)
        return (struct slice){bufs[0].base, first};
    len = 0;
    for (unsigned i = 0; i < count && len < TLS_RECORD; i++) {
        size_t room = TLS_RECORD - len;
        size_t part = bufs[i].len < room ? bufs[i].len : room;
        memcpy(joined + len, bufs[i].base, part);
        len += part;
    }
    return (struct slice){joined, len};
}

size_t conn_tls_seal(struct conn_tls *t, const struct out_queue *q, bool ends) {
    if (t->tls.failed || !tls_is_open(&t->tls))
        return 0;
    struct slice plain = {NULL, 0};
    if (q->bytes > 0)
        plain = first_bytes(q);
    if (plain.len > 0 && !tls_write(&t->tls, plain))
        return SIZE_MAX;
    if (ends && plain.len == q->bytes)
        tls_end(&t->tls);
    return plain.len;
}
