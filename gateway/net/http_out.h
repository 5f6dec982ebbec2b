#ifndef SLUICE_NET_HTTP_OUT_H
#define SLUICE_NET_HTTP_OUT_H

#include "common/buf.h"
#include "gateway/net/conn.h"

/*
 * HTTP/1.1 from the other side: requests that this node makes of another one. A connection
 * carries one request at a time and is kept for the next; there are as many as requests wait.
 */
struct http_out; /* a connection to another node */
struct http_call;

/* The node that is asked. Embedded in what the owner keeps of it. */
struct http_peer {
    struct net *net;
    struct conn_address address;
    struct list idle; /* kept connections, the latest last */
    struct list busy;
    uint64_t connect_ms; /* time for a connection to stand */
    uint64_t idle_ms;    /* kept for this; less than the other side keeps its own */
    size_t body_max;     /* longest body of an answer */
    bool closed;
    void (*on_closed)(struct http_peer *p); /* after http_peer_close: nothing is left of it */
};

struct http_reply {
    int status;
    const char *lines; /* of the head, each with CR LF, but those about the connection, the
                          length and the upgrade */
    struct slice body;
};

enum http_failure {
    HTTP_UNREACHABLE, /* no connection stood */
    HTTP_STALE,       /* a kept connection ended, and no byte of an answer came */
    HTTP_ENDED,       /* a new one did */
    HTTP_BROKEN       /* amid the answer, or it was none */
};

/* What became of an answer. */
enum http_fate {
    HTTP_TAKEN,     /* nobody waits to hear of it */
    HTTP_PASSED_ON, /* the other side is told so by an empty line (http.h, struct http_receipt),
                     * which leaves after all that was queued till then */
    HTTP_DROPPED    /* the other side is told so: the connection ends without that line */
};

/* A request. One of the three is called, once, in a later turn; the call is over then. */
struct http_call {
    struct http_out *out; /* NULL: over, or not begun */
    bool open;            /* more of the request is to come by http_call_send */
    /* What was sent is with the kernel, asked for by http_call_send; or NULL. */
    void (*drained)(struct http_call *call);
    enum http_fate (*answered)(struct http_call *call, const struct http_reply *reply);
    void (*failed)(struct http_call *call, enum http_failure why);
    /* Status 101: the connection is the caller's, which takes it over (conn_take) or closes it.
     * rest: what came after the head; it holds until this returns. */
    void (*upgraded)(struct http_call *call, const struct http_reply *reply, struct conn *c,
                     struct slice rest);
};

/* net, address, times, body_max and on_closed are set. */
void http_peer_init(struct http_peer *p);
/* Closes all of its connections: calls fail, and on_closed comes, in later turns (on_closed at
 * once if there is no connection). */
void http_peer_close(struct http_peer *p);

/* Sends a whole request, in parts, which are copied. fresh: not over a kept connection. Returns
 * false, with nothing called, without memory or a way there. */
bool http_call_begin(struct http_call *call, struct http_peer *p, const struct slice parts[],
                     size_t count, bool fresh);
/* More of an open request, copied; the last of it after `open` was cleared. Returns how much
 * waits to leave, of which `drained` tells once when it is over HTTP_CALL_MOST; SIZE_MAX: no
 * memory, or it is over. Calls nothing back. */
size_t http_call_send(struct http_call *call, const struct slice parts[], size_t count);
#define HTTP_CALL_MOST 65536
/* Gives it up; nothing is called. Does nothing if it is over. */
void http_call_drop(struct http_call *call);
/* Ends our side of its connection: an answer under way still comes; without one it fails. */
void http_call_hang_up(struct http_call *call);

#endif
