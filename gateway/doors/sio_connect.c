#include "gateway/doors/sio_connect.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/client/bearer.h"
#include "gateway/client/life.h"
#include "gateway/doors/door.h"
#include "gateway/login/connect_ask.h"
#include "gateway/login/recover.h"
#include "gateway/net/token.h"
#include "gateway/spaces.h"

#define WAITS_MS 10000 /* how long a client waits for Redis, as a recovery does */
#define RETRY_MS 250

_Static_assert(SESSION_NAME_LEN == EIO_ID_SIZE - 1, "a pid begins with its socket's name");

struct sio_auth {
    struct json_value pid;
    struct json_value offset;
    struct json_value recovery;
    struct json_value errors;
    struct json_value user;
    struct json_value token;
    struct json_value resume;
    struct json_value available;
};

static struct sio_auth read_auth(struct slice text) {
    static const char *const names[] = {"pid",    "offset", "recovery", "errors",
                                        "userId", "token",  "resume",   "available"};
    struct json_value value, f[8];
    if (json_parse(text, &value) != JSON_OK)
        value = (struct json_value){JSON_NONE, {NULL, 0}};
    json_fields(value, names, f, 8);
    return (struct sio_auth){f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]};
}

static bool is_there(struct json_value value) {
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

static const char *pid_of(const struct client *c) {
    return c->session != NULL ? c->session->pid : NULL;
}

static void join(struct sio_client *k) {
    struct client *before = sio_act(&k->client);
    k->client.unheard = false;
    sio_accept(&k->sio, pid_of(&k->client));
    sio_acted(&k->client, before);
}

/* --- refusals -------------------------------------------------------------------------------
 */

static void refuse_with(struct sio_client *k, const char *text, struct slice data) {
    struct client *c = &k->client;
    client_ref(c);
    struct client *before = sio_act(c);
    sio_refuse(&k->sio, text, data);
    if (!k->told) { /* the server reports only the end of sockets that were accepted */
        k->told = true;
        session_over(c->session, false);
        client_gone(c);
    }
    sio_acted(c, before);
    client_unref(c);
}

static void refuse(struct sio_client *k, const struct failure *failure) {
    struct buf data;
    struct failure told = *failure;
    const char *text = door_failure_text(failure);
    if (failure->err == ERR_UNAUTHORIZED) {
        text = err_code(failure->err);
        told.field = NULL;
    }
    buf_init(&data);
    door_put_failure(&data, &told, NULL);
    if (data.failed)
        sio_close(&k->sio, WS_CODE_INTERNAL, "out of memory");
    else
        refuse_with(k, text, buf_bytes(&data));
    buf_deinit(&data);
}

static void refuse_field(struct sio_client *k, const char *field, const char *message) {
    struct failure failure = {.err = ERR_BAD_FIELD, .field = field, .message = message};
    metric_error(clients_of(&k->client)->metrics, failure.err);
    refuse(k, &failure);
}

/* --- the login ------------------------------------------------------------------------------
 */

static void log_in(struct sio_client *k) {
    struct client *c = &k->client;
    struct ack ack = {.len = 1, .bytes = "0"};
    struct json_value data;
    list_remove(&k->waiting);
    json_parse((struct slice){k->auth, k->auth_len}, &data);
    client_ref(c);
    client_event_by(c, &clients_of(c)->rows[EVENT_LOGIN], data, &ack);
    client_unref(c);
}

static void auth_free(struct sio_client *k) {
    free(k->auth);
    k->auth = NULL;
}

static void hook_free(struct sio_client *k);
static void hook_begin(struct sio_client *k);

bool sio_connect_answered(struct sio_client *k) {
    if (k->auth == NULL)
        return false;
    hook_free(k);
    auth_free(k);
    join(k);
    return true;
}

/* Redis is away: it is asked again for a while. A refusal would be final for the client, which
 * comes back by itself only when its connection is lost. */
static void wait_for_redis(struct sio_client *k) {
    struct sio_door *d = door_of(k);
    uint64_t now = leases_now(d->clients->leases);
    if (now >= k->until) {
        sio_close(&k->sio, WS_CODE_TRY_LATER, "Redis is away");
        return;
    }
    if (list_empty(&d->waiting))
        d->waiting_next = now + RETRY_MS;
    list_push(&d->waiting, &k->waiting);
}

/* What the back end has said was revoked since it was asked. */
static bool was_revoked(const struct sio_client *k, const struct failure *failure) {
    return k->hook != NULL && failure->err == ERR_UNAUTHORIZED;
}

bool sio_connect_failed(struct sio_client *k, const struct failure *failure) {
    if (k->auth == NULL)
        return false;
    if (was_revoked(k, failure)) {
        client_identify(&k->client, NULL);
        auth_free(k);
        wait_for_redis(k);
    } else if (failure->err == ERR_UNAVAILABLE || failure->err == ERR_RATE_LIMITED) {
        wait_for_redis(k);
    } else {
        auth_free(k);
        refuse(k, failure);
    }
    return true;
}

static void go_on(struct sio_client *k) {
    list_remove(&k->waiting);
    if (k->auth != NULL)
        log_in(k);
    else
        hook_begin(k);
}

void sio_connect_flush(struct sio_door *d) {
    struct list waiting;
    uint64_t now = leases_now(d->clients->leases);
    if (list_empty(&d->waiting) || now < d->waiting_next)
        return;
    list_init(&waiting);
    list_splice(&waiting, &d->waiting);
    while (!list_empty(&waiting))
        go_on(container_of(waiting.next, struct sio_client, waiting));
}

/* Lets in a client of which nothing was recovered. */
static void enter(struct sio_client *k) {
    struct client *c = &k->client;
    if (k->guest && c->identity == NULL)
        c->identity = auth_guest(clients_of(c)->auth, slice_of(k->sio.sid));
    if (k->guest && c->identity == NULL)
        sio_close(&k->sio, WS_CODE_INTERNAL, "out of memory");
    else if (k->auth != NULL)
        log_in(k);
    else
        join(k);
}

static bool keep_auth(struct sio_client *k, struct slice auth) {
    k->auth = malloc(auth.len);
    if (k->auth == NULL)
        return false;
    memcpy(k->auth, auth.ptr, auth.len);
    k->auth_len = auth.len;
    k->until = client_now(&k->client) + WAITS_MS;
    return true;
}

/* --- guests ---------------------------------------------------------------------------------
 */

static void put_member(struct buf *out, const char *name, struct json_value value) {
    if (!is_there(value))
        return;
    buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    buf_slice(out, value.raw);
}

/* Without a token, what it says about a user or a room means nothing, so the login does not get
 * it. */
static bool keep_bare(struct sio_client *k, const struct sio_auth *auth) {
    struct buf data;
    buf_init(&data);
    buf_char(&data, '{');
    put_member(&data, "resume", auth->resume);
    put_member(&data, "available", auth->available);
    buf_char(&data, '}');
    bool kept = !data.failed && keep_auth(k, buf_bytes(&data));
    buf_deinit(&data);
    return kept;
}

/* The guest whose socket had this pid, which begins with the socket's id. NULL: no memory. */
static struct identity *former_guest(const struct sio_client *k, struct json_value pid) {
    char text[SESSION_PID_SIZE];
    ptrdiff_t len = json_decode(pid, text, sizeof text);
    struct slice id = {text, len > SESSION_NAME_LEN ? SESSION_NAME_LEN : 0};
    return auth_guest(clients_of(&k->client)->auth, id);
}

/* --- recovery -------------------------------------------------------------------------------
 */

static void hook_ask(struct sio_client *k, bool recovers);
static void enter_granted(struct client *c);

static void on_recovered(struct client *c, bool recovered) {
    struct sio_client *k = of_client(c);
    if (!recovered && k->hook != NULL) {
        hook_ask(k, false); /* as one that is new */
        return;
    }
    if (!recovered) {
        enter(k);
        return;
    }
    hook_free(k);
    auth_free(k);
    /* The pid begins with the name of the client's earlier socket. */
    snprintf(k->sio.sid, sizeof k->sio.sid, "%.*s", SESSION_NAME_LEN, pid_of(c));
    join(k);
    enter_granted(c);
}

/* Returns false if the client was not here before, or if its pid or offset has a wrong form.
 * who: see recover_client. */
static bool recover(struct client *c, const struct sio_auth *auth, struct identity *who) {
    char pid[SESSION_PID_SIZE];
    ptrdiff_t len = json_decode(auth->pid, pid, sizeof pid);
    size_t size = auth->offset.raw.len + 1;
    char *offset = len > 0 ? malloc(size) : NULL;
    if (offset == NULL)
        return false;
    ptrdiff_t offset_len = json_decode(auth->offset, offset, size);
    /* A value that is not text is no offset of ours. */
    bool good = offset_len > 0 || auth->offset.type == JSON_NONE;
    struct slice text = {offset, offset_len > 0 ? (size_t)offset_len : 0};
    good = good && recover_client(c, (struct slice){pid, (size_t)len}, text, who, on_recovered);
    free(offset);
    return good;
}

/* --- the token of a recovery ----------------------------------------------------------------
 */

struct sio_check {
    struct auth_check check;
    struct sio_client *client;
};

static void check_free(struct sio_client *k) {
    if (k->check == NULL)
        return;
    auth_check_cancel(&k->check->check);
    free(k->check);
    k->check = NULL;
}

void sio_connect_cancel(struct sio_client *k) {
    hook_free(k);
    check_free(k);
}

/* A login of another user is refused, so it recovers nothing, either. */
static bool is_of(struct json_value user, const struct identity *who) {
    struct name name;
    return !is_there(user) || (name_from_json(user, true, &name) &&
                               slice_eq(name_slice(&name), name_slice(&who->sub)));
}

static void on_verified(struct auth_check *check, struct identity *who, const char *why) {
    struct sio_client *k = container_of(check, struct sio_check, check)->client;
    struct client *c = &k->client;
    struct sio_auth auth = read_auth((struct slice){k->auth, k->auth_len});
    client_ref(c);
    if (who == NULL) {
        struct ack none = {.len = 0};
        struct failure failure = {.err = ERR_UNAUTHORIZED, .field = "token", .message = why};
        client_fail(c, &none, "login", &failure);
    } else if (!is_of(auth.user, who) || !recover(c, &auth, who)) {
        enter(k);
    }
    check_free(k);
    identity_unref(who);
    client_unref(c);
}

/* Recovers the client if its token is that of the session's user. */
static void verify(struct sio_client *k, struct json_value token) {
    struct sio_check *check = calloc(1, sizeof *check);
    char *text = malloc(token.raw.len);
    k->check = check;
    if (check == NULL || text == NULL) {
        free(text);
        sio_close(&k->sio, WS_CODE_INTERNAL, "out of memory");
        return;
    }
    ptrdiff_t len = json_decode(token, text, token.raw.len);
    check->client = k;
    check->check.done = on_verified;
    auth_check_begin(clients_of(&k->client)->auth, &check->check,
                     (struct slice){text, len > 0 ? (size_t)len : 0});
    free(text);
}

/* --- who the back end says it is ------------------------------------------------------------
 */

/* What the back end is asked about a client. If the client had a session that may be recovered,
 * that is looked at first. The back end is told of it, and if it names the same user, the
 * session goes on. If not, or if it cannot go on, the back end is asked once more, about a new
 * client. */
struct sio_hook {
    struct connect_ask ask;
    struct sio_client *client;
    char *auth; /* owned */
    size_t auth_len;
    bool tries;    /* there may be a session */
    bool recovers; /* the question that is under way is about that */
    struct name former;
    char former_socket[SESSION_NAME_LEN + 1];
    char *state; /* owned: of the session, or NULL */
};

static void hook_free(struct sio_client *k) {
    struct sio_hook *h = k->hook;
    if (h == NULL)
        return;
    k->hook = NULL;
    connect_ask_cancel(&h->ask);
    free(h->auth);
    free(h->state);
    free(h);
}

static struct sio_auth hook_auth(const struct sio_hook *h) {
    return read_auth((struct slice){h->auth, h->auth_len});
}

static void hook_refuse(struct sio_client *k, const struct connect_answer *answer) {
    const struct failure *f = &answer->failure;
    struct failure bare = {.err = ERR_UNAUTHORIZED,
                           .message = "the back end does not let it in"};
    metric_error(clients_of(&k->client)->metrics, ERR_UNAUTHORIZED);
    if (answer->bare)
        refuse(k, &bare);
    else
        refuse_with(k, f->message != NULL ? f->message : f->code, f->data);
}

/* The back end has named a user, and no session goes on. */
static void hook_enter(struct sio_client *k, struct identity *who) {
    struct sio_auth auth = hook_auth(k->hook);
    client_identify(&k->client, who);
    if (keep_bare(k, &auth))
        enter(k);
    else
        sio_close(&k->sio, WS_CODE_INTERNAL, "out of memory");
}

/* The former user is back: the session goes on, if it can. */
static void hook_recover(struct sio_client *k, struct identity *who) {
    struct sio_auth auth = hook_auth(k->hook);
    bool same = slice_eq(name_slice(&who->sub), name_slice(&k->hook->former));
    if (!same || !recover(&k->client, &auth, who))
        hook_ask(k, false);
    identity_unref(who);
}

static void on_hook_answer(struct connect_ask *ask, const struct connect_answer *answer) {
    struct sio_hook *h = container_of(ask, struct sio_hook, ask);
    struct sio_client *k = h->client;
    struct client *c = &k->client;
    client_ref(c);
    if (answer->how == CONNECT_IS) {
        welcome_add(c, answer->welcome);
        if (h->recovers)
            hook_recover(k, answer->who);
        else
            hook_enter(k, answer->who);
    } else if (answer->how == CONNECT_NOT) {
        hook_refuse(k, answer);
    } else {
        sio_close(&k->sio, WS_CODE_TRY_LATER, "the back end is away");
    }
    client_unref(c);
}

static void hook_ask(struct sio_client *k, bool recovers) {
    char socket[CLIENT_ID_SIZE], address[64];
    struct sio_hook *h = k->hook;
    struct connect_about about = connect_about_client(&k->client, socket, address);
    about.auth = (struct slice){h->auth, h->auth_len};
    about.recovered = h->recovers = recovers;
    about.former_user = name_slice(&h->former);
    about.former_socket = slice_of(h->former_socket);
    if (recovers)
        about.socket = about.former_socket;
    if (recovers && h->state != NULL)
        about.state = slice_of(h->state);
    h->ask.done = on_hook_answer;
    connect_ask(&h->ask, clients_of(&k->client), &about);
}

static void on_peeked(void *arg, const struct reply *reply, enum outcome outcome) {
    struct client *c = arg;
    struct sio_client *k = of_client(c);
    struct sio_hook *h = k->hook;
    long long status = reply_number(reply_item(reply, 0));
    (void)outcome;
    if (h == NULL || c->as.gone) {
        client_unref(c);
        return;
    }
    struct slice user = reply_text(reply_item(reply, 1));
    struct slice state = reply_text(reply_item(reply, 2));
    bool found = reply != NULL && status == 0 && user.len > 0 && user.len <= NAME_MAX_LEN;
    if (found) {
        name_set(&h->former, user);
        free(h->state);
        h->state = state.len > 0 ? strndup(state.ptr, state.len) : NULL;
    }
    if (reply == NULL || status == SCRIPT_REAPED)
        wait_for_redis(k);
    else
        hook_ask(k, found);
    client_unref(c);
}

/* Looks at the session that the client had. */
static bool hook_peek(struct sio_client *k, struct slice pid) {
    char key[SESSION_KEY_SIZE], id[CLIENT_ID_SIZE];
    struct client *c = &k->client;
    char text[SESSION_PID_SIZE];
    snprintf(text, sizeof text, "%.*s", (int)pid.len, pid.ptr);
    struct slice name = session_key(text, key);
    struct slice args[] = {SLICE("peek"), client_id(c, id),
                           slice_of(lease_of(clients_of(c)->leases, name)->incarnation),
                           SLICE("0"), c->session->space};
    snprintf(k->hook->former_socket, sizeof k->hook->former_socket, "%.*s", SESSION_NAME_LEN,
             text);
    bool sent = redis_script(redis_partition(clients_of(c)->redis, name), SCRIPT_session, &name,
                             1, args, 5, on_peeked, c);
    if (sent)
        client_ref(c);
    return sent;
}

static void hook_begin(struct sio_client *k) {
    struct sio_hook *h = k->hook;
    struct sio_auth auth = hook_auth(h);
    char pid[SESSION_PID_SIZE + 1];
    ptrdiff_t len = h->tries ? json_decode(auth.pid, pid, sizeof pid) : 0;
    struct slice text = {pid, len > 0 ? (size_t)len : 0};
    if (!token_valid(text, SESSION_PID_SIZE - 1))
        hook_ask(k, false);
    else if (!hook_peek(k, text))
        wait_for_redis(k);
}

static bool hook_make(struct sio_client *k, struct slice auth, bool tries) {
    struct sio_hook *h = calloc(1, sizeof *h);
    if (h == NULL || (h->auth = malloc(auth.len)) == NULL) {
        free(h);
        return false;
    }
    memcpy(h->auth, auth.ptr, auth.len);
    h->auth_len = auth.len;
    h->client = k;
    h->tries = tries;
    k->hook = h;
    k->until = client_now(&k->client) + WAITS_MS;
    return true;
}

/* The rooms that the back end has named besides those that were recovered. */
static void enter_granted(struct client *c) {
    struct ack none = {.len = 0};
    struct json_value data = {JSON_OBJECT, SLICE("{}")};
    bool any = false;
    for (const struct welcome *w = c->welcome; w != NULL; w = w->next)
        any = any || w->join.type == JSON_ARRAY;
    if (any && !c->as.gone)
        client_event_by(c, &clients_of(c)->rows[EVENT_LOGIN], data, &none);
}

/* True if the client may be given offsets. If it does not say so itself, its first request
 * tells, or the offsets that it had before. */
static bool keeps_offsets(const struct sio_client *k, const struct sio_auth *auth) {
    if (clients_of(&k->client)->options->sio_recovery == 0)
        return false;
    if (is_there(auth->recovery))
        return auth->recovery.type == JSON_TRUE;
    return sio_is_official(&k->sio) || is_there(auth->pid) || is_there(auth->offset);
}

/* --- joining --------------------------------------------------------------------------------
 */

/* Returns false when the client was refused because an option has a wrong form. */
static bool take_options(struct sio_client *k, const struct sio_auth *auth) {
    char errors[8];
    ptrdiff_t len = json_decode(auth->errors, errors, sizeof errors);
    struct slice how = {errors, len > 0 ? (size_t)len : 0};
    if (is_there(auth->recovery) && auth->recovery.type != JSON_TRUE &&
        auth->recovery.type != JSON_FALSE) {
        refuse_field(k, "recovery", "must be true or false");
        return false;
    }
    if (is_there(auth->errors) && !slice_is(how, "ack") && !slice_is(how, "event")) {
        refuse_field(k, "errors", "must be \"ack\" or \"event\"");
        return false;
    }
    k->error_acks = slice_is(how, "ack");
    return true;
}

/* Without a token, a client may still come in, and log in by an event. */
static bool asks_for_login(const struct client *c, const struct sio_auth *auth) {
    return is_there(auth->user) ||
           (is_there(auth->token) && clients_take_tokens(clients_of(c)));
}

/* A client that joins again in the same session has left before, so there is nothing to
 * recover. Asking Redis would cost such a client nothing, and Redis much. */
static void begin(struct sio_client *k, const struct sio_auth *auth, bool tries) {
    struct client *c = &k->client;
    const struct clients *all = clients_of(c);
    struct identity *guest = tries && k->guest ? former_guest(k, auth->pid) : NULL;
    if (k->hook != NULL)
        hook_begin(k);
    else if (tries && is_there(auth->token) && clients_take_tokens(all))
        verify(k, auth->token);
    else if (!tries || (guest == NULL && clients_need_tokens(all)) || !recover(c, auth, guest))
        enter(k);
    identity_unref(guest);
}

/* Keeps what the client will be logged in with, if it is to be. False: no memory. */
static bool keep_login(struct sio_client *k, const struct sio_auth *auth, struct slice text,
                       bool tries) {
    const struct clients *all = clients_of(&k->client);
    bool has_token = is_there(auth->token) && clients_take_tokens(all);
    if (connect_asks(all) && !has_token)
        return hook_make(k, text, tries);
    k->guest = all->options->guests && !has_token;
    if (k->guest)
        return keep_bare(k, auth);
    return !asks_for_login(&k->client, auth) || keep_auth(k, text);
}

void sio_connect(struct sio_socket *s, struct slice text) {
    struct sio_client *k = of_socket(s);
    struct client *c = &k->client;
    struct sio_auth auth = read_auth(text);
    client_open(c, door_of(k)->clients, door_of(k)->ops);
    c->unheard = true;
    c->own_only = !spaces_has_builtin(clients_of(c)->options, sio_namespace(s));
    if (!take_options(k, &auth))
        return;
    bool recovers = keeps_offsets(k, &auth);
    bool tries = recovers && !s->again && is_there(auth.pid);
    if ((recovers && !session_open(c, s->sid, sio_namespace(s))) ||
        !keep_login(k, &auth, text, tries))
        sio_close(s, WS_CODE_INTERNAL, "out of memory");
    else
        begin(k, &auth, tries);
}
