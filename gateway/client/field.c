#include "gateway/client/field.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/percent.h"
#include "gateway/channel/name.h"
#include "gateway/client/authorize.h"

static bool missing(struct request *r, struct json_value value, const char *field,
                    bool optional, bool *done) {
    *done = value.type == JSON_NONE || value.type == JSON_NULL;
    if (*done && !optional)
        request_fail(r, ERR_MISSING_FIELD, field, NULL);
    return *done && !optional;
}

static bool bad(struct request *r, const char *field, const char *rule) {
    request_fail(r, ERR_BAD_FIELD, field, rule);
    return false;
}

bool field_user(struct request *r, struct json_value value, const char *field, bool optional,
                struct name *out) {
    bool done;
    if (missing(r, value, field, optional, &done))
        return false;
    if (!done && !name_from_json(value, true, out))
        return bad(r, field,
                   "must be 1 to 128 bytes without white space, control characters, colons or "
                   "braces, or an integer");
    return true;
}

bool field_name(struct request *r, struct json_value value, const char *field, bool optional,
                struct name *out) {
    bool done;
    if (missing(r, value, field, optional, &done))
        return false;
    if (!done && !name_from_json(value, false, out))
        return bad(r, field,
                   "must be 1 to 128 bytes without white space, control characters or braces");
    return true;
}

bool field_text(struct request *r, struct json_value value, const char *field,
                struct name *out) {
    bool done;
    missing(r, value, field, true, &done);
    if (done)
        return true;
    ptrdiff_t len = json_decode(value, out->bytes, NAME_MAX_LEN);
    if (len <= 0)
        return bad(r, field, "must be a string of 1 to 128 bytes");
    out->len = (unsigned char)len;
    return true;
}

bool field_number(struct request *r, struct json_value value, const char *field, bool optional,
                  uint64_t low, uint64_t high, uint64_t *out) {
    bool done;
    uint64_t n;
    if (missing(r, value, field, optional, &done))
        return false;
    if (done)
        return true;
    if (!json_uint64(value, &n) || n < low || n > high)
        return bad(r, field,
                   log_text("must be an integer from %llu to %llu", (unsigned long long)low,
                            (unsigned long long)high));
    *out = n;
    return true;
}

bool field_switch(struct request *r, struct json_value value, const char *field, bool *out) {
    bool done;
    missing(r, value, field, true, &done);
    if (done)
        return true;
    if (value.type != JSON_TRUE && value.type != JSON_FALSE)
        return bad(r, field, "must be true or false");
    *out = value.type == JSON_TRUE;
    return true;
}

bool field_message_id(struct request *r, struct json_value value, struct buf *out) {
    char bytes[NAME_MAX_LEN];
    bool done;
    missing(r, value, "clientMessageId", true, &done);
    if (done)
        return true;
    ptrdiff_t len = value.type == JSON_STRING ? json_decode(value, bytes, sizeof bytes) : -1;
    if (json_is_integer(value) && value.raw.len <= sizeof bytes) {
        len = (ptrdiff_t)value.raw.len;
        memcpy(bytes, value.raw.ptr, value.raw.len);
    }
    if (len <= 0)
        return bad(r, "clientMessageId", "must be a string of 1 to 128 bytes, or an integer");
    r->sending.own = message_hash(value.raw);
    request_keep_id(r, value.raw);
#ifdef SLUICE_BREAK_IDEMPOTENCY /* a fault on purpose, which tests/chaos must find */
    return true;
#endif
    buf_slice(out, client_user(r->client));
    buf_char(out, ':');
    buf_append(out, bytes, (size_t)len);
    return true;
}

bool field_may(struct request *r, enum right right, struct slice name, const char *field) {
    assert((r->row->rights & 1U << right) != 0);
    bool allowed = r->trusted || authorize(r->client, right, name);
    r->allowed = allowed;
    if (!allowed)
        request_fail(r, ERR_FORBIDDEN, field, NULL);
    return allowed;
}

bool field_room(struct request *r, struct json_value value, struct buf *channel) {
    struct name room = {0};
    if (!field_name(r, value, "room", true, &room))
        return false;
    if (room.len != 0)
        channel_join_name(channel, "room:", name_slice(&room));
    else if (r->client->last_room != NULL)
        buf_slice(channel, channel_name(r->client->last_room->channel));
    else
        buf_str(channel, "room:lobby");
    if (channel->failed) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return false;
    }
    return (r->row->rights & NEEDS(ROOMS)) == 0 ||
           field_may(r, RIGHT_ROOMS, room_of(buf_bytes(channel)), "room");
}

bool field_read_position(struct json_value value, struct position *out) {
    static const char *const names[] = {"epoch", "seq"};
    struct json_value fields[2];
    char epoch[64];
    json_fields(value, names, fields, 2);
    ptrdiff_t len = json_decode(fields[0], epoch, sizeof epoch);
    if (fields[0].type != JSON_STRING || !json_uint64(fields[1], &out->seq) ||
        out->seq > 1ULL << 53)
        return false;
    /* An epoch that no log can have becomes "?", which no log has either. */
    bool usable =
        len > 0 && (size_t)len < sizeof out->epoch && memchr(epoch, 0, (size_t)len) == NULL;
    snprintf(out->epoch, sizeof out->epoch, "%.*s", usable ? (int)len : 1,
             usable ? epoch : "?");
    return true;
}

bool field_position(struct request *r, struct json_value value, const char *field,
                    struct position *out) {
    memset(out, 0, sizeof *out);
    if (value.type == JSON_NONE || value.type == JSON_NULL || field_read_position(value, out))
        return true;
    request_fail(r, ERR_BAD_FIELD, field, "must be {epoch, seq}");
    return false;
}

bool field_object(struct request *r, struct json_value data, const char *first) {
    if (data.type == JSON_OBJECT || data.type == JSON_NONE)
        return true;
    request_fail(r, ERR_BAD_FIELD, first, "data must be an object");
    return false;
}

bool field_bin(struct request *r, struct json_value value) {
    struct json_iter it;
    bool good = value.type == JSON_NONE || value.type == JSON_ARRAY;
    json_iter_init(&it, value);
    while (good && json_iter_next(&it))
        good = it.value.type == JSON_STRING;
    if (!good)
        request_fail(r, ERR_BAD_FIELD, "bin", "must be an array of strings");
    return good;
}

bool field_conversation(struct request *r, struct json_value peer, struct json_value room,
                        struct buf *channel, struct name *other) {
    other->len = 0;
    if (!field_user(r, peer, "peer", true, other))
        return false;
    if (other->len == 0)
        return field_room(r, room, channel);
    if (!field_may(r, RIGHT_PRIVATE, name_slice(other), "peer"))
        return false;
    if (room.type != JSON_NONE && room.type != JSON_NULL) {
        request_fail(r, ERR_BAD_FIELD, "room", "must not stand beside peer");
        return false;
    }
    channel_dm_name(channel, client_user(r->client), name_slice(other));
    return true;
}

bool field_escaped_name(struct json_value value, struct name *out) {
    char text[NAME_MAX_LEN * 6];
    ptrdiff_t len = -1;
    out->len = 0;
    if (value.type == JSON_STRING)
        len = json_decode(value, text, sizeof text);
    else if (json_is_integer(value) && value.raw.len <= NAME_MAX_LEN)
        memcpy(text, value.raw.ptr, (size_t)(len = (ptrdiff_t)value.raw.len));
    if (len > 0)
        len = percent_encode_name((struct slice){text, (size_t)len}, out->bytes,
                                  sizeof out->bytes);
    out->len = (unsigned char)(len > 0 ? len : 0);
    return len > 0 && name_valid(name_slice(out));
}
