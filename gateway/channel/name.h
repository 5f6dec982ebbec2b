#ifndef SLUICE_CHANNEL_NAME_H
#define SLUICE_CHANNEL_NAME_H

#include "common/buf.h"
#include "common/name.h"

/*
 * Names of channels: room:<name>, topic:<name>, user:<id> (a user's inbox) and dm:<a>:<b>, the
 * ids sorted bytewise.
 */
#define CHANNEL_NAME_SIZE (NAME_MAX_LEN + 8) /* with the NUL; but for dm: */

/* What stands after "<kind>:", which the name is known to begin with. */
static inline struct slice channel_rest(struct slice name, struct slice kind) {
    return (struct slice){name.ptr + kind.len, name.len - kind.len};
}
static inline struct slice room_of(struct slice name) {
    return channel_rest(name, SLICE("room:"));
}
static inline struct slice topic_of(struct slice name) {
    return channel_rest(name, SLICE("topic:"));
}
static inline bool is_room(struct slice name) {
    return slice_starts(name, SLICE("room:"));
}

/* user:<id>, also the name of the user's other keys. */
struct slice user_channel(struct slice user, char out[CHANNEL_NAME_SIZE]);

/* Appends <kind><name>. kind: "room:" and the like. */
void channel_join_name(struct buf *out, const char *kind, struct slice name);
/* Appends dm:<a>:<b>. */
void channel_dm_name(struct buf *out, struct slice a, struct slice b);

/* May this user be in that channel by asking (login's `resume`)? */
bool resumable(struct slice user, struct slice name);

#endif
