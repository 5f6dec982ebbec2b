#include "gateway/client/order.h"

#include "common/hash.h"

#define HELD_MS 2000 /* on an ordinary line, no message is under way for longer */

uint64_t message_hash(struct slice id) {
    return hash_add(HASH_EMPTY, id.ptr, id.len) | 1;
}

struct slice message_id_of(struct json_value data) {
    static const char *const names[] = {"clientMessageId"};
    struct json_value id;
    json_fields(data, names, &id, 1);
    bool good = id.type == JSON_STRING || id.type == JSON_NUMBER;
    return good && id.raw.len <= MESSAGE_ID_MOST ? id.raw : (struct slice){NULL, 0};
}

struct ids {
    uint64_t own;
    uint64_t after;
};

static uint64_t hash_of(struct json_value value) {
    return value.type != JSON_NONE ? message_hash(value.raw) : 0;
}

static struct ids read_ids(struct json_value data) {
    static const char *const names[] = {"clientMessageId", "after"};
    struct json_value f[2];
    json_fields(data, names, f, 2);
    return (struct ids){hash_of(f[0]), hash_of(f[1])};
}

uint64_t order_id(struct json_value data) {
    return read_ids(data).own;
}

uint64_t order_after(struct json_value data) {
    return read_ids(data).after;
}

void order_failed(struct order *o, uint64_t message, enum err err, uint64_t now) {
    *o = (struct order){message, message, now + HELD_MS, err};
}

void order_broken(struct order *o, uint64_t message) {
    if (o->failed == 0)
        *o = (struct order){.last = message, .err = ERR_UNAVAILABLE};
}

void order_follow(struct order *o, uint64_t message) {
    if (message != 0)
        o->last = message;
}

enum err order_check(struct order *o, struct json_value data, uint64_t now) {
    if (o->failed == 0 && o->last == 0)
        return ERR_OK;
    struct ids ids = read_ids(data);
    bool waits = ids.after != 0 ? ids.after == o->last
                                : o->failed != 0 && ids.own != o->failed && now < o->until;
    enum err err = waits ? o->err : ERR_OK;
    if (!waits)
        *o = (struct order){0};
    else if (ids.own != 0)
        o->last = ids.own;
    return err;
}
