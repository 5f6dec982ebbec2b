#ifndef SLUICE_DATA_KEY_KIND_H
#define SLUICE_DATA_KEY_KIND_H

#include "gateway/data/deployment.h"

/* What the keys of a deployment are: of which channel or other thing, and which part of it. */
enum key_owner { OWNER_ROOM, OWNER_TOPIC, OWNER_DM, OWNER_USER, OWNER_COUNT };
extern const char *const key_owner_names[OWNER_COUNT];

/* The parts that a move takes along. */
#define KEY_PARTS(X)                                                                           \
    X(LOG, "log")                                                                              \
    X(META, "meta")                                                                            \
    X(IDS, "ids")                                                                              \
    X(READ, "read")                                                                            \
    X(MEMBERS, "members")                                                                      \
    X(ROOMS, "rooms")                                                                          \
    X(UNREAD, "unread")                                                                        \
    X(COUNTED, "counted") X(PROFILE, "profile") X(LEFT, "left") X(REVOKED, "revoked")
enum key_part {
#define KEY_PART(name, text) PART_##name,
    KEY_PARTS(KEY_PART)
#undef KEY_PART
        PART_COUNT
};
extern const char *const key_part_names[PART_COUNT];

/* Why a key is left where it is. */
enum key_class {
    KEY_DATA,
    KEY_PRESENCE, /* of connections and nodes, which write it again */
    KEY_SESSION,  /* of Socket.IO: its times are of the old clock */
    KEY_OWN,      /* clock, term and what belongs to a Redis as a whole */
    KEY_WAITING,  /* steps that a node has not finished */
    KEY_UNKNOWN,
    KEY_CLASSES
};

struct key_kind {
    enum key_class class;
    enum key_owner owner; /* of KEY_DATA */
    enum key_part part;
    struct slice name;   /* as room:lobby; a part of the key */
    struct slice suffix; /* as :log or :ids:5986295 */
    struct slice bucket; /* of PART_IDS */
};

/* Reads a key, which begins with the deployment's prefix. Without it: KEY_UNKNOWN. */
struct key_kind key_kind_of(const struct deployment *d, struct slice key);

/* A pattern for SCAN that fits all keys of the deployment. */
void key_pattern(const struct deployment *d, struct buf *out);

#endif
