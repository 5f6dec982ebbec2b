#include "gateway/socketio/sio_server.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/socketio/sio_agent.h"
#include "gateway/socketio/sio_gather.h"

/* Before a client is known, the most bytes of a packet or of all its attachments, and of a
 * POST, which may have several packets. */
#define STRANGER_MESSAGE 16384
#define STRANGER_POST    65536
#define WAITING_POST     262144 /* with all that the client sent before it was let in */
#define CONNECT_UNITS    3      /* what joining a namespace costs (common/rate.h) */

#define CODE_LOGIN_DEADLINE 4408

static struct sio_session *of_eio(struct eio_session *e) {
    return container_of(e, struct sio_session, eio);
}

static void invalid(struct sio_session *t, const char *why) {
    if (log_enabled(LOG_DEBUG)) { /* not by its sid, because anybody that knows the sid may
                                     speak for the client */
        char address[CONN_ADDRESS_SIZE];
        conn_address_text(&t->eio.address, address);
        log_write(LOG_DEBUG, "socket_io_invalid", "addr", address, "why", why, NULL);
    }
    eio_close(&t->eio, WS_CODE_PROTOCOL, why);
}

/* Limits what a client may send that the application does not know. */
static size_t most(const struct eio_session *e, bool post) {
    const struct sio_session *t = container_of(e, const struct sio_session, eio);
    const struct sio_server *v = sio_server_of(t);
    bool joined = false;
    for (unsigned i = 0; i < t->slot_count; i++) {
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

static void on_too_big(struct eio_session *e) {
    if (most(e, false) == STRANGER_MESSAGE)
        metric_limited(e->server->net->metrics, LIMIT_BEFORE_LOGIN);
}

/* --- namespaces -----------------------------------------------------------------------------
 */

static bool is_good_name(struct slice name) {
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '?' || c == '"' || c == '\\')
            return false;
    }
    return name.len > 0 && name.ptr[0] == '/' && name.len <= SIO_NAMESPACE_MAX;
}

/* One with an index is never let go of. NULL: no memory. */
static struct sio_name *name_make(struct sio_server *v, struct slice text) {
    struct sio_name *name = calloc(1, sizeof *name + text.len);
    if (name == NULL)
        return NULL;
    memcpy(name->text, text.ptr, text.len);
    name->node.key = (struct slice){name->text, text.len};
    name->index = v->name_count < SIO_INDEXED ? v->name_count : SIO_INDEXED;
    if (!map_insert(&v->names, &name->node)) {
        free(name);
        return NULL;
    }
    name->refs = name->index < SIO_INDEXED;
    v->name_count += name->index < SIO_INDEXED;
    return name;
}

/* NULL: there is no such namespace, or no memory. */
static struct sio_name *name_find(struct sio_server *v, struct slice text) {
    struct map_node *found = map_find(&v->names, text);
    if (found != NULL)
        return container_of(found, struct sio_name, node);
    return v->opens_any && is_good_name(text) ? name_make(v, text) : NULL;
}

/* A slot that nobody uses. */
static struct sio_slot *find_empty(const struct sio_session *t, bool left) {
    for (unsigned i = 0; i < t->slot_count; i++) {
        if (t->slots[i].name == NULL || (left && t->slots[i].socket == NULL))
            return &t->slots[i];
    }
    return NULL;
}

/* If need be, that of a namespace that the client has left. NULL: all are used, or no memory.
 */
static struct sio_slot *free_slot(struct sio_session *t) {
    struct sio_slot *slot = find_empty(t, t->slot_count == SIO_SLOTS_MOST);
    if (slot == NULL && t->slot_count < SIO_SLOTS_MOST) {
        struct sio_slot *grown = realloc(t->slots, (t->slot_count + 1) * sizeof *grown);
        if (grown == NULL)
            return NULL;
        t->slots = grown;
        slot = &grown[t->slot_count++];
        slot->name = NULL;
    }
    if (slot == NULL)
        return NULL;
    if (slot->name != NULL)
        sio_name_unref(sio_server_of(t), slot->name);
    *slot = (struct sio_slot){.name = NULL};
    return slot;
}

/* The client asks for a namespace for the first time. */
static struct sio_slot *take_slot(struct sio_session *t, struct slice text) {
    struct sio_slot *slot = free_slot(t);
    struct sio_name *name = slot != NULL ? name_find(sio_server_of(t), text) : NULL;
    if (name == NULL)
        return NULL;
    name->refs++;
    slot->name = name;
    return slot;
}

/* --- packets in -----------------------------------------------------------------------------
 */

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

/* Takes a whole packet. */
static void take_packet(struct sio_session *t, const struct sio_packet *p,
                        const struct slice *attachments) {
    struct sio_slot *slot = sio_slot_find(t, p->nsp);
    if (slot == NULL && p->type == SIO_CONNECT)
        slot = take_slot(t, p->nsp);
    struct sio_socket *s = slot != NULL ? slot->socket : NULL;
    bool event = p->type == SIO_EVENT || p->type == SIO_BINARY_EVENT;
    if (!event || s == NULL) /* the application charges for its events */
        eio_charge(&t->eio, p->type == SIO_CONNECT ? CONNECT_UNITS : 1);
    if (slot == NULL && p->type == SIO_CONNECT)
        sio_socket_refuse(t, p->nsp, "Invalid namespace", (struct slice){NULL, 0});
    else if (slot == NULL && map_find(&sio_server_of(t)->names, p->nsp) == NULL)
        invalid(t, "a packet for an unknown namespace");
    else if (s == NULL && p->type == SIO_CONNECT)
        sio_socket_begin(t, slot, p->payload.raw);
    else if (s == NULL && slot != NULL && slot->left)
        return;
    else if (s == NULL)
        invalid(t, "a packet for a namespace that was not joined");
    else if (p->type == SIO_CONNECT)
        invalid(t, "joined a namespace twice");
    else if (p->type == SIO_DISCONNECT)
        sio_socket_end(s, SIO_GONE_CLIENT);
    else if (s->state == SIO_PENDING)
        invalid(t, "a packet before the answer to connect");
    else
        give_to_app(s, p, attachments);
}

static void out_of_memory(struct sio_session *t) {
    eio_close(&t->eio, WS_CODE_INTERNAL, "out of memory");
}

static void count(struct sio_session *t, size_t before) {
    t->eio.server->held += sio_gather_held(t->gather) - before;
}

static void drop(struct sio_session *t) {
    t->eio.server->held -= sio_gather_held(t->gather);
    sio_gather_free(t->gather);
    t->gather = NULL;
}

/* All attachments have come. The application may close the session, so the packet is taken out
 * of the session before. */
static void gather_end(struct sio_session *t) {
    struct sio_gather *g = t->gather;
    struct slice *attachments = sio_gather_attachments(g);
    if (attachments == NULL) {
        out_of_memory(t);
        return;
    }
    t->eio.server->held -= sio_gather_held(g);
    t->gather = NULL;
    take_packet(t, &g->packet, attachments);
    free(attachments);
    sio_gather_free(g);
}

static void take_attachment(struct sio_session *t, struct slice bytes) {
    size_t limit = sio_server_of(t)->config.max_attached;
    size_t allowed = most(&t->eio, false);
    limit = allowed < limit ? allowed : limit;
    struct sio_gather *g = t->gather;
    if (g == NULL) {
        invalid(t, "an attachment that was not announced");
        return;
    }
    if (g->bytes.len > limit || bytes.len > limit - g->bytes.len) {
        on_too_big(&t->eio);
        eio_close(&t->eio, WS_CODE_TOO_BIG, "attachments too big");
        return;
    }
    size_t before = sio_gather_held(g);
    bool added = sio_gather_add(g, bytes);
    count(t, before);
    if (!added)
        out_of_memory(t);
    else if (sio_gather_is_whole(g))
        gather_end(t);
}

static void take_text(struct sio_session *t, struct slice text) {
    struct sio_packet p;
    enum sio_error e = sio_read(text, sio_server_of(t)->config.max_attachments, &p);
    if (e != SIO_OK)
        invalid(t, sio_error_text(e));
    else if (t->gather != NULL)
        invalid(t, "a packet where an attachment was announced");
    else if (p.attachments == 0)
        take_packet(t, &p, NULL);
    else if ((t->gather = sio_gather_begin(text, p.attachments)) == NULL)
        out_of_memory(t);
    else
        count(t, 0);
}

/* --- what Engine.IO tells -------------------------------------------------------------------
 */

/* True if the deadline of the login comes first, of those of a session without a namespace. */
static bool must_log_in(const struct sio_config *c) {
    return c->login_deadline_ms != 0 && c->login_deadline_ms <= c->connect_timeout_ms;
}

static struct eio_session *on_open(void *owner, const struct http_request *request) {
    struct sio_server *v = owner;
    struct sio_session *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    if (v->app->on_session != NULL && !v->app->on_session(v->owner, request, &t->kept)) {
        free(t);
        return NULL;
    }
    t->official = sio_agent_is_official(request);
    t->eio.alarm =
        net_now(v->eio.net) +
        (must_log_in(&v->config) ? v->config.login_deadline_ms : v->config.connect_timeout_ms);
    return &t->eio;
}

static void on_message(struct eio_session *e, bool binary, struct slice bytes) {
    if (binary)
        take_attachment(of_eio(e), bytes);
    else
        take_text(of_eio(e), bytes);
}

static void on_alarm(struct eio_session *e) {
    struct sio_session *t = of_eio(e);
    if (t->ends_with != 0) {
        sio_session_end(t);
    } else if (must_log_in(&sio_server_of(t)->config)) {
        metric_limited(e->server->net->metrics, LIMIT_LOGIN_DEADLINE);
        eio_close(e, CODE_LOGIN_DEADLINE, "login deadline");
    } else {
        eio_close(e, WS_CODE_POLICY, "no namespace was joined in time");
    }
}

static size_t held(const struct eio_session *e) {
    const struct sio_session *t = container_of(e, const struct sio_session, eio);
    const struct sio_server *v = sio_server_of(t);
    size_t all = sio_gather_held(t->gather);
    for (unsigned i = 0; v->app->held != NULL && i < t->slot_count; i++)
        all += t->slots[i].socket != NULL ? v->app->held(t->slots[i].socket) : 0;
    return all;
}

static void on_drained(struct eio_session *e) {
    struct sio_session *t = of_eio(e);
    const struct sio_server *v = sio_server_of(t);
    for (unsigned i = 0; i < t->slot_count; i++) {
        struct sio_socket *s = t->slots[i].socket;
        if (s == NULL || !s->want_drained)
            continue;
        s->want_drained = false;
        v->app->on_drained(s);
    }
    sio_session_end(t);
}

static void on_gone(struct eio_session *e, enum eio_gone why) {
    struct sio_session *t = of_eio(e);
    enum sio_gone how = why == EIO_GONE_AWAY      ? SIO_GONE_AWAY
                        : why == EIO_GONE_TIMEOUT ? SIO_GONE_TIMEOUT
                                                  : SIO_GONE_SESSION;
    for (unsigned i = 0; i < t->slot_count; i++) {
        if (t->slots[i].socket != NULL)
            sio_socket_end(t->slots[i].socket, how);
    }
}

static void on_free(struct eio_session *e) {
    struct sio_session *t = of_eio(e);
    drop(t);
    for (unsigned i = 0; i < t->slot_count; i++) {
        if (t->slots[i].name != NULL)
            sio_name_unref(t->eio.server->owner, t->slots[i].name);
    }
    free(t->slots);
    if (t->kept != NULL)
        sio_server_of(t)->app->on_session_end(t->kept);
    free(t);
}

static const struct eio_ops ops = {.on_open = on_open,
                                   .on_message = on_message,
                                   .most = most,
                                   .on_too_big = on_too_big,
                                   .held = held,
                                   .on_drained = on_drained,
                                   .on_alarm = on_alarm,
                                   .on_gone = on_gone,
                                   .on_free = on_free};

/* --- the server -----------------------------------------------------------------------------
 */

static const char *read_names(struct sio_server *v, const char *list) {
    if (name_make(v, SLICE("/")) == NULL)
        return "out of memory";
    while (*list != '\0') {
        struct slice name = {list, strcspn(list, ",")};
        list += name.len;
        list += *list == ',';
        if (slice_is(name, "*")) {
            v->opens_any = true;
            continue;
        }
        if (name.len < 2 || name.len > SIO_NAMESPACE_MAX || name.ptr[0] != '/')
            return log_text("\"%.*s\": a namespace begins with / and has at most %d bytes",
                            (int)name.len, name.ptr, SIO_NAMESPACE_MAX);
        if (!is_good_name(name))
            return log_text("\"%.*s\": a namespace has no white space, no ?, \\ and quotes",
                            (int)name.len, name.ptr);
        if (map_find(&v->names, name) != NULL)
            return log_text("%.*s is named twice", (int)name.len, name.ptr);
        if (v->name_count == SIO_INDEXED)
            return log_text("at most %d namespaces, and /", SIO_INDEXED - 1);
        if (name_make(v, name) == NULL)
            return "out of memory";
    }
    return NULL;
}

const char *sio_server_init(struct sio_server *v, struct net *net,
                            const struct sio_config *config, const struct sio_app *app,
                            void *owner) {
    *v = (struct sio_server){.config = *config, .app = app, .owner = owner};
    list_init(&v->dead);
    map_init(&v->names);
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
    struct map_node *node;
    while ((node = map_next(&v->names, NULL)) != NULL) {
        struct sio_name *name = container_of(node, struct sio_name, node);
        map_remove(&v->names, node);
        name->out = true;
        if (name->index < SIO_INDEXED)
            sio_name_unref(v, name);
    }
    map_deinit(&v->names);
}
