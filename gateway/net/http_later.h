#ifndef SLUICE_NET_HTTP_LATER_H
#define SLUICE_NET_HTTP_LATER_H

#include "gateway/net/http.h"

/*
 * An answer that comes later: when Redis has said what it is about, say. The owner embeds
 * struct http_later in what it keeps of the request; the connection and the owner may each end
 * first.
 *
 * http_defer, in route and in place of an answer: the connection stops reading, and requests
 * that have come already wait, so answers leave in the order of the requests. Then, once,
 * whichever comes first:
 *   - http_answer_later: answers. The next request is read when the answer has left.
 *   - the connection is gone (the peer, the node's end): `http` is NULL from then on and
 *     http_answer_later does nothing. The owner is not told: it has its own end to wait for.
 *   - timeout_ms (0: for ever) have passed: late() is called and must call http_answer_later
 *     before it returns.
 * The owner calls http_answer_later before it frees the struct, whatever came before.
 * A peer that goes meanwhile is often noticed only by the answer: nothing is read from it. With
 * `gone`, the connection reads on (16 KiB at most, then it is closed) and an end of the peer's
 * side counts as its going: gone() is called once, with `http` NULL already, as soon as that is
 * seen, and whatever else ends the connection. Not for an answer of the owner's own.
 */
void http_defer(const struct http_request *request, struct http_later *later,
                uint64_t timeout_ms);
/* As http_answer. Returns false when it does not leave: nobody waits for it (any more). Calls
 * nothing back before it returns. */
bool http_answer_later(struct http_later *later, int status, const char *type,
                       struct slice body, const char *extra);

/* Another struct, which has its callbacks, stands for the answer from now on. */
void http_later_move(struct http_later *from, struct http_later *to);

/*
 * A receipt: has a peer passed an answer on to somebody else? Such a peer sends something more
 * on the connection when it has, if only an empty line (which HTTP ignores), and no request
 * before. The owner calls http_await_receipt just before http_answer_later; then one of these
 * is called, once, with `http` NULL already:
 *   - come(): something came.
 *   - gone(): the connection has ended before, by whichever side.
 * Nothing is awaited, and nothing called, if nobody waits for the answer. The struct is
 * embedded in what the owner keeps; http_drop_receipt before that is freed.
 */
void http_await_receipt(const struct http_later *later, struct http_receipt *receipt);
void http_drop_receipt(struct http_receipt *receipt);

/* In the router's body(): `gone` is called, with `http` NULL, if the connection ends, or is
 * answered otherwise, before the request is routed and http_claim has returned it. It may be
 * answered before that with http_answer_later, which closes the connection. */
void http_watch(const struct http_request *request, struct http_later *later);
/* Holds the body back, or lets it come again. */
void http_pause_body(struct http_later *later, bool pause);
/* In route: what watches the request (`http` is NULL), which is its owner's again; NULL:
 * nothing does, or it was claimed already. */
struct http_later *http_claim(const struct http_request *request);
/* True before that. */
bool http_is_watched(const struct http_request *request);

/*
 * As http_upgrade, for a request that was put off with `gone`: returns the connection, which
 * the caller takes over (conn_take) before anything else; NULL: it is closed. What the peer has
 * sent after the request is moved to *rest, which is the caller's to free. Calls nothing back.
 */
struct conn *http_upgrade_later(struct http_later *later, struct slice head, struct buf *rest);

#endif
