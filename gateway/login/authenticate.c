#include "gateway/login/authenticate.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/client/asking.h"
#include "gateway/client/authorize.h"
#include "gateway/client/bearer.h"
#include "gateway/login/connect_ask.h"

struct authenticating {
    struct auth_check check;
    struct request *request;
    struct identity *who; /* a reference: the token is good */
    authenticated then;
    struct json_value data; /* of the event */
    char *copy;             /* owned: the bytes of the data, while the event waits */
    bool *over;             /* set when this is freed; NULL: authenticate has returned */
    unsigned revocations;   /* clients.revocations when Redis was asked */
};

static void drop(void *state) {
    struct authenticating *a = state;
    auth_check_cancel(&a->check);
    identity_unref(a->who);
    free(a->copy);
    if (a->over != NULL)
        *a->over = true;
}

static void abandon(struct request *r) {
    request_ok(r, (struct slice){NULL, 0});
}

static void refuse(struct request *r, const char *why) {
    request_fail(r, ERR_UNAUTHORIZED, "token", why);
}

/* --- the steps ------------------------------------------------------------------------------
 */

static void finish(struct authenticating *a) {
    struct request *r = a->request;
    struct identity *who = identity_ref(a->who);
    authenticated then = a->then;
    struct json_value data = a->data;
    char *copy = a->copy;
    a->copy = NULL;
    r->state = NULL; /* the next step has its own */
    r->drop = NULL;
    r->abandon = NULL;
    drop(a);
    free(a);
    then(r, data, who);
    free(copy);
}

static void on_asked(void *arg, const struct reply *reply, enum outcome outcome);

static void ask_redis(struct request *r) {
    struct authenticating *a = r->state;
    const struct identity *who = a->who;
    char key_bytes[CHANNEL_NAME_SIZE], iat_bytes[DIGITS_SIZE];
    struct slice key = user_channel(name_slice(&who->sub), key_bytes);
    struct slice iat = bearer_iat(who, iat_bytes);
    r->abandon = NULL; /* the answer ends it */
    a->revocations = clients_of(r->client)->revocations;
    request_script(r, SCRIPT_revoked, &key, 1, &iat, 1, on_asked);
}

/* News come by another link than the answer, perhaps before it. They have closed nothing on
 * account of this token, which is not the client's yet. So Redis is asked again. */
static void on_asked(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct authenticating *a = r->state;
    (void)outcome;
    if (r->client->as.gone)
        request_ok(r, (struct slice){NULL, 0});
    else if (!request_check(r, reply, OUTCOME_REFUSED))
        return;
    else if (a->revocations != clients_of(r->client)->revocations)
        ask_redis(r);
    else
        finish(a);
}

static void on_verified(struct auth_check *check, struct identity *who, const char *why) {
    struct authenticating *a = container_of(check, struct authenticating, check);
    struct request *r = a->request;
    const struct client *c = r->client;
    a->who = who;
    if (who == NULL)
        refuse(r, why);
    else if (c->identity != NULL &&
             !slice_eq(name_slice(&c->identity->sub), name_slice(&who->sub)))
        request_fail(r, ERR_FORBIDDEN, "token", "the token is another user's");
    else if (c->as.logged_in)
        ask_redis(r);
    else
        finish(a);
}

/* --- who the back end says it is ------------------------------------------------------------
 */

struct asking_back {
    struct connect_ask ask;
    struct request *request;
    authenticated then;
    struct json_value data;
    char *copy; /* owned: its bytes */
};

static void asked_drop(void *state) {
    struct asking_back *a = state;
    connect_ask_cancel(&a->ask);
    free(a->copy);
}

static void on_answered(struct connect_ask *ask, const struct connect_answer *answer) {
    struct asking_back *a = container_of(ask, struct asking_back, ask);
    struct request *r = a->request;
    struct json_value data = a->data;
    authenticated then = a->then;
    char *copy = a->copy;
    a->copy = NULL;
    if (answer->how == CONNECT_IS) {
        r->state = NULL; /* the next step has its own */
        r->drop = NULL;
        r->abandon = NULL;
        free(a);
        welcome_add(r->client, answer->welcome);
        then(r, data, answer->who);
    } else if (answer->how == CONNECT_NOT) {
        struct failure failure = answer->failure;
        failure.message = answer->bare ? "the back end lets nobody in so" : failure.message;
        request_fail_with(r, &failure);
    } else {
        request_unavailable(r, answer->failure.outcome);
    }
    free(copy);
}

static void go_by_hook(struct request *r, struct json_value data, authenticated then) {
    char socket[CLIENT_ID_SIZE], address[64];
    struct client *c = r->client;
    struct asking_back *a = request_state(r, sizeof *a);
    if (a == NULL)
        return;
    r->drop = asked_drop;
    a->copy = malloc(data.raw.len + 1);
    if (a->copy == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    memcpy(a->copy, data.raw.ptr, data.raw.len);
    json_parse((struct slice){a->copy, data.raw.len}, &a->data);
    r->abandon = abandon;
    a->request = r;
    a->then = then;
    a->ask.done = on_answered;
    struct connect_about about = connect_about_client(c, socket, address);
    about.auth = a->data.raw;
    connect_ask(&a->ask, clients_of(c), &about);
}

static void go_as_guest(struct request *r, struct json_value data, authenticated then) {
    char id[CLIENT_ID_SIZE];
    const struct client *c = r->client;
    struct identity *who = auth_guest(clients_of(c)->auth, subscriber_socket(&c->as, id));
    if (who == NULL)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else
        then(r, data, who);
}

/* The event speaks for the bearer of the token that the client has shown before. */
static void go_without(struct request *r, struct json_value data, authenticated then) {
    const struct client *c = r->client;
    if (c->identity == NULL && connect_asks(clients_of(c)))
        go_by_hook(r, data, then);
    else if (c->identity == NULL && clients_of(c)->options->guests)
        go_as_guest(r, data, then);
    else if (c->identity == NULL)
        refuse(r, "there is no token");
    else if (!c->as.logged_in && auth_now_ms() >= c->identity->until_ms)
        refuse(r, "exp is past");
    else
        then(r, data, identity_ref(c->identity));
}

/* The event waits: keeps its data. */
static void keep_data(struct authenticating *a) {
    size_t len = a->data.raw.len;
    a->over = NULL;
    a->copy = malloc(len + 1);
    if (a->copy == NULL) {
        request_fail(a->request, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    memcpy(a->copy, a->data.raw.ptr, len);
    json_parse((struct slice){a->copy, len}, &a->data);
}

static void begin(struct authenticating *a, struct json_value token) {
    struct request *r = a->request;
    bool over = false;
    a->over = &over;
    char *text = malloc(token.raw.len);
    ptrdiff_t len = text != NULL ? json_decode(token, text, token.raw.len) : 0;
    struct slice decoded = {text, len > 0 ? (size_t)len : 0};
    if (text == NULL)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else if (len < 0)
        refuse(r, "the token is not a string");
    else
        auth_check_begin(clients_of(r->client)->auth, &a->check, decoded);
    free(text);
    if (!over)
        keep_data(a);
}

void authenticate(struct request *r, struct json_value data, struct json_value token,
                  authenticated then) {
    if (!clients_need_tokens(clients_of(r->client))) {
        then(r, data, NULL);
        return;
    }
    bool none = token.type == JSON_NONE || token.type == JSON_NULL;
    if (none || !clients_take_tokens(clients_of(r->client))) {
        go_without(r, data, then);
        return;
    }
    struct authenticating *a = request_state(r, sizeof *a);
    if (a == NULL)
        return;
    a->check.done = on_verified;
    a->request = r;
    a->then = then;
    a->data = data;
    r->drop = drop;
    r->abandon = abandon;
    begin(a, token);
}

/* --- rights that are gone -------------------------------------------------------------------
 */

static void leave(struct client *c, struct sub *sub) {
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"channel\":");
    json_escape(&data, channel_name(sub->channel));
    buf_char(&data, '}');
    sub_drop(sub);
    if (data.failed)
        client_close(c, 1011, "out of memory");
    else
        subscriber_emit(&c->as, "revoked", buf_bytes(&data), false);
    buf_deinit(&data);
}

void authenticate_anew(struct client *c, struct identity *who) {
    client_ref(c);
    client_identify(c, who);
    client_watch(c);
    for (struct list *at = c->as.subs.next, *next; !c->as.gone && at != &c->as.subs;
         at = next) {
        struct sub *sub = container_of(at, struct sub, in_subscriber);
        next = at->next;
        if (!sub->granted && !authorize_channel(who, channel_name(sub->channel)))
            leave(c, sub);
    }
    client_unref(c);
}
