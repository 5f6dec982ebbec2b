#include "gateway/login/connect_ask.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/client/describe.h"

#define MESSAGE_MOST 1024

/* --- the question ---------------------------------------------------------------------------
 */

static void put_text(struct buf *out, const char *key, struct slice text) {
    buf_printf(out, ",\"%s\":", key);
    json_escape_any(out, text);
}

static void put_json(struct buf *out, const char *key, struct slice json) {
    buf_printf(out, ",\"%s\":", key);
    buf_slice(out, json);
}

/* The address without its port and brackets. */
static struct slice host_of(const char *address) {
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : strlen(address);
    bool bracketed = len >= 2 && address[0] == '[';
    return (struct slice){address + bracketed, bracketed ? len - 2 : len};
}

static void put_body(struct buf *out, const struct clients *all,
                     const struct connect_about *about) {
    put_text(out, "socket", about->socket);
    put_text(out, "node", slice_of(lease_first(all->leases)->node_id));
    put_text(out, "door", slice_of(about->door));
    put_text(out, "namespace", about->nsp);
    if (about->state.len > 0)
        put_json(out, "state", about->state);
    put_text(out, "address", host_of(about->address));
    put_json(out, "auth", about->auth.len > 0 ? about->auth : SLICE("{}"));
    buf_str(out, ",\"query\":");
    visit_put_query(out, about->visit);
    if (about->former_user.len > 0) {
        buf_str(out, ",\"previous\":{\"user\":");
        json_escape_any(out, about->former_user);
        put_text(out, "socket", about->former_socket);
        buf_char(out, '}');
    }
    buf_printf(out, ",\"recovered\":%s", about->recovered ? "true" : "false");
    if (about->refresh)
        buf_str(out, ",\"refresh\":true");
}

static void on_done(struct hook_call *call, enum hook_result result,
                    const struct hook_answer *answer);

void connect_ask(struct connect_ask *a, struct clients *all,
                 const struct connect_about *about) {
    char turn[64];
    a->all = all;
    a->sent = uv_hrtime() / 1000;
    buf_init(&a->nsp);
    buf_slice(&a->nsp, about->nsp);
    snprintf(a->socket, sizeof a->socket, "%.*s", (int)about->socket.len, about->socket.ptr);
    hook_open(&a->call, HOOK_CONNECT, NULL, 0);
    put_body(&a->call.body, all, about);
    snprintf(turn, sizeof turn, "%s", about->address);
    struct hook_ask ask = {.url = slice_of(all->options->connect_hook),
                           .user = address_turn(turn),
                           .done = on_done};
    if (about->visit != NULL)
        ask.headers = about->visit->headers;
    hooks_begin(all->hooks, &a->call, &ask);
}

struct connect_about connect_about_client(const struct client *c, char socket[CLIENT_ID_SIZE],
                                          char address[64]) {
    const struct door *door = client_door(c);
    c->as.ops->address(&c->as, address, 64);
    return (struct connect_about){.socket = subscriber_socket(&c->as, socket),
                                  .nsp = subscriber_nsp(&c->as),
                                  .door = c->as.ops->socket != NULL ? "socketio" : "json",
                                  .address = address,
                                  .visit = door->visit != NULL ? door->visit(c) : NULL};
}

void connect_ask_cancel(struct connect_ask *a) {
    hook_cancel(&a->call);
    buf_deinit(&a->nsp);
}

/* --- the answer -----------------------------------------------------------------------------
 */

/* When the back end was asked, by Redis's clock: a token that was issued then is as good. In
 * whole seconds, like those of tokens. */
static int64_t asked_at(const struct connect_ask *a, struct json_value body) {
    static const char *const names[] = {"user"};
    struct json_value user;
    struct name name;
    char key[CHANNEL_NAME_SIZE];
    json_fields(body, names, &user, 1);
    if (!name_from_json(user, true, &name))
        name_set(&name, slice_of(a->socket));
    const struct partition *p =
        redis_partition(a->all->redis, user_channel(name_slice(&name), key));
    return (int64_t)(redis_clock_least(&p->clock, a->sent) / 1000000 * 1000);
}

static void tell_log(const char *why) {
    LOG(LOG_WARN, "hook_answer", "type", "connect", "why", why, NULL);
}

static void read_answer(struct connect_ask *a, struct json_value body,
                        struct connect_answer *out) {
    const char *wrong;
    struct slice socket = slice_of(a->socket);
    out->who = auth_answered(a->all->auth, body, socket, asked_at(a, body), &wrong);
    if (out->who == NULL && wrong == NULL) {
        *out = (struct connect_answer){
            .how = CONNECT_NOT, .failure = {.err = ERR_UNAUTHORIZED}, .bare = true};
        return;
    }
    if (out->who != NULL)
        out->welcome = welcome_read(a->all, &a->call, body, socket, buf_bytes(&a->nsp), &wrong);
    if (wrong == NULL)
        return;
    tell_log(wrong);
    identity_unref(out->who);
    *out = (struct connect_answer){
        .how = CONNECT_AWAY, .failure = {.err = ERR_UNAVAILABLE, .outcome = OUTCOME_UNKNOWN}};
}

static void on_done(struct hook_call *call, enum hook_result result,
                    const struct hook_answer *answer) {
    struct connect_ask *a = container_of(call, struct connect_ask, call);
    struct connect_answer out = {.how = CONNECT_IS};
    char message[MESSAGE_MOST];
    if (result == HOOK_DONE) {
        read_answer(a, answer->body, &out);
    } else if (result == HOOK_ERROR) {
        ptrdiff_t len = json_decode(answer->message, message, sizeof message - 1);
        message[len > 0 ? len : 0] = '\0';
        out.how = CONNECT_NOT;
        out.bare = answer->message.type == JSON_NONE && answer->data.type == JSON_NONE;
        out.failure = (struct failure){.err = ERR_UNAUTHORIZED,
                                       .code = answer->code,
                                       .message = len > 0 ? message : NULL,
                                       .data = answer->data.raw};
    } else {
        out.how = CONNECT_AWAY;
        out.failure = (struct failure){
            .err = ERR_UNAVAILABLE,
            .message = "the back end cannot be reached, or gave no good answer",
            .outcome = result == HOOK_REFUSED ? OUTCOME_REFUSED : OUTCOME_UNKNOWN};
    }
    buf_deinit(&a->nsp);
    a->done(a, &out);
}
