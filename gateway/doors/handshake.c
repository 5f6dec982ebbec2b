#include "gateway/doors/handshake.h"

#include <stdio.h>
#include <strings.h>

#include "common/log.h"

#define LOG_MS    1000 /* one line a second, a few at once */
#define LOG_DEPTH 5000

static struct handshake *of_hold(struct wsock_hold *hold) {
    return container_of(hold, struct handshake, hold);
}

bool handshakes_need_tokens(const struct handshakes *all) {
    return all->auth != NULL && auth_on(all->auth);
}

/* --- the token of a request -----------------------------------------------------------------
 */

/* What a request has brought. `wrong`: why it is not clear which token counts, or NULL. */
struct brought {
    bool any;
    struct slice token;
    bool in_protocol;
    const char *wrong;
};

static void look_at_header(struct brought *b, const struct http_request *request) {
    const char *value = http_header(request, "authorization");
    if (http_header_count(request, "authorization") > 1)
        b->wrong = "one Authorization is enough\n";
    size_t scheme = value != NULL ? strcspn(value, " \t") : 0;
    if (scheme != 6 || strncasecmp(value, "bearer", 6) != 0)
        return; /* another scheme, perhaps of a proxy in front */
    value += scheme + strspn(value + scheme, " \t");
    b->any = true;
    b->token = slice_of(value);
}

/* `list` outlives what was brought. */
static void look_at_protocols(struct brought *b, const struct buf *list) {
    const char *at = list->len > 0 ? list->data : "";
    bool ours = false;
    unsigned bearers = 0;
    for (struct slice p; (p = ws_protocol_next(&at)).len > 0;) {
        ours = ours || slice_is(p, "sluice");
        if (!ws_protocol_is_bearer(p))
            continue;
        bearers++;
        b->token = (struct slice){p.ptr + 7, p.len - 7};
    }
    if (bearers == 0)
        return;
    if (bearers > 1 || b->any)
        b->wrong = "one token is enough\n";
    else if (!ours)
        b->wrong = "bearer. stands beside the subprotocol sluice\n";
    b->any = b->in_protocol = true;
}

/* --- refusals -------------------------------------------------------------------------------
 */

static void tell_log(struct handshake *h, int status, const char *why) {
    uint64_t now = net_now(h->all->sockets->net);
    if (status >= 500 || !bucket_has(&h->all->logged, now, LOG_MS, LOG_DEPTH))
        return;
    bucket_take(&h->all->logged, now, LOG_MS);
    LOG(LOG_INFO, "handshake_refused", "status", log_text("%d", status), "user",
        h->who != NULL ? log_text("%.*s", (int)h->who->sub.len, h->who->sub.bytes) : NULL,
        "why", log_text("%.*s", (int)strcspn(why, "\n"), why), NULL);
}

void handshake_refuse(struct handshake *h, int status, const char *why) {
    if (handshakes_need_tokens(h->all))
        tell_log(h, status, why);
    wsock_refuse(&h->hold, status, why, status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
    h->ops->free(h);
}

static void on_gone(struct wsock_hold *hold) {
    struct handshake *h = of_hold(hold);
    h->ops->free(h);
}

/* --- the check ------------------------------------------------------------------------------
 */

static void on_checked(struct auth_check *check, struct identity *who, const char *why) {
    struct handshake *h = container_of(check, struct handshake, check);
    char text[200];
    h->who = who;
    if (who != NULL) {
        h->ops->checked(h);
        return;
    }
    snprintf(text, sizeof text, "%s\n", why);
    handshake_refuse(h, 401, text);
}

void handshake_identified(struct handshake *h) {
    h->ops->checked(h);
}

static void check(struct handshake *h, const struct brought *b) {
    if (b->wrong != NULL) {
        handshake_refuse(h, 400, b->wrong);
    } else if (b->any) {
        if (b->in_protocol)
            snprintf(h->hold.handshake.protocol, sizeof h->hold.handshake.protocol, "sluice");
        h->check.done = on_checked;
        auth_check_begin(h->all->auth, &h->check, b->token);
    } else if (h->ops->identify != NULL) {
        h->ops->identify(h);
    } else {
        h->ops->checked(h);
    }
}

void handshake_begin(struct handshake *h, struct handshakes *all,
                     const struct http_request *request, const struct handshake_ops *ops) {
    struct brought b = {.any = false};
    struct buf list;
    h->all = all;
    h->ops = ops;
    h->hold.gone = on_gone;
    if (!wsock_hold(&h->hold, all->sockets, ops->door, request)) {
        ops->free(h);
        return;
    }
    if (!handshakes_need_tokens(all)) {
        ops->checked(h);
        return;
    }
    buf_init(&list);
    if (auth_has_keys(all->auth)) {
        http_header_join(request, "sec-websocket-protocol", &list);
        look_at_header(&b, request);
    }
    if (list.failed)
        handshake_refuse(h, 503, "out of memory\n");
    else {
        look_at_protocols(&b, &list);
        check(h, &b);
    }
    buf_deinit(&list);
}

bool handshake_admit(struct handshake *h, struct wsock *w, const struct wsock_ops *ops,
                     struct buf *early) {
    if (wsock_admit(&h->hold, w, ops, early))
        return true;
    h->ops->free(h);
    return false;
}

void handshake_deinit(struct handshake *h) {
    auth_check_cancel(&h->check);
    identity_unref(h->who);
}
