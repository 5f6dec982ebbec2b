#include "gateway/client/describe.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "gateway/channel/name.h"
#include "gateway/cluster/leases.h"

static const char *identity_of(const struct client *c) {
    if (c->identity == NULL)
        return "none";
    if (is_guest(c->identity))
        return "guest";
    return c->identity->kind == IDENTITY_HOOK ? "hook" : "token";
}

static void put_text(struct buf *out, const char *key, struct slice text) {
    buf_printf(out, ",\"%s\":", key);
    json_escape_any(out, text);
}

/* Without identity, a role is what the client says, so it counts for nothing. */
static void put_profile(struct buf *out, const struct client *c) {
    const struct profile *p = c->presence.profile;
    if (p != NULL && p->username.len != 0)
        put_text(out, "username", name_slice(&p->username));
    bool known = c->identity != NULL && p != NULL && p->role.len != 0;
    put_text(out, "role", known ? name_slice(&p->role) : SLICE("user"));
}

void client_put_rooms(struct buf *out, const struct client *c) {
    unsigned count = 0;
    buf_str(out, ",\"rooms\":[");
    for (struct list *at = c->as.subs.next; at != &c->as.subs; at = at->next) {
        struct slice name = channel_name(container_of(at, struct sub, in_subscriber)->channel);
        if (!is_room(name) || count == DESCRIBED_ROOMS)
            continue;
        if (count++ > 0)
            buf_char(out, ',');
        json_escape(out, room_of(name));
    }
    buf_char(out, ']');
}

void client_describe_in(struct buf *out, const struct client *c, struct slice rooms) {
    char id[CLIENT_ID_SIZE];
    bool sio = c->as.ops->socket != NULL;
    put_text(out, "user", client_user(c));
    put_text(out, "identity", slice_of(identity_of(c)));
    put_profile(out, c);
    put_text(out, "socket", subscriber_socket(&c->as, id));
    put_text(out, "node", slice_of(lease_first(clients_of(c)->leases)->node_id));
    put_text(out, "door", sio ? SLICE("socketio") : SLICE("json"));
    put_text(out, "namespace", subscriber_nsp(&c->as));
    buf_slice(out, rooms);
    if (c->state != NULL) {
        buf_str(out, ",\"state\":");
        buf_str(out, c->state);
    }
}

void client_describe(struct buf *out, const struct client *c) {
    struct buf rooms;
    buf_init(&rooms);
    client_put_rooms(&rooms, c);
    client_describe_in(out, c, buf_bytes(&rooms));
    out->failed = out->failed || rooms.failed;
    buf_deinit(&rooms);
}

struct slice address_turn(char address[64]) {
    char *end = strrchr(address, ':'); /* before the port */
    if (end != NULL)
        *end = '\0';
    unsigned colons = 0;
    for (char *at = address; *at != '\0' && address[0] == '['; at++) {
        colons += *at == ':';
        if (colons == 4)
            *at = '\0';
        if (*at == '\0')
            break;
    }
    return slice_of(address);
}

struct slice client_turn(const struct client *c, char out[64]) {
    if (!is_guest(c->identity))
        return client_user(c);
    c->as.ops->address(&c->as, out, 64);
    return address_turn(out);
}
