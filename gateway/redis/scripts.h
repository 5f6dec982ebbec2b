#ifndef SLUICE_REDIS_SCRIPTS_H
#define SLUICE_REDIS_SCRIPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/* The Lua scripts in lua/, and the shared parts that are put before each one (besides
 * prelude.lua). Presence has turning.lua or, with partitions, placing.lua with it. The keys,
 * arguments and answer of a script are described in its file. */
enum script_parts {
    PARTS_NONE = 0,
    PARTS_CLOCK = 1,
    PARTS_LOG = 2,
    PARTS_PRESENCE = 4,
    PARTS_MARKS = 8, /* needs PARTS_LOG, too */
    PARTS_COUNTS = 16,
    PARTS_SHARED = 32, /* needs PARTS_LOG, too */
    PARTS_APPEND = PARTS_CLOCK | PARTS_LOG,
    PARTS_LEASE = PARTS_CLOCK | PARTS_PRESENCE,
    PARTS_BOTH = PARTS_LOG | PARTS_PRESENCE
};
#define SCRIPT_TABLE(X)                                                                        \
    X(term, PARTS_CLOCK)                                                                       \
    X(append, PARTS_APPEND)                                                                    \
    X(private, PARTS_APPEND)                                                                   \
    X(dm, PARTS_APPEND)                                                                        \
    X(inbox, PARTS_APPEND | PARTS_COUNTS)                                                      \
    X(missing, PARTS_LOG | PARTS_SHARED)                                                       \
    X(posted, PARTS_NONE)                                                                      \
    X(outbox, PARTS_CLOCK)                                                                     \
    X(read, PARTS_LOG | PARTS_SHARED)                                                          \
    X(level, PARTS_NONE)                                                                       \
    X(history, PARTS_LOG | PARTS_MARKS)                                                        \
    X(online, PARTS_PRESENCE)                                                                  \
    X(revoked, PARTS_PRESENCE)                                                                 \
    X(offline, PARTS_PRESENCE)                                                                 \
    X(enter, PARTS_PRESENCE)                                                                   \
    X(leave, PARTS_PRESENCE)                                                                   \
    X(member, PARTS_NONE)                                                                      \
    X(roster, PARTS_NONE)                                                                      \
    X(members, PARTS_PRESENCE)                                                                 \
    X(profiles, PARTS_NONE)                                                                    \
    X(unread, PARTS_BOTH | PARTS_MARKS)                                                        \
    X(kept, PARTS_LOG | PARTS_MARKS)                                                           \
    X(mark, PARTS_BOTH | PARTS_MARKS)                                                          \
    X(settle, PARTS_COUNTS)                                                                    \
    X(ring, PARTS_PRESENCE)                                                                    \
    X(lease, PARTS_LEASE)                                                                      \
    X(reap, PARTS_PRESENCE)                                                                    \
    X(linger, PARTS_PRESENCE)                                                                  \
    X(due, PARTS_PRESENCE)                                                                     \
    X(turn, PARTS_PRESENCE)                                                                    \
    X(pending, PARTS_PRESENCE)                                                                 \
    X(place, PARTS_PRESENCE)                                                                   \
    X(placed, PARTS_NONE)                                                                      \
    X(beat, PARTS_PRESENCE)                                                                    \
    X(peers, PARTS_NONE)                                                                       \
    X(touch, PARTS_BOTH)                                                                       \
    X(session, PARTS_LEASE)                                                                    \
    X(keep, PARTS_NONE)                                                                        \
    X(position, PARTS_LOG)                                                                     \
    X(rooms, PARTS_PRESENCE)                                                                   \
    X(cluster, PARTS_PRESENCE)                                                                 \
    X(search, PARTS_PRESENCE)                                                                  \
    X(user, PARTS_NONE)                                                                        \
    X(raw_enter, PARTS_PRESENCE)                                                               \
    X(raw_leave, PARTS_NONE)                                                                   \
    X(revoke, PARTS_NONE)                                                                      \
    X(revocations, PARTS_PRESENCE)

#define SCRIPT_ENUM(name, parts) SCRIPT_##name,
enum script { SCRIPT_TABLE(SCRIPT_ENUM) SCRIPT_COUNT };
#undef SCRIPT_ENUM

/* The first number of a script's answer, in place of 0. SCRIPT_REVOKED: the user's tokens that
 * were issued so early are no good any more. */
enum {
    SCRIPT_NOT_A_MEMBER = -1,
    SCRIPT_REAPED = -2,
    SCRIPT_TOO_MANY = -3,
    SCRIPT_REVOKED = -4
};

/* The constants with which every script is compiled. */
struct script_constants {
    const char *prefix;
    bool partitions; /* keys have the names of a Cluster's (partition.h) */
    bool sharded;    /* doorbells are rung by SPUBLISH */
    uint64_t history_max;
    uint64_t log_bytes;
    uint64_t big_room;
    uint64_t max_rooms;
    uint64_t room_ttl_ms;
    uint64_t inbox_ttl_ms;
    uint64_t user_ttl_ms;
};

struct scripts {
    struct buf text[SCRIPT_COUNT];
    char sha[SCRIPT_COUNT][41];
};

/* Puts the scripts together. False: out of memory. The caller calls scripts_deinit in either
 * case. */
bool scripts_init(struct scripts *s, const struct script_constants *constants);
void scripts_deinit(struct scripts *s);

#endif
