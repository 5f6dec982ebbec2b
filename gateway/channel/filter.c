#include "gateway/channel/filter.h"

#include "common/json.h"
#include "gateway/channel/name.h"

bool filter_is_socket(const struct subscriber *s, struct slice id) {
    char bytes[CLIENT_ID_SIZE];
    if (s->ops->socket != NULL)
        return slice_eq(s->ops->socket(s), id);
    return slice_eq(subscriber_id(s, bytes), id) || subscriber_is_origin(s, id);
}

bool filter_excepts(const struct subscriber *s, struct slice except) {
    struct json_value all, one;
    struct json_iter it;
    char bytes[CHANNEL_NAME_SIZE];
    if (json_parse(except, &all) != JSON_OK)
        return false;
    json_iter_init(&it, all);
    while (json_iter_next(&it)) {
        one = it.value;
        ptrdiff_t len = json_decode(one, bytes, sizeof bytes);
        struct slice name = {bytes, len > 0 ? (size_t)len : 0};
        if (is_socket(name) && filter_is_socket(s, channel_rest(name, SLICE("socket:"))))
            return true;
        if (slice_starts(name, SLICE("user:")) && s->user.len != 0 &&
            slice_eq(channel_rest(name, SLICE("user:")), s->user))
            return true;
    }
    return false;
}

bool filter_passes(const struct message *m, const struct subscriber *s) {
    if (!m->own)
        return true;
    if (!slice_eq(subscriber_nsp(s), m->nsp.len != 0 ? m->nsp : SLICE("/")))
        return false;
    if (m->socket.len != 0 && filter_is_socket(s, m->socket))
        return false;
    return m->except.len == 0 || !filter_excepts(s, m->except);
}
