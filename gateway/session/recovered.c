#include "gateway/session/recovered.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take_name(struct name *out, struct slice text) {
    if (text.len > NAME_MAX_LEN)
        return false;
    name_set(out, text);
    return true;
}

/* "<epoch> <floor> <since>", and " 1" if it is granted */
static bool take_channel(struct recovered *what, struct slice name, struct slice value) {
    struct recovered_channel *ch = &what->channels[what->count];
    char text[96];
    if (name.len >= sizeof ch->name || value.len >= sizeof text)
        return false;
    memset(ch, 0, sizeof *ch);
    memcpy(ch->name, name.ptr, name.len);
    snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
    char *end = strchr(text, ' ');
    size_t len = end != NULL ? (size_t)(end - text) : 0;
    if (len == 0 || len >= sizeof ch->floor.epoch)
        return false;
    memcpy(ch->floor.epoch, text, len);
    ch->floor.seq = strtoull(end, &end, 10);
    ch->since = strtoull(end, &end, 10);
    ch->granted = strcmp(end, " 1") == 0;
    what->count++;
    return ch->granted || *end == '\0';
}

static bool take_field(struct recovered *what, struct slice field, const struct reply *reply) {
    struct slice value = reply_text(reply);
    if (slice_is(field, "user"))
        return take_name(&what->user, value);
    if (slice_is(field, "username"))
        return take_name(&what->username, value);
    if (slice_is(field, "role"))
        return take_name(&what->role, value);
    if (slice_is(field, "room"))
        return value.len < sizeof what->room &&
               snprintf(what->room, sizeof what->room, "%.*s", (int)value.len, value.ptr) >= 0;
    if (slice_is(field, "origin"))
        return value.len < sizeof what->origin &&
               snprintf(what->origin, sizeof what->origin, "%.*s", (int)value.len, value.ptr) >
                   0;
    if (slice_is(field, "state") && value.len > 0) {
        free(what->state);
        what->state = strndup(value.ptr, value.len);
    }
    if (slice_is(field, "from"))
        what->from = (uint64_t)reply_number(reply);
    if (slice_is(field, "salt"))
        what->salt = (uint32_t)reply_number(reply);
    if (slice_starts(field, SLICE("c:")))
        return take_channel(what, (struct slice){field.ptr + 2, field.len - 2}, value);
    return true;
}

bool recovered_read(struct recovered *what, const struct reply *reply) {
    bool good = reply_number(reply_item(reply, 0)) == 0;
    if (good)
        what->channels = calloc(reply->count / 2, sizeof *what->channels);
    good = good && what->channels != NULL;
    for (size_t i = 2; good && i + 1 < reply->count; i += 2)
        good = take_field(what, reply_text(reply->items[i]), reply->items[i + 1]);
    what->clock = (uint64_t)reply_number(reply_item(reply, 1));
    return good && what->user.len != 0 && what->origin[0] != '\0';
}

void recovered_deinit(struct recovered *what) {
    free(what->channels);
    free(what->state);
    memset(what, 0, sizeof *what);
}
