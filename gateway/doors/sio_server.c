#include "gateway/doors/sio_server.h"

#include <stdlib.h>

#include "common/log.h"
#include "gateway/doors/sio_agent.h"
#include "gateway/net/token.h"

#define STRANGER_MESSAGE 16384  /* bytes, of a packet or all of its attachments */
#define STRANGER_POST    65536  /* several packets */
#define WAITING_POST     262144 /* and all that a client had to say before it came */

/* A packet whose attachments have not all come. */
struct gather {
    struct buf text;
    struct sio_packet packet; /* slices of text */
    struct buf bytes;         /* of the attachments, one behind the other */
    uint32_t count;
    size_t ends[]; /* of each of them in bytes */
};

struct slot {
    struct sio_socket *socket;
    bool left; /* the server took it out: what still comes for it is no fault */
    bool used;
};

struct sio_session {
    struct eio_session eio;
    struct gather *gather;
    bool official;
    struct slot slots[]; /* by namespace */
};

static struct sio_session *of_eio(struct eio_session *e) {
    return container_of(e, struct sio_session, eio);
}

static struct sio_server *server_of(const struct sio_session *t) {
    return t->eio.server->owner;
}

static void invalid(struct sio_session *t, const char *why) {
    if (log_enabled(LOG_DEBUG)) { /* not by its sid: whoever knows that may speak for it */
        char address[CONN_ADDRESS_SIZE];
        conn_address_text(&t->eio.address, address);
        log_write(LOG_DEBUG, "socket_io_invalid", "addr", address, "why", why, NULL);
    }
    eio_close(&t->eio, WS_CODE_PROTOCOL, why);
}

/* --- sockets --------------------------------------------------------------------------------
 */

static void update_pause(struct sio_session *t) {
    const struct sio_server *v = server_of(t);
    bool pause = false;
    for (unsigned i = 0; i < v->name_count; i++)
        pause = pause || (t->slots[i].socket != NULL && t->slots[i].socket->paused);
    if (pause != t->eio.paused)
        eio_pause(&t->eio, pause);
}

/* Takes a socket out of its session. */
static void end_socket(struct sio_socket *s, enum sio_gone why) {
    struct sio_session *t = s->session;
    t->slots[s->nsp].socket = NULL;
    s->session = NULL;
    s->server->joined -= s->state == SIO_JOINED;
    s->state = SIO_GONE;
    list_push(&s->server->dead, &s->link);
    if (t->eio.state != EIO_CLOSED)
        update_pause(t);
    if (why != SIO_GONE_REFUSED)
        s->server->app->on_disconnect(s, why);
}

struct region sio_encode(struct net *n, const struct sio_packet *head,
                         const struct slice parts[], size_t count) {
    struct slice all[16];
    struct buf text;
    struct region r = {NULL, 0, 0};
    buf_init(&text);
    sio_put_head(&text, head);
    bool fits = count < sizeof all / sizeof *all;
    if (fits && count > 0)
        memcpy(all + 1, parts, count * sizeof *parts);
    for (size_t i = 0; !fits && i < count; i++)
        buf_slice(&text, parts[i]);
    all[0] = buf_bytes(&text);
    if (!text.failed)
        r = eio_encode(n, false, all, fits ? count + 1 : 1);
    buf_deinit(&text);
    return r;
}

static bool put(struct sio_session *t, const struct sio_packet *head,
                const struct slice parts[], size_t count) {
    return eio_send(&t->eio, sio_encode(t->eio.server->net, head, parts, count), false);
}

bool sio_send(struct sio_socket *s, struct region packet, bool ephemeral) {
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
        sent =
            eio_send(&t->eio, eio_encode(t->eio.server->net, true, &attachments[i], 1), false);
    return sent;
}

void sio_accept(struct sio_socket *s, const char *pid) {
    struct sio_packet head = {.type = SIO_CONNECT};
    struct slice parts[] = {SLICE("{\"sid\":\""), slice_of(s->sid), SLICE("\",\"pid\":\""),
                            slice_of(pid != NULL ? pid : ""), SLICE("\"}")};
    struct slice bare[] = {parts[0], parts[1], parts[4]};
    if (s->state != SIO_PENDING)
        return;
    s->state = SIO_JOINED;
    s->server->joined++;
    head.nsp = sio_namespace(s);
    eio_set_alarm(&s->session->eio, 0);
    if (pid != NULL)
        put(s->session, &head, parts, 5);
    else
        put(s->session, &head, bare, 3);
}

static void put_refusal(struct sio_session *t, struct slice nsp, const char *message,
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
    end_socket(s, SIO_GONE_REFUSED);
    put_refusal(t, nsp, message, data);
}

void sio_disconnect(struct sio_socket *s) {
    struct sio_packet head = {.type = SIO_DISCONNECT};
    struct sio_session *t = s->session;
    if (s->state == SIO_GONE)
        return;
    head.nsp = sio_namespace(s);
    t->slots[s->nsp].left = true;
    end_socket(s, SIO_GONE_SERVER);
    put(t, &head, NULL, 0);
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

/* --- packets in -----------------------------------------------------------------------------
 */

static void connect_socket(struct sio_session *t, unsigned nsp, struct slice auth) {
    struct sio_server *v = server_of(t);
    struct sio_socket *s = v->app->create(v->owner);
    if (s == NULL || !token_make(s->sid, EIO_ID_SIZE - 1)) {
        if (s != NULL)
            v->app->on_free(s);
        eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
        return;
    }
    s->server = v;
    s->session = t;
    s->nsp = nsp;
    s->state = SIO_PENDING;
    list_init(&s->link);
    s->again = t->slots[nsp].used;
    t->slots[nsp] = (struct slot){.socket = s, .used = true};
    v->app->on_connect(s, auth.len > 0 ? auth : SLICE("{}"));
}

static void give_to_app(struct sio_socket *s, const struct sio_packet *p,
                        const struct slice *attachments) {
    const struct sio_app *app = s->server->app;
    struct sio_message m = {.name = p->name,
                            .args = p->args,
                            .has_id = p->has_id,
                            .id = p->id,
                            .attachments = attachments,
                            .attachment_count = p->attachments};
    bool event = p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT;
    if (event && p->name.type != JSON_NONE)
        app->on_event(s, &m);
    else if (!event && p->has_id && p->payload.type != JSON_NONE)
        app->on_ack(s, &m);
}

/* A whole packet. */
static void take_packet(struct sio_session *t, const struct sio_packet *p,
                        const struct slice *attachments) {
    const struct sio_server *v = server_of(t);
    unsigned nsp = 0;
    while (nsp < v->name_count && !slice_eq(v->names[nsp], p->nsp))
        nsp++;
    struct slot *slot = nsp < v->name_count ? &t->slots[nsp] : NULL;
    struct sio_socket *s = slot != NULL ? slot->socket : NULL;
    if (slot == NULL && p->type == SIO_CONNECT)
        put_refusal(t, p->nsp, "Invalid namespace", (struct slice){NULL, 0});
    else if (slot == NULL)
        invalid(t, "a packet for an unknown namespace");
    else if (s == NULL && p->type == SIO_CONNECT)
        connect_socket(t, nsp, p->payload.raw);
    else if (s == NULL && slot->left)
        return;
    else if (s == NULL)
        invalid(t, "a packet for a namespace that was not joined");
    else if (p->type == SIO_CONNECT)
        invalid(t, "joined a namespace twice");
    else if (p->type == SIO_DISCONNECT)
        end_socket(s, SIO_GONE_CLIENT);
    else if (s->state == SIO_PENDING)
        invalid(t, "a packet before the answer to connect");
    else
        give_to_app(s, p, attachments);
}

static void gather_free(struct sio_session *t) {
    struct gather *g = t->gather;
    if (g == NULL)
        return;
    t->gather = NULL;
    buf_deinit(&g->text);
    buf_deinit(&g->bytes);
    free(g);
}

static void gather_begin(struct sio_session *t, struct slice text, uint32_t attachments) {
    struct gather *g = calloc(1, sizeof *g + attachments * sizeof g->ends[0]);
    t->gather = g;
    if (g != NULL) {
        buf_init(&g->text);
        buf_init(&g->bytes);
        buf_slice(&g->text, text);
    }
    if (g == NULL || g->text.failed)
        eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
    else /* once more, for slices of what is kept */
        sio_read(buf_bytes(&g->text), attachments, &g->packet);
}

static void gather_end(struct sio_session *t) {
    struct gather *g = t->gather;
    struct slice *attachments = calloc(g->count, sizeof *attachments);
    if (attachments == NULL) {
        eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < g->count; i++) {
        size_t from = i > 0 ? g->ends[i - 1] : 0;
        attachments[i] = (struct slice){g->bytes.data, g->ends[i] - from};
        if (attachments[i].len > 0)
            attachments[i].ptr += from;
    }
    t->gather = NULL; /* what the application does may close the session, which frees it */
    take_packet(t, &g->packet, attachments);
    free(attachments);
    buf_deinit(&g->text);
    buf_deinit(&g->bytes);
    free(g);
}

static size_t most(const struct eio_session *e, bool post);

static void take_attachment(struct sio_session *t, struct slice bytes) {
    size_t limit = server_of(t)->config.max_attached;
    size_t allowed = most(&t->eio, false);
    limit = allowed < limit ? allowed : limit;
    struct gather *g = t->gather;
    if (g == NULL) {
        invalid(t, "an attachment that was not announced");
        return;
    }
    if (g->bytes.len > limit || bytes.len > limit - g->bytes.len) {
        eio_close(&t->eio, WS_CODE_TOO_BIG, "attachments too big");
        return;
    }
    buf_slice(&g->bytes, bytes);
    g->ends[g->count++] = g->bytes.len;
    if (g->bytes.failed)
        eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
    else if (g->count == g->packet.attachments)
        gather_end(t);
}

static void take_text(struct sio_session *t, struct slice text) {
    struct sio_packet p;
    enum sio_error e = sio_read(text, server_of(t)->config.max_attachments, &p);
    if (e != SIO_OK)
        invalid(t, sio_error_text(e));
    else if (t->gather != NULL)
        invalid(t, "a packet where an attachment was announced");
    else if (p.attachments > 0)
        gather_begin(t, text, p.attachments);
    else
        take_packet(t, &p, NULL);
}

/* --- what Engine.IO tells -------------------------------------------------------------------
 */

static struct eio_session *on_open(void *owner, const struct http_request *request) {
    struct sio_server *v = owner;
    struct sio_session *t = calloc(1, sizeof *t + v->name_count * sizeof t->slots[0]);
    if (t == NULL)
        return NULL;
    t->official = sio_agent_is_official(request);
    t->eio.alarm = net_now(v->eio.net) + v->config.connect_timeout_ms;
    return &t->eio;
}

static void on_message(struct eio_session *e, bool binary, struct slice bytes) {
    if (binary)
        take_attachment(of_eio(e), bytes);
    else
        take_text(of_eio(e), bytes);
}

/* Who is not known says little. */
static size_t most(const struct eio_session *e, bool post) {
    const struct sio_session *t = container_of(e, const struct sio_session, eio);
    const struct sio_server *v = server_of(t);
    bool joined = false;
    for (unsigned i = 0; i < v->name_count; i++) {
        const struct sio_socket *s = t->slots[i].socket;
        if (s != NULL && (v->app->is_known == NULL || v->app->is_known(s)))
            return SIZE_MAX;
        joined = joined || s != NULL;
    }
    if (v->app->is_known == NULL)
        return SIZE_MAX;
    if (!post)
        return STRANGER_MESSAGE;
    return joined ? WAITING_POST : STRANGER_POST;
}

static void on_alarm(struct eio_session *e) {
    eio_close(e, WS_CODE_POLICY, "no namespace was joined in time");
}

static void on_drained(struct eio_session *e) {
    struct sio_session *t = of_eio(e);
    const struct sio_server *v = server_of(t);
    for (unsigned i = 0; i < v->name_count; i++) {
        struct sio_socket *s = t->slots[i].socket;
        if (s == NULL || !s->want_drained)
            continue;
        s->want_drained = false;
        v->app->on_drained(s);
    }
}

static void on_gone(struct eio_session *e, enum eio_gone why) {
    struct sio_session *t = of_eio(e);
    (void)why;
    const struct sio_server *v = server_of(t);
    for (unsigned i = 0; i < v->name_count; i++) {
        if (t->slots[i].socket != NULL)
            end_socket(t->slots[i].socket, SIO_GONE_SESSION);
    }
}

static void on_free(struct eio_session *e) {
    struct sio_session *t = of_eio(e);
    gather_free(t);
    free(t);
}

static const struct eio_ops ops = {.on_open = on_open,
                                   .on_message = on_message,
                                   .most = most,
                                   .on_drained = on_drained,
                                   .on_alarm = on_alarm,
                                   .on_gone = on_gone,
                                   .on_free = on_free};

/* --- the server -----------------------------------------------------------------------------
 */

static const char *add_name(struct sio_server *v, struct slice name) {
    struct slice *grown = realloc(v->names, (v->name_count + 1) * sizeof *grown);
    if (grown == NULL)
        return "out of memory";
    v->names = grown;
    v->names[v->name_count++] = name;
    return NULL;
}

static const char *read_names(struct sio_server *v, const char *list) {
    const char *wrong = add_name(v, SLICE("/"));
    while (*list != '\0' && wrong == NULL) {
        struct slice name = {list, strcspn(list, ",")};
        if (name.len < 2 || name.len > SIO_NAMESPACE_MAX || name.ptr[0] != '/')
            return log_text("\"%.*s\": a namespace begins with / and has at most %d bytes",
                            (int)name.len, name.ptr, SIO_NAMESPACE_MAX);
        for (unsigned i = 0; i < v->name_count; i++) {
            if (slice_eq(v->names[i], name))
                return log_text("%.*s is named twice", (int)name.len, name.ptr);
        }
        wrong = add_name(v, name);
        list += name.len;
        list += *list == ',';
    }
    return wrong;
}

const char *sio_server_init(struct sio_server *v, struct net *net,
                            const struct sio_config *config, const struct sio_app *app,
                            void *owner) {
    *v = (struct sio_server){.config = *config, .app = app, .owner = owner};
    list_init(&v->dead);
    const char *wrong = read_names(v, config->namespaces);
    if (wrong != NULL)
        return wrong;
    eio_server_init(&v->eio, net, &config->eio, &ops, v);
    return NULL;
}

static void free_dead(struct sio_server *v) {
    while (!list_empty(&v->dead)) {
        struct sio_socket *s = container_of(v->dead.next, struct sio_socket, link);
        list_remove(&s->link);
        v->app->on_free(s);
    }
}

void sio_server_flush(struct sio_server *v) {
    eio_server_flush(&v->eio);
    free_dead(v);
}

void sio_server_deinit(struct sio_server *v) {
    eio_server_deinit(&v->eio);
    free_dead(v);
    free(v->names);
}
