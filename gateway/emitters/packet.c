#include "gateway/emitters/packet.h"

/* --- broadcasts -----------------------------------------------------------------------------
 */

#define TYPE_EVENT        2
#define TYPE_BINARY_EVENT 5

/* Is it left out, or an array of texts? */
static bool is_names(const msgpack_object *o) {
    if (o == NULL || o->type == MSGPACK_OBJECT_NIL)
        return true;
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return false;
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        if (pack_text(&o->via.array.ptr[i]).len == 0)
            return false;
    }
    return true;
}

bool packet_name(const msgpack_object *names, uint32_t i, struct slice *out) {
    if (names == NULL || names->type != MSGPACK_OBJECT_ARRAY || i >= names->via.array.size)
        return false;
    *out = pack_text(&names->via.array.ptr[i]);
    return true;
}

static const char *read_head(struct packet *p, const msgpack_object **data) {
    const msgpack_object *root = &p->pack.root;
    uint32_t size = root->type == MSGPACK_OBJECT_ARRAY ? root->via.array.size : 0;
    if (size != 2 && size != 3)
        return "it is no array of two or three";
    const msgpack_object *packet = &root->via.array.ptr[size - 2];
    const msgpack_object *type = pack_member(packet, "type"), *nsp = pack_member(packet, "nsp");
    const msgpack_object *opts = &root->via.array.ptr[size - 1];
    if (type == NULL || type->type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
        (type->via.u64 != TYPE_EVENT && type->via.u64 != TYPE_BINARY_EVENT))
        return "it is no event";
    p->nsp = nsp == NULL || nsp->type == MSGPACK_OBJECT_NIL ? SLICE("/") : pack_text(nsp);
    *data = pack_member(packet, "data");
    if (*data == NULL || (*data)->type != MSGPACK_OBJECT_ARRAY || (*data)->via.array.size == 0)
        return "its data is no array with an event";
    p->event = pack_text(&(*data)->via.array.ptr[0]);
    p->rooms = pack_member(opts, "rooms");
    p->except = pack_member(opts, "except");
    return is_names(p->rooms) && is_names(p->except) ? NULL : "its rooms are no texts";
}

static const char *read_arguments(struct packet *p, const msgpack_object_array *data) {
    struct pack_json json = {.out = &p->args, .bin = &p->bin};
    if (data->size - 1 > PACKET_ARGUMENTS_MOST)
        return "it has more than 10 arguments";
    buf_char(&p->args, '[');
    for (uint32_t i = 1; i < data->size; i++) {
        if (i > 1)
            buf_char(&p->args, ',');
        if (!pack_put(&json, &data->ptr[i]))
            return "an argument cannot be JSON";
    }
    buf_char(&p->args, ']');
    if (json.count > 0)
        buf_char(&p->bin, ']');
    if (json.count > PACKET_BINARIES_MOST)
        return "it has more than 10 binaries";
    if (p->args.failed || p->bin.failed)
        return "out of memory";
    if (data->size == 2)
        p->only = (struct slice){p->args.data + 1, p->args.len - 2};
    return NULL;
}

const char *packet_read(struct packet *p, struct slice bytes) {
    const msgpack_object *data = NULL;
    *p = (struct packet){.rooms = NULL};
    if (!pack_read(&p->pack, bytes))
        return "it is no MessagePack of at most 32 levels";
    buf_init(&p->args);
    buf_init(&p->bin);
    const char *wrong = read_head(p, &data);
    if (wrong == NULL)
        wrong = read_arguments(p, &data->via.array);
    if (wrong != NULL)
        packet_free(p);
    return wrong;
}

void packet_free(struct packet *p) {
    pack_free(&p->pack);
    buf_deinit(&p->args);
    buf_deinit(&p->bin);
}

/* --- orders ---------------------------------------------------------------------------------
 */

/* The numbers of Socket.IO's adapter for Redis. */
enum { TYPE_JOIN = 2, TYPE_LEAVE = 3, TYPE_DISCONNECT = 4, TYPE_LAST = 9 };

static bool is_strings(struct json_value *value, bool needed) {
    struct json_iter it;
    if (value->type == JSON_NULL)
        value->type = JSON_NONE;
    if (value->type == JSON_NONE)
        return !needed;
    if (value->type != JSON_ARRAY)
        return false;
    json_iter_init(&it, *value);
    while (json_iter_next(&it)) {
        if (it.value.type != JSON_STRING)
            return false;
    }
    return true;
}

/* "socket.io-request#NSP#" */
static struct slice nsp_of(struct slice channel) {
    slice_cut(&channel, '#');
    return slice_cut(&channel, '#');
}

const char *order_read(struct order_read *o, struct slice channel, struct slice text) {
    static const char *const names[] = {"type", "opts", "rooms", "close"};
    static const char *const whom[] = {"rooms", "except"};
    struct json_value whole, f[4], opts[2];
    uint64_t type = 0;
    *o = (struct order_read){.kind = ORDER_OTHER, .nsp = nsp_of(channel)};
    if (json_parse(text, &whole) != JSON_OK || whole.type != JSON_OBJECT)
        return "it is no object of JSON";
    json_fields(whole, names, f, 4);
    if (f[0].type != JSON_NUMBER || !slice_number(f[0].raw, TYPE_LAST, &type))
        return "its type is not known";
    if (type != TYPE_JOIN && type != TYPE_LEAVE && type != TYPE_DISCONNECT)
        return NULL;
    if (f[1].type != JSON_OBJECT)
        return "it does not say whom it is for";
    json_fields(f[1], whom, opts, 2);
    o->who = opts[0];
    o->except = opts[1];
    o->rooms = f[2];
    o->close = f[3].type == JSON_TRUE;
    if (!is_strings(&o->who, false) || !is_strings(&o->except, false) ||
        !is_strings(&o->rooms, type != TYPE_DISCONNECT))
        return "its rooms are no strings";
    o->kind = type == TYPE_JOIN    ? ORDER_JOIN
              : type == TYPE_LEAVE ? ORDER_LEAVE
                                   : ORDER_DISCONNECT;
    return NULL;
}
