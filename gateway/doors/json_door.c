#include "gateway/doors/json_door.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/client/bearer.h"
#include "gateway/client/life.h"
#include "gateway/client/limits.h"
#include "gateway/client/own.h"
#include "gateway/client/request.h"
#include "gateway/client/visit.h"
#include "gateway/doors/door.h"
#include "gateway/spaces.h"

struct json_client {
    struct wsock ws;
    struct client client;
    struct visit *visit; /* owned; or NULL */
};

static struct json_client *of_client(const struct client *c) {
    return container_of(c, struct json_client, client);
}

static struct json_client *of_wsock(struct wsock *w) {
    return container_of(w, struct json_client, ws);
}

/* --- to the client --------------------------------------------------------------------------
 */

static void deliver(struct subscriber *s, struct message *m) {
    struct client *c = client_of(s);
    struct json_client *j = of_client(c);
    struct frame *frame = &m->encoded[CODEC_JSON];
    if (door_withholds(c, m))
        return;
    if (frame->plain.slab == NULL) {
        *frame = wsock_encode(j->ws.shared->net, WS_TEXT, &m->frame, 1);
        frame->wide = m->wide;
    }
    bool sent = wsock_send(&j->ws, frame, m->ephemeral);
    door_count(c, m, frame->plain.slab != NULL, sent);
}

static void send_parts(struct client *c, const struct slice parts[], size_t count) {
    wsock_send_text(&of_client(c)->ws, parts, count);
}

static void answer(struct client *c, const struct ack *ack, struct slice data, bool several) {
    struct slice key = several ? SLICE(",\"args\":") : SLICE(",\"data\":");
    struct slice parts[] = {SLICE("{\"ack\":"), {ack->bytes, ack->len}, key, data, SLICE("}")};
    send_parts(c, parts, 5);
}

static void fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure) {
    struct buf error;
    struct slice ack_text = {ack->bytes, ack->len};
    buf_init(&error);
    door_put_failure(&error, failure, ack->len != 0 ? NULL : event);
    struct slice with_ack[] = {SLICE("{\"ack\":"), ack_text, SLICE(",\"error\":"),
                               buf_bytes(&error), SLICE("}")};
    struct slice alone[] = {SLICE("{\"event\":\"error\",\"data\":"), buf_bytes(&error),
                            SLICE("}")};
    if (error.failed)
        wsock_close(&of_client(c)->ws, WS_CODE_INTERNAL, "out of memory");
    else if (ack->len != 0)
        send_parts(c, with_ack, 5);
    else
        send_parts(c, alone, 3);
    buf_deinit(&error);
}

static size_t queued(const struct subscriber *s) {
    return of_client(client_of(s))->ws.conn->queue->bytes;
}

static void want_drained(struct subscriber *s) {
    wsock_want_drained(&of_client(client_of(s))->ws);
}

static void pause_reading(struct client *c, bool pause) {
    conn_pause(of_client(c)->ws.conn, pause);
}

static bool slow(struct client *c, uint64_t until) {
    return conn_slow(of_client(c)->ws.conn, until);
}

static void close_socket(struct subscriber *s, uint16_t code, const char *reason) {
    client_of(s)->end = (unsigned char)door_end(code);
    wsock_close(&of_client(client_of(s))->ws, code, reason);
}

static void put_address(const struct subscriber *s, char *out, size_t size) {
    char text[CONN_ADDRESS_SIZE];
    conn_address_text(&of_client(client_of(s))->ws.conn->address, text);
    snprintf(out, size, "%s", text);
}

static void free_client(struct subscriber *s) {
    struct json_client *j = of_client(client_of(s));
    client_deinit(&j->client);
    free(j->visit);
    j->visit = NULL;
    if (j->ws.conn == NULL)
        free(j); /* otherwise the socket is still closing, and on_free frees it */
}

static const struct visit *visit_of(const struct client *c) {
    return of_client(c)->visit;
}

static const struct door json_door = {
    .as = {.name = "ws",
           .deliver = deliver,
           .queued = queued,
           .want_drained = want_drained,
           .close = close_socket,
           .address = put_address,
           .free = free_client},
    .answer = answer,
    .fail = fail,
    .visit = visit_of,
    .pause = pause_reading,
    .slow = slow,
};

/* --- from the client ------------------------------------------------------------------------
 */

static bool read_ack(struct json_value value, struct ack *ack) {
    ack->len = 0;
    if (value.type == JSON_NONE)
        return true;
    if ((value.type != JSON_STRING && !json_is_integer(value)) || value.raw.len > ACK_MAX)
        return false;
    ack->len = (unsigned char)value.raw.len;
    memcpy(ack->bytes, value.raw.ptr, value.raw.len);
    return true;
}

/* The one argument `data`, or several in `args`. NULL, or the field that is wrong. */
static const char *own_args(struct json_value data, struct json_value args, struct slice *out) {
    *out = data.raw;
    if (args.type == JSON_NONE)
        return NULL;
    if (args.type != JSON_ARRAY || data.type != JSON_NONE)
        return "args";
    *out = (struct slice){args.raw.ptr + 1, args.raw.len - 2};
    return NULL;
}

static void take_own(struct client *c, const struct map_line *line, struct slice event,
                     struct json_value envelope, const struct ack *ack) {
    static const char *const names[] = {"data", "args", "bin", "clientMessageId"};
    struct json_value f[4];
    struct own_event e = {.name = event};
    json_fields(envelope, names, f, 4);
    const char *wrong = own_args(f[0], f[1], &e.args);
    if (f[2].type != JSON_NONE && f[2].type != JSON_ARRAY)
        wrong = "bin";
    e.bin = f[2].raw;
    e.id = f[3];
    if (wrong != NULL)
        client_bad_frame(c, ERR_BAD_FIELD, ack, wrong);
    else
        client_own_event(c, line, &e, ack);
}

static void on_text(struct client *c, struct slice text) {
    static const char *const names[] = {"event", "data", "ack"};
    struct json_value value, f[3];
    struct ack ack = {.len = 0};
    char event[EVENT_NAME_MOST + 1];
    if (json_parse(text, &value) != JSON_OK) {
        client_bad_frame(c, ERR_BAD_JSON, &ack, NULL);
        return;
    }
    json_fields(value, names, f, 3);
    if (!read_ack(f[2], &ack)) {
        client_bad_frame(c, ERR_BAD_MESSAGE, &ack, "ack");
        return;
    }
    if (value.type != JSON_OBJECT || f[0].type != JSON_STRING) {
        client_bad_frame(c, ERR_BAD_MESSAGE, &ack, value.type == JSON_OBJECT ? "event" : NULL);
        return;
    }
    ptrdiff_t len = json_decode(f[0], event, sizeof event);
    struct slice name = {event, len > 0 ? (size_t)len : 0};
    const struct map_line *line = client_line(c, name);
    if (line != NULL)
        take_own(c, line, name, value, &ack);
    else
        client_event(c, name, f[1], &ack);
}

static void on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    struct json_client *j = of_wsock(w);
    if (opcode == WS_TEXT)
        on_text(&j->client, payload);
    else
        wsock_close(w, WS_CODE_UNSUPPORTED, "text frames only");
}

static size_t most(const struct wsock *w) {
    return client_message_most(&container_of(w, const struct json_client, ws)->client);
}

static void on_too_big(struct wsock *w) {
    const struct client *c = &of_wsock(w)->client;
    if (client_message_most(c) < clients_of(c)->options->max_message)
        metric_limited(clients_of(c)->metrics, LIMIT_BEFORE_LOGIN);
}

static size_t held(const struct wsock *w) {
    return client_held(&container_of(w, const struct json_client, ws)->client);
}

static void charge(struct wsock *w, uint64_t units) {
    limits_charge(&of_wsock(w)->client, units);
}

static void on_drained(struct wsock *w) {
    client_drained(&of_wsock(w)->client);
}

static void on_gone(struct wsock *w) {
    if (w->away)
        of_wsock(w)->client.end = CLIENT_AWAY;
    client_gone(&of_wsock(w)->client);
}

static void on_free(struct wsock *w) {
    struct json_client *j = of_wsock(w);
    if (j->client.as.refs == 0)
        free(j); /* otherwise a script still holds the client, and free_client frees it */
}

#define JSON_OPS(gone)                                                                         \
    {                                                                                          \
        .door = DOOR_JSON, .on_message = on_message, .most = most, .on_too_big = on_too_big,   \
        .charge = charge, .held = held, .on_drained = on_drained, .on_gone = (gone),           \
        .on_free = on_free                                                                     \
    }
static const struct wsock_ops ops = JSON_OPS(on_gone);

/* --- a client whose token came with the handshake -------------------------------------------
 */

struct json_holder {
    struct json_client json;
    struct holder holder;
};

static struct json_holder *json_holder_of(struct wsock *w) {
    return container_of(of_wsock(w), struct json_holder, json);
}

static struct identity *holder_who(const struct holder *h) {
    return container_of(h, const struct json_holder, holder)->json.client.identity;
}

static void holder_close(struct holder *h, uint16_t code, const char *reason) {
    client_close(&container_of(h, struct json_holder, holder)->json.client, code, reason);
}

static const struct holder_ops holder_ops = {.who = holder_who, .close = holder_close};

static void on_holder_gone(struct wsock *w) {
    struct json_holder *j = json_holder_of(w);
    holders_leave(&clients_of(&j->json.client)->holders, &j->holder);
    on_gone(w);
}

static const struct wsock_ops ops_of_holder = JSON_OPS(on_holder_gone);

/* --- the handshake --------------------------------------------------------------------------
 */

struct json_handshake {
    struct handshake as;
    struct clients *clients;
    struct visit *visit; /* owned; or NULL */
};

static struct json_client *json_make(const struct identity *who) {
    if (who == NULL)
        return calloc(1, sizeof(struct json_client));
    struct json_holder *holder = calloc(1, sizeof *holder);
    return holder != NULL ? &holder->json : NULL;
}

static void identify(struct json_client *j, struct identity *who) {
    struct json_holder *holder = json_holder_of(&j->ws);
    struct holders *all = &clients_of(&j->client)->holders;
    client_identify(&j->client, identity_ref(who));
    if (!holders_enter(all, &holder->holder, &holder_ops))
        wsock_close(&j->ws, WS_CODE_INTERNAL, "out of memory");
}

static void on_checked(struct handshake *h) {
    struct json_handshake *jh = container_of(h, struct json_handshake, as);
    struct clients *clients = jh->clients;
    struct json_client *j = json_make(h->who);
    struct buf early;
    if (j == NULL) {
        handshake_refuse(h, 503, "out of memory\n");
        return;
    }
    if (!handshake_admit(h, &j->ws, h->who != NULL ? &ops_of_holder : &ops, &early)) {
        free(j);
        return;
    }
    client_open(&j->client, clients, &json_door);
    j->visit = jh->visit;
    jh->visit = NULL;
    j->client.own_only = !spaces_has_builtin(clients->options, SLICE("/"));
    if (h->who != NULL)
        identify(j, h->who);
    h->ops->free(h);
    wsock_take_early(&j->ws, &early);
}

static void free_handshake(struct handshake *h) {
    struct json_handshake *jh = container_of(h, struct json_handshake, as);
    handshake_deinit(h);
    free(jh->visit);
    free(jh);
}

static const struct handshake_ops handshake_ops = {
    .door = DOOR_JSON, .checked = on_checked, .free = free_handshake};

void json_door_open(struct clients *clients, struct handshakes *handshakes,
                    const struct http_request *request) {
    struct json_handshake *h = calloc(1, sizeof *h);
    if (h == NULL || !visit_keep(&h->visit, clients->options, request)) {
        free(h);
        http_answer(request, 503, "text/plain", SLICE("out of memory\n"), NULL);
        metric_handshake(clients->metrics, DOOR_JSON, false);
        return;
    }
    h->clients = clients;
    handshake_begin(&h->as, handshakes, request, &handshake_ops);
}
