#include "gateway/doors/sio_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/eio.h"
#include "common/log.h"
#include "gateway/client/life.h"
#include "gateway/client/own.h"
#include "gateway/client/visit.h"
#include "gateway/doors/door.h"
#include "gateway/doors/sio_binary.h"
#include "gateway/doors/sio_connect.h"
#include "gateway/session/offset.h"

_Static_assert(SIO_INDEXED == SIO_NAMESPACES_MAX, "a form for each namespace with an index");

/* --- the end --------------------------------------------------------------------------------
 */

static void tell_gone(struct sio_client *k) {
    list_remove(&k->orphan);
    list_remove(&k->waiting);
    sio_connect_cancel(k);
    if (k->told)
        return;
    k->told = true;
    client_gone(&k->client);
}

static void on_disconnect(struct sio_socket *s, enum sio_gone why) {
    static const enum client_end ends[] = {[SIO_GONE_SESSION] = CLIENT_CUT,
                                           [SIO_GONE_TIMEOUT] = CLIENT_TIMEOUT,
                                           [SIO_GONE_AWAY] = CLIENT_AWAY,
                                           [SIO_GONE_CLIENT] = CLIENT_LEFT,
                                           [SIO_GONE_SERVER] = CLIENT_EXPELLED};
    struct sio_client *k = of_socket(s);
    struct sio_door *d = door_of(k);
    bool with_session = why != SIO_GONE_CLIENT && why != SIO_GONE_SERVER;
    if (k->client.end == CLIENT_CUT)
        k->client.end = (unsigned char)ends[why];
    session_over(k->client.session, with_session);
    if (d->acting == NULL || d->acting == &k->client)
        tell_gone(k);
    else
        list_push(&d->orphans, &k->orphan);
}

static void release(struct sio_client *k) {
    sio_connect_cancel(k);
    sio_socket_deinit(&k->sio);
    free(k->auth);
    free(k);
}

static void on_free(struct sio_socket *s) {
    struct sio_client *k = of_socket(s);
    k->done = true;
    if (k->client.as.refs == 0)
        release(k); /* otherwise free_client releases it */
}

static void free_client(struct subscriber *s) {
    struct sio_client *k = of_client(client_of(s));
    session_free(k->client.session);
    k->client.session = NULL;
    client_deinit(&k->client);
    if (k->done)
        release(k); /* otherwise on_free releases it */
}

static void tell_orphans(struct sio_door *d) {
    while (!list_empty(&d->orphans))
        tell_gone(container_of(d->orphans.next, struct sio_client, orphan));
}

/* --- to the client --------------------------------------------------------------------------
 */

/* What stands between the brackets of an array. */
static struct slice inside(struct slice array) {
    struct slice in = {array.ptr + 1, array.len - 2};
    while (in.len > 0 && strchr(" \t\r\n", in.ptr[0]) != NULL)
        in = (struct slice){in.ptr + 1, in.len - 1};
    while (in.len > 0 && strchr(" \t\r\n", in.ptr[in.len - 1]) != NULL)
        in.len--;
    return in;
}

/* Is the last argument a string? Without arguments, the event's name is the last one. */
static bool ends_with_string(const struct message *m) {
    if (!m->has_args)
        return m->data.len > 0 && m->data.ptr[0] == '"';
    struct slice in = inside(m->data);
    return in.len == 0 || in.ptr[in.len - 1] == '"';
}

/*
 * Appends the arguments after an event's data. A client takes the last argument for its offset
 * if that is a string, so something must follow a string that is no offset.
 */
static void put_offset(const struct sio_client *k, const struct message *m,
                       enum offset_kind kind, struct buf *out) {
    const struct session *s = k->client.session;
    if (s != NULL && kind != OFFSET_NONE) {
        buf_str(out, ",\"");
        offset_put(s, m, kind, out);
        buf_char(out, '"');
    } else if (s != NULL && ends_with_string(m)) {
        buf_str(out, ",null");
    }
}

static struct frame encode(struct sio_client *k, struct message *m, enum offset_kind kind) {
    struct net *n = k->sio.server->eio.net;
    struct sio_packet head = {.type = SIO_EVENT, .nsp = sio_namespace(&k->sio)};
    struct slice parts[] = {SLICE("[\""), m->event,  SLICE("\","),
                            m->data,      {NULL, 0}, SLICE("]")};
    struct frame packet = {.plain = {NULL, 0, 0}};
    struct buf data, offset;
    buf_init(&data);
    buf_init(&offset);
    enum sio_binary binary = sio_binary_out(m, n, &data);
    if (binary == SIO_BINARY_SOME) {
        head.type = SIO_BINARY_EVENT;
        head.attachments = m->attached_count;
        parts[3] = buf_bytes(&data);
    }
    if (m->has_args) {
        parts[3] = inside(parts[3]);
        parts[2] = parts[3].len > 0 ? SLICE("\",") : SLICE("\"");
    }
    put_offset(k, m, kind, &offset);
    parts[4] = buf_bytes(&offset);
    if (binary != SIO_BINARY_NO_MEMORY && !offset.failed)
        packet = sio_encode(n, &head, parts, 6);
    buf_deinit(&data);
    buf_deinit(&offset);
    return packet;
}

/* The index in message.encoded of the form that this client shares with others; CODEC_COUNT:
 * the form is for this client alone. */
static unsigned codec_of(const struct sio_client *k, struct message *m, enum offset_kind kind) {
    const struct session *s = k->client.session;
    bool logged = m->seq != 0;
    if (k->sio.name->index == SIO_INDEXED) /* it has no form that others share */
        return CODEC_COUNT;
    if (s == NULL)
        return CODEC_SIO_BARE + k->sio.name->index;
    if (!logged || kind == OFFSET_PLAIN)
        return CODEC_SIO + k->sio.name->index;
    if (kind == OFFSET_NONE) /* the other clients get an offset */
        return CODEC_COUNT;
    bool same =
        m->base == s->base && m->base_term == s->term && m->base_nsp == k->sio.name->index;
    if (kind == OFFSET_OWN || (m->encoded[CODEC_SIO_BASE].plain.slab != NULL && !same))
        return CODEC_COUNT;
    m->base = s->base;
    m->base_term = s->term;
    m->base_nsp = k->sio.name->index;
    return CODEC_SIO_BASE;
}

/* The form that this client gets: one that it shares, or its own, which is put into *alone. */
static struct frame *form_of(struct sio_client *k, struct message *m, struct frame *alone) {
    struct session *s = k->client.session;
    enum offset_kind kind = s != NULL ? offset_sends(s, m) : OFFSET_NONE;
    unsigned codec = codec_of(k, m, kind);
    struct frame *form = codec == CODEC_COUNT ? alone : &m->encoded[codec];
    if (form->plain.slab == NULL)
        *form = encode(k, m, kind);
    form->wide = m->wide;
    return form;
}

static void deliver(struct subscriber *subscriber, struct message *m) {
    struct client *c = client_of(subscriber);
    struct sio_client *k = of_client(c);
    if (k->sio.state != SIO_JOINED || door_withholds(c, m))
        return;
    struct frame alone = {.plain = {NULL, 0, 0}};
    struct frame *packet = form_of(k, m, &alone);
    struct client *before = sio_act(c);
    bool sent = sio_send(&k->sio, packet, m->ephemeral);
    for (unsigned i = 0; sent && i < m->attached_count; i++) {
        m->attached[i].wide = m->wide;
        sent = sio_send(&k->sio, &m->attached[i], false);
    }
    door_count(c, m, packet->plain.slab != NULL, sent);
    sio_acted(c, before);
    frame_done(&alone, &door_of(k)->server.eio.net->slabs);
}

/* ack: NULL for an event. */
static void send_parts(struct client *c, const struct ack *ack, const struct slice parts[],
                       size_t count) {
    char id[ACK_MAX + 1];
    struct sio_packet head = {.type = ack != NULL ? SIO_ACK : SIO_EVENT};
    if (ack != NULL) {
        memcpy(id, ack->bytes, ack->len);
        id[ack->len] = '\0';
        head.has_id = true;
        head.id = strtoull(id, NULL, 10);
    }
    struct client *before = sio_act(c);
    sio_emit(&of_client(c)->sio, &head, parts, count, NULL, 0);
    sio_acted(c, before);
}

static void answer(struct client *c, const struct ack *ack, struct slice data, bool several) {
    if (sio_connect_answered(of_client(c)))
        return;
    struct slice parts[] = {SLICE("["), data, SLICE("]")};
    send_parts(c, ack, several ? &parts[1] : parts, several ? 1 : 3);
}

#define CODE_TOKEN_EXPIRED 4401

/* What the back end has said of it has ended: when the client comes back, it is asked anew. */
static bool is_asked_anew(const struct client *c, uint16_t code) {
    return code == CODE_TOKEN_EXPIRED && c->identity != NULL && c->identity->asked;
}

/* A client comes back by itself when its session is closed. It must not, if its user may not go
 * on; then it is disconnected by a packet, and its other namespaces stay. */
static void close_session(struct subscriber *s, uint16_t code, const char *reason) {
    struct client *c = client_of(s);
    struct sio_client *k = of_client(c);
    struct client *before = sio_act(c);
    client_ref(c);
    c->end = (unsigned char)(is_asked_anew(c, code) ? CLIENT_CUT : door_end(code));
    if (code >= CLOSE_FOR_GOOD && k->sio.state == SIO_JOINED && !is_asked_anew(c, code))
        sio_expel(&k->sio, code, reason);
    else
        sio_close(&k->sio, code, reason);
    tell_gone(k); /* in case it was among the orphans */
    sio_acted(c, before);
    client_unref(c);
}

/* A client takes any ack for success, and then ends its retries. So a failure after which the
 * client may try again is not acknowledged, and the client's own time limit acts. */
static bool is_acknowledged(const struct sio_client *k, const struct ack *ack, enum err err) {
    return ack->len != 0 &&
           (k->error_acks || (err != ERR_UNAVAILABLE && err != ERR_RATE_LIMITED));
}

static void fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure) {
    struct sio_client *k = of_client(c);
    struct buf error;
    if (sio_connect_failed(k, failure))
        return;
    bool acks = is_acknowledged(k, ack, failure->err);
    buf_init(&error);
    door_put_failure(&error, failure, acks ? NULL : event);
    struct slice text = buf_bytes(&error);
    struct slice with_ack[] = {SLICE("[{\"error\":"), text, SLICE("}]")};
    struct slice alone[] = {SLICE("[\"error\","), text, SLICE("]")};
    if (error.failed)
        client_close(c, WS_CODE_INTERNAL, "out of memory");
    else
        send_parts(c, acks ? ack : NULL, acks ? with_ack : alone, 3);
    buf_deinit(&error);
}

static size_t queued(const struct subscriber *s) {
    return sio_queued(&of_client(client_of(s))->sio);
}

static void want_drained(struct subscriber *s) {
    sio_want_drained(&of_client(client_of(s))->sio);
}

static void pause_reading(struct client *c, bool pause) {
    sio_pause(&of_client(c)->sio, pause);
}

static struct bucket *rate(struct client *c) {
    struct sio_session *t = of_client(c)->sio.session;
    return t != NULL ? &t->eio.rate : &c->rate;
}

static bool slow(struct client *c, uint64_t until) {
    struct sio_session *t = of_client(c)->sio.session;
    return t != NULL && eio_slow(&t->eio, until);
}

static void put_address(const struct subscriber *s, char *out, size_t size) {
    char text[CONN_ADDRESS_SIZE] = "";
    const struct conn_address *a = sio_address(&of_client(client_of(s))->sio);
    if (a != NULL)
        conn_address_text(a, text);
    snprintf(out, size, "%s", text);
}

static struct slice socket_of(const struct subscriber *s) {
    return slice_of(of_client(client_of(s))->sio.sid);
}

static struct slice nsp_of(const struct subscriber *s) {
    return sio_namespace(&of_client(client_of(s))->sio);
}

static const struct visit *visit_of(const struct client *c) {
    const struct sio_session *t = of_client(c)->sio.session;
    return t != NULL ? t->kept : NULL;
}

static const struct door door_ops = {
    .as = {.name = "socketio",
           .deliver = deliver,
           .queued = queued,
           .want_drained = want_drained,
           .close = close_session,
           .address = put_address,
           .socket = socket_of,
           .nsp = nsp_of,
           .free = free_client},
    .waits_for_login = true,
    .visit = visit_of,
    .answer = answer,
    .fail = fail,
    .pause = pause_reading,
    .rate = rate,
    .slow = slow,
};

/* --- from the client ------------------------------------------------------------------------
 */

static struct sio_socket *create(void *owner) {
    (void)owner;
    struct sio_client *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    list_init(&k->orphan);
    list_init(&k->waiting);
    return &k->sio;
}

static bool on_session(void *owner, const struct http_request *request, void **kept) {
    const struct sio_door *d = owner;
    struct visit *visit;
    bool good = visit_keep(&visit, d->clients->options, request);
    *kept = visit;
    return good;
}

static struct json_value first_of(struct slice args) {
    struct json_iter it = {.at = args.ptr, .end = args.ptr + args.len};
    if (args.len == 0 || !json_iter_next(&it))
        return (struct json_value){JSON_NONE, {NULL, 0}};
    return it.value;
}

static void take_binary(struct client *c, struct slice event, const struct sio_message *m,
                        const struct ack *ack) {
    struct buf text;
    struct json_value data;
    buf_init(&text);
    const char *wrong = sio_binary_in(event, first_of(m->args), m, &text);
    if (wrong != NULL)
        client_bad_frame(c, ERR_BAD_FIELD, ack, wrong);
    else if (text.failed || json_parse(buf_bytes(&text), &data) != JSON_OK)
        client_bad_frame(c, ERR_INTERNAL, ack, NULL);
    else
        client_event(c, event, data, ack);
    buf_deinit(&text);
}

static void take_own(struct client *c, const struct map_line *line, struct slice event,
                     const struct sio_message *m, const struct ack *ack) {
    struct buf bin;
    buf_init(&bin);
    sio_binary_put(m, &bin);
    struct own_event e = {.name = event, .args = m->args, .bin = buf_bytes(&bin)};
    if (bin.failed)
        client_bad_frame(c, ERR_INTERNAL, ack, NULL);
    else
        client_own_event(c, line, &e, ack);
    buf_deinit(&bin);
}

static void on_event(struct sio_socket *s, const struct sio_message *m) {
    struct client *c = &of_socket(s)->client;
    struct ack ack = {.len = 0};
    char event[EVENT_NAME_MOST + 1];
    if (m->has_id)
        ack.len = (unsigned char)snprintf(ack.bytes, sizeof ack.bytes, "%llu",
                                          (unsigned long long)m->id);
    ptrdiff_t len = m->name.type == JSON_STRING ? json_decode(m->name, event, sizeof event) : 0;
    struct slice name = {event, len > 0 ? (size_t)len : 0};
    const struct map_line *line = client_line(c, name);
    if (line != NULL)
        take_own(c, line, name, m, &ack);
    else if (m->attachment_count > 0)
        take_binary(c, name, m, &ack);
    else
        client_event(c, name, first_of(m->args), &ack);
}

static void on_ack(struct sio_socket *s, const struct sio_message *m) {
    (void)s;
    (void)m; /* no ack was asked for */
}

static bool is_known(const struct sio_socket *s) {
    const struct client *c = &container_of(s, const struct sio_client, sio)->client;
    return client_message_most(c) > BEFORE_LOGIN_MOST;
}

static size_t held(const struct sio_socket *s) {
    return client_held(&container_of(s, const struct sio_client, sio)->client);
}

static void on_drained(struct sio_socket *s) {
    client_drained(&of_socket(s)->client);
}

static const struct sio_app app = {.on_session = on_session,
                                   .on_session_end = free,
                                   .create = create,
                                   .on_connect = sio_connect,
                                   .on_event = on_event,
                                   .on_ack = on_ack,
                                   .is_known = is_known,
                                   .held = held,
                                   .on_drained = on_drained,
                                   .on_disconnect = on_disconnect,
                                   .on_free = on_free};

/* --- the door -------------------------------------------------------------------------------
 */

const char *sio_door_init(struct sio_door *d, struct clients *clients, struct net *net,
                          const struct sio_config *config) {
    d->clients = clients;
    d->ops = &door_ops;
    d->acting = NULL;
    d->waiting_next = 0;
    list_init(&d->orphans);
    list_init(&d->waiting);
    return sio_server_init(&d->server, net, config, &app, d);
}

void sio_door_deinit(struct sio_door *d) {
    sio_server_deinit(&d->server);
    tell_orphans(d);
}

void sio_door_flush(struct sio_door *d) {
    sio_connect_flush(d);
    tell_orphans(d);
    sio_server_flush(&d->server);
    tell_orphans(d);
}

bool sio_door_knows(const struct http_request *request) {
    return eio_query(request->query, "sid").len > 0;
}

unsigned sio_door_count(const struct sio_door *d) {
    return d->server.eio.count + d->server.eio.sockets.count;
}
