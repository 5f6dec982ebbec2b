#ifndef SLUICE_NET_HTTP_LATER_H
#define SLUICE_NET_HTTP_LATER_H

#include "gateway/net/http.h"

/*
 * An answer that comes later, for example when Redis has answered. The owner embeds struct
 * http_later in what it keeps about the request. Either of the connection and the owner may end
 * first.
 *
 * http_defer is called in route in place of an answer. The connection stops reading, and
 * requests that have come already wait, so answers leave in the order of the requests. Then one
 * of these happens, once:
 *   - http_answer_later: answers. The next request is read when the answer has left.
 *   - the connection is gone (the peer, the node's end): `http` is NULL from then on and
 *     http_answer_later does nothing. The owner is not told: it has its own end to wait for.
 *   - timeout_ms (0: for ever) have passed: late() is called and must call http_answer_later
 *     before it returns.
 * The owner calls http_answer_later before it frees the struct, whatever came before. Since
 * nothing is read meanwhile, a peer that leaves is often noticed only when the answer is sent.
 * If `gone` is set, the connection is read on (16 KiB at most; with more it is closed), and the
 * end of the peer's side counts as its leaving. gone() is then called once, with `http` NULL
 * already, when the peer leaves or anything else ends the connection. It is not called for an
 * answer of the owner itself.
 */
void http_defer(const struct http_request *request, struct http_later *later,
                uint64_t timeout_ms);
/* As http_answer. Returns false when the answer is not sent because nobody waits for it (any
 * more). Calls nothing back before it returns. */
bool http_answer_later(struct http_later *later, int status, const char *type,
                       struct slice body, const char *extra);

/* From now on another struct, whose callbacks are set, stands for the answer. */
void http_later_move(struct http_later *from, struct http_later *to);

/*
 * A receipt tells whether a peer has passed an answer on. Such a peer sends something more on
 * the connection when it has done so, if only an empty line (which HTTP ignores), and sends no
 * request before. The owner calls http_await_receipt just before http_answer_later. Then one of
 * these is called, once, with `http` NULL already:
 *   - come(): something came.
 *   - gone(): the connection has ended before, by whichever side.
 * Nothing is awaited, and nothing is called, if nobody waits for the answer. The owner embeds
 * the struct, and calls http_drop_receipt before it frees it.
 */
void http_await_receipt(const struct http_later *later, struct http_receipt *receipt);
void http_drop_receipt(struct http_receipt *receipt);

/* Called in the router's body(). `gone` is called, with `http` NULL, if the connection ends, or
 * the request is answered otherwise, before the request is routed and http_claim has returned
 * the struct. Until then the request may be answered with http_answer_later, which closes the
 * connection. */
void http_watch(const struct http_request *request, struct http_later *later);
/* Stops reading the body, or goes on with it. */
void http_pause_body(struct http_later *later, bool pause);
/* Called in route. Returns the struct that watches the request (its `http` is NULL), which
 * belongs to its owner again. Returns NULL if nothing watches the request, or if it was claimed
 * already. */
struct http_later *http_claim(const struct http_request *request);
/* True while the request is watched and was not claimed. */
bool http_is_watched(const struct http_request *request);

/*
 * As http_defer with `gone`, for a request that is to become an upgrade. It goes on being a
 * part of the handshake: late() is called when the time for the request's head is over. If more
 * than 16 KiB come meanwhile, the rest waits in the kernel, and the peer's end is seen later.
 */
void http_hold(const struct http_request *request, struct http_later *later);

/*
 * As http_upgrade, for a request that was held, or deferred with `gone`. Returns the
 * connection, which the caller takes over (conn_take) before anything else, or NULL: it is
 * closed. The bytes that the peer sent after the request are moved to *rest, which the caller
 * frees. Calls nothing back.
 */
struct conn *http_upgrade_later(struct http_later *later, struct slice head, struct buf *rest);

#endif
