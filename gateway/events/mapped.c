#include "gateway/events/mapped.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/channel/name.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/events/ask_publish.h"
#include "gateway/events/inside.h"
#include "gateway/events/rpc.h"

/* An own event on its way: what its line makes of it. */
struct mapped {
    struct request *r;
    const struct map_line *line;
    struct json_value data, args, id_field;
    struct buf sent; /* the arguments that go on, as an array */
    struct buf user; /* the sender, as a JSON string */
    struct buf id;   /* "<sender>:<clientMessageId>", or empty */
    struct emit emit;
    char socket[CLIENT_ID_SIZE];
};

/* --- the parts ------------------------------------------------------------------------------
 */

/* The arguments that the line lets go on, and the sender's socket after them. */
static bool put_args(struct mapped *m) {
    struct json_iter it;
    struct slice only = {NULL, 0};
    unsigned count = 0;
    buf_char(&m->sent, '[');
    json_iter_init(&it, m->args);
    for (unsigned i = 0; json_iter_next(&it); i++) {
        if (i < m->line->first || i > m->line->last)
            continue;
        if (count++ > 0)
            buf_char(&m->sent, ',');
        buf_slice(&m->sent, it.value.raw);
        only = it.value.raw;
    }
    if (m->line->from) {
        if (count++ > 0)
            buf_char(&m->sent, ',');
        json_escape(&m->sent, subscriber_socket(&m->r->client->as, m->socket));
    }
    buf_char(&m->sent, ']');
    if (count > ARGUMENTS_MOST) {
        request_fail(m->r, ERR_BAD_FIELD, "args", "must be at most 10");
        return false;
    }
    if (count == 1)
        m->emit.data = m->line->from ? (struct slice){m->sent.data + 1, m->sent.len - 2} : only;
    else
        m->emit.args = buf_bytes(&m->sent);
    return true;
}

static bool put_emit(struct mapped *m, struct json_value event, struct json_value bin) {
    struct client *c = m->r->client;
    m->emit.event = m->line->as.len != 0 ? m->line->as
                                         : (struct slice){event.raw.ptr + 1, event.raw.len - 2};
    m->emit.nsp = m->line->nsp;
    m->emit.bin = bin.raw;
    if (m->line->others)
        m->emit.socket = subscriber_socket(&c->as, m->socket);
    json_escape(&m->user, client_user(c));
    m->emit.user = buf_bytes(&m->user);
    if (!put_args(m))
        return false;
    if (!m->sent.failed && !m->user.failed && !m->id.failed)
        return true;
    request_fail(m->r, ERR_INTERNAL, NULL, "out of memory");
    return false;
}

/* The name that the line picks, as it stands in names of channels. */
static bool pick_name(struct mapped *m, bool user, struct name *out) {
    const struct pick *p = &m->line->where;
    const char *field = log_text("%.*s", (int)p->text.len, p->text.ptr);
    struct json_value value = pick_value(p, m->args);
    if (value.type == JSON_NONE) {
        request_fail(m->r, ERR_MISSING_FIELD, field, NULL);
        return false;
    }
    if (field_escaped_name(value, out) && (!user || name_valid_user(name_slice(out))))
        return true;
    request_fail(m->r, ERR_BAD_FIELD, field,
                 user ? "must be a user's id" : "must be a name of 1 to 128 bytes");
    return false;
}

/* Does it wait for publish-hook? Else it has what is to go out. */
static bool waits(struct mapped *m, struct slice channel) {
    struct said said = {.channel = channel,
                        .data = m->emit.data,
                        .args = m->emit.args,
                        .bin = m->emit.bin,
                        .id = m->id_field.raw};
    bool yes = ask_publish(m->r, m->data, &said);
    m->emit.data = said.data;
    m->emit.args = said.args;
    return yes;
}

/* --- actions --------------------------------------------------------------------------------
 */

static void send_to_room(struct mapped *m) {
    struct request *r = m->r;
    struct redis *redis = clients_of(r->client)->redis;
    struct name room = {0};
    char text[CHANNEL_NAME_SIZE];
    struct slice channel, member = client_user(r->client);
    if (m->line->where.text.len != 0) {
        if (!pick_name(m, false, &room))
            return;
        channel = room_channel(name_slice(&room), text);
    } else if (r->client->last_room != NULL) {
        channel = channel_name(r->client->last_room->channel);
    } else {
        channel = SLICE("room:lobby");
    }
    if (!field_may(r, RIGHT_ROOMS, room_of(channel), "room"))
        return;
    if (m->line->open)
        member = (struct slice){NULL, 0};
    if (waits(m, channel))
        return;
    request_sent(r, m->line->is_volatile
                        ? ring_emit(redis, channel, &m->emit, member, request_done, r)
                        : append_emit(redis, channel, &m->emit, buf_bytes(&m->id), member,
                                      &r->sending, inside_done(r, channel), r));
}

static void send_to_all(struct mapped *m) {
    struct slice nobody = {NULL, 0};
    if (waits(m, SLICE("all")))
        return;
    request_sent(m->r, ring_emit(clients_of(m->r->client)->redis, SLICE("all"), &m->emit,
                                 nobody, request_done, m->r));
}

/* The answer says when, but not the seq of the other one's inbox. */
static void on_user_appended(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    if (!request_check(r, reply, outcome))
        return;
    unsigned long long time = (unsigned long long)reply_number(reply_item(reply, 2));
    struct slice answer = slice_of(log_text("{\"timestamp\":%llu}", time / 1000));
    request_ok(r, answer);
}

static void send_to_user(struct mapped *m) {
    struct request *r = m->r;
    struct redis *redis = clients_of(r->client)->redis;
    struct slice nobody = {NULL, 0};
    struct name user = {0};
    char text[CHANNEL_NAME_SIZE];
    if (!pick_name(m, true, &user) ||
        !field_may(r, RIGHT_PRIVATE, name_slice(&user), "receiverId"))
        return;
    struct slice channel = user_channel(name_slice(&user), text);
    if (waits(m, channel))
        return;
    request_sent(r, m->line->is_volatile
                        ? ring_emit(redis, channel, &m->emit, nobody, request_done, r)
                        : append_emit(redis, channel, &m->emit, buf_bytes(&m->id), nobody,
                                      &r->sending, on_user_appended, r));
}

static void send_to_socket(struct mapped *m) {
    struct slice nobody = {NULL, 0};
    struct name id = {0};
    char text[NAME_MAX_LEN + 8];
    if (!pick_name(m, false, &id))
        return;
    if (id.len <= SOCKET_NODE_LEN) {
        request_fail(m->r, ERR_BAD_FIELD, "socket", "must be the id of a socket");
        return;
    }
    int len = snprintf(text, sizeof text, "socket:%.*s", (int)id.len, id.bytes);
    struct slice channel = {text, (size_t)len};
    if (waits(m, channel))
        return;
    request_sent(m->r, ring_emit(clients_of(m->r->client)->redis, channel, &m->emit, nobody,
                                 request_done, m->r));
}

/* Goes on as the event `join` or `leave`. */
static void enter_or_leave(struct mapped *m, const char *event) {
    struct name room = {0};
    struct buf text;
    struct json_value data;
    if (!pick_name(m, false, &room))
        return;
    buf_init(&text);
    if (!inside_data(&text, name_slice(&room), &data))
        request_fail(m->r, ERR_INTERNAL, NULL, "out of memory");
    else
        request_restart(m->r, event_find(clients_of(m->r->client), slice_of(event)), data);
    buf_deinit(&text);
}

/* Writes it into the stream of the partition in which the user is. */
static void put_in_stream(struct mapped *m) {
    static const char *const names[] = {"event", "args", "bin"};
    struct request *r = m->r;
    struct clients *all = clients_of(r->client);
    struct json_value f[3];
    char id[HOOK_ID_SIZE], text[CHANNEL_NAME_SIZE];
    json_fields(m->data, names, f, 3);
    if (!rpc_id(id, slice_of(r->event), buf_bytes(&m->id))) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    struct slice args[] = {m->line->target,
                           SLICE("id"),
                           slice_of(id),
                           SLICE("event"),
                           (struct slice){f[0].raw.ptr + 1, f[0].raw.len - 2},
                           SLICE("args"),
                           f[1].raw,
                           SLICE("user"),
                           client_user(r->client),
                           SLICE("socket"),
                           subscriber_socket(&r->client->as, m->socket),
                           SLICE("node"),
                           slice_of(lease_first(all->leases)->node_id),
                           SLICE("bin"),
                           f[2].raw};
    struct partition *p =
        redis_partition(all->redis, user_channel(client_user(r->client), text));
    size_t count = f[2].type != JSON_NONE ? 15 : 13;
    if (!redis_script_asked(p, SCRIPT_stream, NULL, 0, args, count, request_done, r))
        request_unavailable(r, OUTCOME_REFUSED);
}

static void act(struct mapped *m) {
    switch (m->line->action) {
    case MAP_ROOM:
        send_to_room(m);
        break;
    case MAP_ALL:
        send_to_all(m);
        break;
    case MAP_USER:
        send_to_user(m);
        break;
    case MAP_SOCKET:
        send_to_socket(m);
        break;
    case MAP_JOIN:
        enter_or_leave(m, "join");
        break;
    case MAP_LEAVE:
        enter_or_leave(m, "leave");
        break;
    case MAP_RPC:
        rpc_begin(m->r, m->line, m->data, buf_bytes(&m->id));
        break;
    case MAP_STREAM:
        put_in_stream(m);
        break;
    case MAP_DROP:
        request_ok(m->r, SLICE("{}"));
        break;
    }
}

void on_mapped(struct request *r, struct json_value data) {
    static const char *const names[] = {"args", "event", "bin", "clientMessageId"};
    struct json_value f[4];
    struct mapped m = {.r = r, .line = map_line_of(r->row), .data = data};
    json_fields(data, names, f, 4);
    m.args = f[0];
    m.id_field = f[3];
    buf_init(&m.sent);
    buf_init(&m.user);
    buf_init(&m.id);
    if (r->event == NULL)
        r->event = strndup(f[1].raw.ptr + 1, f[1].raw.len - 2); /* without memory: the action */
    r->instead = m.line->ack;
    if (field_message_id(r, f[3], &m.id) && field_bin(r, f[2]) && put_emit(&m, f[1], f[2]))
        act(&m);
    buf_deinit(&m.sent);
    buf_deinit(&m.user);
    buf_deinit(&m.id);
}
