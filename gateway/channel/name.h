#ifndef SLUICE_CHANNEL_NAME_H
#define SLUICE_CHANNEL_NAME_H

#include "common/buf.h"
#include "common/name.h"

/*
 * Names of channels: room:<name>, topic:<name>, user:<id> (a user's inbox), and dm:<a>:<b> (the
 * messages between two users, whose ids are sorted bytewise). Two more have no log: "all", and
 * socket:<id>, which is rung at the doorbell of the node that made the id.
 */
#define CHANNEL_NAME_SIZE (NAME_MAX_LEN + 8) /* with the NUL; a dm: name is longer */

/* The part of a name after its kind ("room:" and the like). The name must begin with it. */
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

static inline bool is_socket(struct slice name) {
    return slice_starts(name, SLICE("socket:"));
}

/* The last characters of a socket's id name the process that made it. */
#define SOCKET_NODE_LEN 8
/* Writes socket:<those characters>, the name of that process's doorbell. The id is a valid name
 * (name_valid). */
struct slice socket_node(struct slice channel, char out[CHANNEL_NAME_SIZE]);

/* Writes user:<id>. The user's other keys have the same name. */
struct slice user_channel(struct slice user, char out[CHANNEL_NAME_SIZE]);
/* Writes room:<name>. Here and above, the name has at most NAME_MAX_LEN bytes. */
struct slice room_channel(struct slice room, char out[CHANNEL_NAME_SIZE]);

/* Appends <kind><name>. */
void channel_join_name(struct buf *out, const char *kind, struct slice name);
/* Appends dm:<a>:<b>. */
void channel_dm_name(struct buf *out, struct slice a, struct slice b);

/* May this user enter that channel by naming it in login's `resume`? */
bool resumable(struct slice user, struct slice name);

#endif
