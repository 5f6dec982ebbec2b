#ifndef SLUICE_NET_HTTP_OUT_H
#define SLUICE_NET_HTTP_OUT_H

#include "common/buf.h"
#include "gateway/net/conn.h"

/*
 * The client side of HTTP/1.1: requests of this node to another one. A connection carries one
 * request at a time, and is kept for the next one. There are as many connections as there are
 * requests that wait.
 */
struct http_out; /* a connection to another node */
struct http_call;

/* The node that is asked. The owner embeds it. */
struct http_peer {
    struct net *net;
    struct conn_address address;
    struct list idle; /* kept connections, the latest last */
    struct list busy;
    uint64_t connect_ms; /* time to establish a connection */
    uint64_t
        idle_ms; /* how long an idle connection is kept: less than the other side keeps it */
    size_t body_max; /* the longest body that an answer may have */
    bool closed;
    void (*on_closed)(
        struct http_peer *p); /* after http_peer_close: all its connections are gone */
};

struct http_reply {
    int status;
    const char *lines; /* of the head, each with CR LF, without those about the connection, the
                          length and the upgrade */
    struct slice body;
};

enum http_failure {
    HTTP_UNREACHABLE, /* no connection was established */
    HTTP_STALE,       /* a kept connection ended, and no byte of an answer came */
    HTTP_ENDED,       /* a new connection ended so */
    HTTP_BROKEN       /* it broke within the answer, or the bytes were no answer */
};

/* How an answer ended. */
enum http_fate {
    HTTP_TAKEN,     /* nobody waits to hear of it */
    HTTP_PASSED_ON, /* the other side is told so by an empty line (http.h, struct http_receipt),
                       which is sent after all that was queued before */
    HTTP_DROPPED    /* the connection ends without that line, which tells the other side */
};

/* A request. Exactly one of answered, failed and upgraded is called, once, in a later turn. The
 * call is then over. */
struct http_call {
    struct http_out *out; /* NULL: over, or not begun */
    bool open;            /* more of the request is to come by http_call_send */
    /* The kernel has taken all that http_call_send queued; or NULL. */
    void (*drained)(struct http_call *call);
    enum http_fate (*answered)(struct http_call *call, const struct http_reply *reply);
    void (*failed)(struct http_call *call, enum http_failure why);
    /* Status 101: the caller owns the connection, and takes it over (conn_take) or closes it.
     * rest: the bytes that came after the head, valid until the callback returns. */
    void (*upgraded)(struct http_call *call, const struct http_reply *reply, struct conn *c,
                     struct slice rest);
};

/* The caller has set net, address, the times, body_max and on_closed. */
void http_peer_init(struct http_peer *p);
/* Closes all of its connections. In later turns the calls fail and on_closed is called; if
 * there is no connection, on_closed is called at once. */
void http_peer_close(struct http_peer *p);

/* Sends a request, given in parts, which are copied. fresh: not over a kept connection. Returns
 * false, and calls nothing, without memory or without a route to the node. */
bool http_call_begin(struct http_call *call, struct http_peer *p, const struct slice parts[],
                     size_t count, bool fresh);
/* Sends more of an open request, copied. The caller clears `open` before it sends the last of
 * it. Returns how many bytes wait to be written. If they are more than HTTP_CALL_MOST,
 * `drained` is called once when they are written. Returns SIZE_MAX without memory, or when the
 * call is over. Calls nothing back. */
size_t http_call_send(struct http_call *call, const struct slice parts[], size_t count);
#define HTTP_CALL_MOST 65536
/* Gives the call up. Nothing is called. Does nothing if the call is over. */
void http_call_drop(struct http_call *call);
/* Ends our side of its connection. An answer that has begun still comes; otherwise the call
 * fails. */
void http_call_hang_up(struct http_call *call);

#endif
