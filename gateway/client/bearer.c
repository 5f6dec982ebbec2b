#include "gateway/client/bearer.h"

#include <stdlib.h>

#include "common/log.h"

#define NOTICE_MS 30000 /* the client is told at most so long before the end */
#define AGAIN_MS  1000  /* between two questions to the back end */
#define LOOK_MS   10000 /* the wall clock is looked at so often */

struct expiry {
    struct wheel_timer timer;
    struct client *client;
    struct identity *who; /* a reference */
    int64_t notice_ms;    /* ms since 1970: when the client is to be told */
    bool told;
    bool asking; /* the back end is asked again */
};

void client_identify(struct client *c, struct identity *who) {
    identity_unref(c->identity);
    c->identity = who;
}

/* --- the end of a token ---------------------------------------------------------------------
 */

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void look_again(struct expiry *e, int64_t in_ms) {
    uint64_t now = client_now(e->client);
    int64_t wait = smaller(in_ms, LOOK_MS);
    wheel_set(&clients_of(e->client)->expiries, &e->timer, now + (uint64_t)wait);
}

static void tell_expiring(struct client *c, int64_t left_ms) {
    struct buf data;
    buf_init(&data);
    buf_printf(&data, "{\"expiresIn\":%lld}", (long long)(left_ms > 0 ? left_ms : 0));
    if (data.failed)
        client_close(c, 1011, "out of memory");
    else
        subscriber_emit(&c->as, "token_expiring", buf_bytes(&data), false);
    buf_deinit(&data);
}

static void end(struct client *c) {
    struct ack none = {.len = 0};
    struct failure failure = {
        .err = ERR_UNAUTHORIZED, .field = "token", .message = "exp is past"};
    LOG(LOG_DEBUG, "token_expired", "user",
        log_text("%.*s", (int)c->as.user.len, c->as.user.ptr), NULL);
    client_fail(c, &none, NULL, &failure);
    if (!c->as.gone)
        client_close(c, 4401, "token expired");
}

/* What the back end has said ends. It is asked again until it answers, or it is too late. */
static void ask_again(struct expiry *e, int64_t now) {
    struct clients *all = clients_of(e->client);
    if (now < e->who->exp_ms) {
        look_again(e, e->who->exp_ms - now);
        return;
    }
    look_again(e, AGAIN_MS);
    if (!e->asking && all->ask_again != NULL)
        e->asking = all->ask_again(e->client);
}

void bearer_asked(struct client *c) {
    if (c->expiry != NULL)
        c->expiry->asking = false;
}

void bearer_timer(void *owner, struct wheel_timer *t) {
    struct expiry *e = container_of(t, struct expiry, timer);
    struct client *c = e->client;
    int64_t now = auth_now_ms();
    (void)owner;
    client_ref(c);
    if (now >= e->who->until_ms) {
        end(c);
    } else if (e->who->asked) {
        ask_again(e, now);
    } else {
        bool tells = !e->told && now >= e->notice_ms;
        e->told = e->told || tells;
        look_again(e, (e->told ? e->who->until_ms : e->notice_ms) - now);
        if (tells)
            tell_expiring(c, e->who->exp_ms - now);
    }
    client_unref(c);
}

void client_watch(struct client *c) {
    struct identity *who = c->identity;
    if (who == NULL || who->exp_ms == INT64_MAX || c->as.gone ||
        (c->expiry != NULL && c->expiry->who == who))
        return;
    if (c->expiry == NULL && (c->expiry = calloc(1, sizeof *c->expiry)) == NULL) {
        client_close(c, 1011, "out of memory");
        return;
    }
    int64_t now = auth_now_ms();
    int64_t tenth = (who->exp_ms - (who->has_iat ? who->iat_ms : now)) / 10;
    c->expiry->client = c;
    identity_unref(c->expiry->who);
    c->expiry->who = identity_ref(who);
    c->expiry->told = false;
    c->expiry->notice_ms = who->exp_ms - smaller(NOTICE_MS, tenth > 0 ? tenth : 0);
    int64_t next = who->asked ? who->exp_ms : c->expiry->notice_ms;
    look_again(c->expiry, next > now ? next - now : 0);
}

void bearer_gone(struct client *c) {
    if (c->expiry == NULL)
        return;
    wheel_clear(&clients_of(c)->expiries, &c->expiry->timer);
    identity_unref(c->expiry->who);
    free(c->expiry);
    c->expiry = NULL;
}

/* --- for scripts ----------------------------------------------------------------------------
 */

struct slice bearer_iat(const struct identity *who, char out[DIGITS_SIZE]) {
    if (who == NULL)
        return SLICE("-");
    if (!who->has_iat)
        return SLICE("");
    return slice_digits(who->iat_ms > 0 ? (uint64_t)who->iat_ms : 0, out);
}
