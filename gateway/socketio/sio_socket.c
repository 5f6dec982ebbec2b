#include "gateway/socketio/sio_socket.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/token.h"

#define LAST_WORDS_MS 3000 /* a client that was expelled has so long to fetch that */

/* --- life -----------------------------------------------------------------------------------
 */

static void state_set(struct sio_socket *s, enum sio_state to) {
    assert(to > s->state);
    s->server->joined += to == SIO_JOINED;
    s->server->joined -= s->state == SIO_JOINED;
    s->state = (unsigned char)to;
}

struct sio_slot *sio_slot_find(const struct sio_session *t, struct slice name) {
    for (unsigned i = 0; i < t->slot_count; i++) {
        if (t->slots[i].name != NULL && slice_eq(t->slots[i].name->node.key, name))
            return &t->slots[i];
    }
    return NULL;
}

static struct sio_slot *slot_of(const struct sio_socket *s) {
    return sio_slot_find(s->session, sio_namespace(s));
}

void sio_name_unref(struct sio_server *v, struct sio_name *name) {
    if (--name->refs > 0)
        return;
    if (!name->out)
        map_remove(&v->names, &name->node);
    free(name);
}

void sio_socket_deinit(struct sio_socket *s) {
    if (s->name != NULL)
        sio_name_unref(s->server, s->name);
    s->name = NULL;
}

static void update_pause(struct sio_session *t) {
    bool pause = false;
    for (unsigned i = 0; i < t->slot_count; i++)
        pause = pause || (t->slots[i].socket != NULL && t->slots[i].socket->paused);
    if (pause != t->eio.paused)
        eio_pause(&t->eio, pause);
}

static bool is_empty(const struct sio_session *t) {
    for (unsigned i = 0; i < t->slot_count; i++) {
        if (t->slots[i].socket != NULL)
            return false;
    }
    return true;
}

/* Nobody can log in without a namespace. */
static void limit_absence(struct sio_session *t) {
    uint64_t most = sio_server_of(t)->config.login_deadline_ms;
    if (most != 0 && is_empty(t))
        eio_set_alarm(&t->eio, net_now(t->eio.server->net) + most);
}

void sio_socket_end(struct sio_socket *s, enum sio_gone why) {
    struct sio_session *t = s->session;
    bool joined = s->state == SIO_JOINED;
    slot_of(s)->socket = NULL;
    s->session = NULL;
    state_set(s, SIO_GONE);
    list_push(&s->server->dead, &s->link);
    if (t->eio.state != EIO_CLOSED)
        update_pause(t);
    if (t->eio.state != EIO_CLOSED && joined)
        limit_absence(t);
    if (why != SIO_GONE_REFUSED)
        s->server->app->on_disconnect(s, why);
}

/* Its last characters are those of the server's mark. */
static bool make_sid(struct sio_socket *s, const char *mark) {
    bool made = token_make(s->sid, EIO_ID_SIZE - 1);
    size_t len = strlen(mark);
    memcpy(s->sid + EIO_ID_SIZE - 1 - len, mark, len);
    return made;
}

void sio_socket_begin(struct sio_session *t, struct sio_slot *slot, struct slice auth) {
    struct sio_server *v = sio_server_of(t);
    struct sio_socket *s = v->app->create(v->owner);
    if (s == NULL || !make_sid(s, v->config.mark)) {
        if (s != NULL)
            v->app->on_free(s);
        eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
        return;
    }
    s->server = v;
    s->session = t;
    s->name = slot->name;
    s->name->refs++;
    list_init(&s->link);
    s->again = slot->used;
    *slot = (struct sio_slot){.name = slot->name, .socket = s, .used = true};
    v->app->on_connect(s, auth.len > 0 ? auth : SLICE("{}"));
}

/* --- packets out ----------------------------------------------------------------------------
 */

struct frame sio_encode(struct net *n, const struct sio_packet *head,
                        const struct slice parts[], size_t count) {
    struct slice all[16];
    struct buf text;
    struct frame f = {.plain = {NULL, 0, 0}};
    buf_init(&text);
    sio_put_head(&text, head);
    bool fits = count < sizeof all / sizeof *all;
    if (fits && count > 0)
        memcpy(all + 1, parts, count * sizeof *parts);
    for (size_t i = 0; !fits && i < count; i++)
        buf_slice(&text, parts[i]);
    all[0] = buf_bytes(&text);
    if (!text.failed)
        f = eio_encode(n, false, all, fits ? count + 1 : 1);
    buf_deinit(&text);
    return f;
}

static bool put(struct sio_session *t, const struct sio_packet *head,
                const struct slice parts[], size_t count) {
    return eio_send_once(&t->eio, sio_encode(t->eio.server->net, head, parts, count), false);
}

bool sio_send(struct sio_socket *s, struct frame *packet, bool ephemeral) {
    return s->state == SIO_JOINED && eio_send(&s->session->eio, packet, ephemeral);
}

bool sio_emit(struct sio_socket *s, const struct sio_packet *head, const struct slice parts[],
              size_t count, const struct slice attachments[], uint32_t attached) {
    struct sio_packet all = *head;
    struct sio_session *t = s->session;
    if (s->state != SIO_JOINED)
        return false;
    all.nsp = sio_namespace(s);
    all.attachments = attached;
    if (attached > 0)
        all.type = head->type == SIO_ACK ? SIO_BINARY_ACK : SIO_BINARY_EVENT;
    bool sent = put(t, &all, parts, count);
    for (uint32_t i = 0; sent && i < attached; i++)
        sent = eio_send_once(&t->eio, eio_encode(t->eio.server->net, true, &attachments[i], 1),
                             false);
    return sent;
}

/* --- what the application says of it --------------------------------------------------------
 */

void sio_accept(struct sio_socket *s, const char *pid) {
    struct sio_packet head = {.type = SIO_CONNECT};
    struct slice parts[] = {SLICE("{\"sid\":\""), slice_of(s->sid), SLICE("\",\"pid\":\""),
                            slice_of(pid != NULL ? pid : ""), SLICE("\"}")};
    struct slice bare[] = {parts[0], parts[1], parts[4]};
    if (s->state != SIO_PENDING)
        return;
    state_set(s, SIO_JOINED);
    head.nsp = sio_namespace(s);
    s->session->ends_with = 0;
    eio_set_alarm(&s->session->eio, 0);
    if (pid != NULL)
        put(s->session, &head, parts, 5);
    else
        put(s->session, &head, bare, 3);
}

void sio_socket_refuse(struct sio_session *t, struct slice nsp, const char *message,
                       struct slice data) {
    struct sio_packet head = {.type = SIO_CONNECT_ERROR, .nsp = nsp};
    struct buf text;
    buf_init(&text);
    buf_str(&text, "{\"message\":");
    json_escape(&text, slice_of(message));
    if (data.len > 0) {
        buf_str(&text, ",\"data\":");
        buf_slice(&text, data);
    }
    buf_char(&text, '}');
    struct slice payload = buf_bytes(&text);
    if (text.failed)
        eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
    else
        put(t, &head, &payload, 1);
    buf_deinit(&text);
}

void sio_refuse(struct sio_socket *s, const char *message, struct slice data) {
    struct sio_session *t = s->session;
    if (s->state != SIO_PENDING)
        return;
    struct slice nsp = sio_namespace(s);
    sio_socket_end(s, SIO_GONE_REFUSED);
    sio_socket_refuse(t, nsp, message, data);
}

void sio_disconnect(struct sio_socket *s) {
    struct sio_packet head = {.type = SIO_DISCONNECT};
    struct sio_session *t = s->session;
    if (s->state == SIO_GONE)
        return;
    head.nsp = sio_namespace(s);
    slot_of(s)->left = true;
    sio_socket_end(s, SIO_GONE_SERVER);
    put(t, &head, NULL, 0);
}

void sio_expel(struct sio_socket *s, uint16_t code, const char *reason) {
    struct sio_session *t = s->session;
    if (t == NULL)
        return;
    sio_disconnect(s);
    if (t->eio.state == EIO_CLOSED || !is_empty(t))
        return;
    t->ends_with = code;
    t->reason = reason;
    eio_set_alarm(&t->eio, net_now(t->eio.server->net) + LAST_WORDS_MS);
    eio_want_drained(&t->eio);
}

void sio_session_end(struct sio_session *t) {
    if (t->ends_with != 0 && is_empty(t))
        eio_close(&t->eio, t->ends_with, t->reason);
}

void sio_close(struct sio_socket *s, uint16_t code, const char *reason) {
    if (s->session != NULL)
        eio_close(&s->session->eio, code, reason);
}

const struct conn_address *sio_address(const struct sio_socket *s) {
    return s->session != NULL ? &s->session->eio.address : NULL;
}

bool sio_is_official(const struct sio_socket *s) {
    return s->session != NULL && s->session->official;
}

size_t sio_queued(const struct sio_socket *s) {
    return s->session != NULL ? eio_queued(&s->session->eio) : 0;
}

void sio_want_drained(struct sio_socket *s) {
    s->want_drained = true;
    if (s->session != NULL)
        eio_want_drained(&s->session->eio);
}

void sio_pause(struct sio_socket *s, bool pause) {
    s->paused = pause;
    if (s->session != NULL)
        update_pause(s->session);
}
