#ifndef SLUICE_REDIS_SCRIPTS_H
#define SLUICE_REDIS_SCRIPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/redis/declared.h"

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
    PARTS_SHARED = 32,  /* needs PARTS_LOG, too */
    PARTS_FOUND = 64,   /* it may ask for more keys (found.h) */
    PARTS_MANY = 128,   /* any number of bases: N tells it */
    PARTS_APPEND = 256, /* it appends to logs: what it may need of clock.lua and log.lua is in a
                         * function, which is not called as long as all is as usual */
    PARTS_SEVERAL = 512, /* several messages a call: it is a piece of several.lua, with no more
                          * before it than PARTS_APPEND, which it needs, too */
    PARTS_TAP = 1024,    /* it tells the tap, if there is one */
    PARTS_LEASE = PARTS_CLOCK | PARTS_PRESENCE,
    PARTS_FINDS = PARTS_PRESENCE | PARTS_FOUND
};
/* The last column is what the script declares: see declared.h. These are what comes of a user,
 * of a user and a room, and what there is once for those who come and go. */
#define KEYS_OF_USER  "conns rooms profile unread counted stamp pending turning"
#define KEYS_OF_ENTRY "conns rooms left stamp pending turning/members here read"
#define KEYS_OF_ALL   "nodes online pending turning term told guests ^tap ^tap:meta"
#define SCRIPT_TABLE(X)                                                                        \
    X(term, PARTS_CLOCK, "; clock term")                                                       \
    X(append, PARTS_APPEND | PARTS_SEVERAL | PARTS_TAP,                                        \
      "@3/6 meta log members read ?ids:0 ?ids:1; clock term ?ids ^tap ^tap:meta")              \
    X(private, PARTS_APPEND | PARTS_SEVERAL | PARTS_TAP,                                       \
      "@4/6 meta log read ?ids:0 ?ids:1/meta log conns unread/meta log unread; clock term "    \
      "?ids ^tap ^tap:meta")                                                                   \
    X(dm, PARTS_APPEND | PARTS_TAP,                                                            \
      "@3 meta log read ?ids:0 ?ids:1; clock term ?ids outbox ^tap ^tap:meta")                 \
    X(inbox, PARTS_APPEND | PARTS_COUNTS | PARTS_TAP,                                          \
      "meta log conns unread counted ids:0 ids:1; clock term ids ^tap ^tap:meta")              \
    X(posted, PARTS_NONE, "meta; outbox")                                                      \
    X(outbox, PARTS_CLOCK | PARTS_FOUND, "; clock outbox")                                     \
    X(missing, PARTS_LOG | PARTS_SHARED, "meta log read; term")                                \
    X(level, PARTS_MANY, "meta")                                                               \
    X(read, PARTS_LOG | PARTS_SHARED, "meta log read; clock term")                             \
    X(history, PARTS_LOG | PARTS_MARKS, "meta log members read")                               \
    X(online, PARTS_FINDS | PARTS_TAP,                                                         \
      KEYS_OF_USER " raw revoked/users/>members here; " KEYS_OF_ALL)                           \
    X(revoked, PARTS_PRESENCE, "revoked")                                                      \
    X(offline, PARTS_FINDS | PARTS_TAP, KEYS_OF_USER "/users; " KEYS_OF_ALL)                   \
    X(went, PARTS_FINDS | PARTS_TAP, KEYS_OF_USER "; " KEYS_OF_ALL)                            \
    X(enter, PARTS_PRESENCE | PARTS_TAP,                                                       \
      KEYS_OF_ENTRY "; nodes pending term told ^tap ^tap:meta")                                \
    X(leave, PARTS_PRESENCE | PARTS_TAP,                                                       \
      KEYS_OF_ENTRY "; nodes pending term told ^tap ^tap:meta")                                \
    X(member, PARTS_NONE, "members")                                                           \
    X(roster, PARTS_NONE, "members here")                                                      \
    X(members, PARTS_NONE, "members here")                                                     \
    X(profiles, PARTS_MANY, "profile")                                                         \
    X(unread, PARTS_NONE, "unread")                                                            \
    X(kept, PARTS_LOG | PARTS_MARKS | PARTS_MANY, "meta log")                                  \
    X(mark, PARTS_LOG | PARTS_PRESENCE | PARTS_MARKS, "meta log members read/unread/; term")   \
    X(settle, PARTS_COUNTS, "counted unread")                                                  \
    X(ring, PARTS_PRESENCE, "members")                                                         \
    X(stream, PARTS_NONE, "; events:")                                                         \
    X(lease, PARTS_LEASE, "users stats ^topics; nodes clock term ids ^topics")                 \
    X(reap, PARTS_FINDS | PARTS_TAP,                                                           \
      "users stats noted ^topics; lingering noted bye byes ^topics " KEYS_OF_ALL)              \
    X(bye, PARTS_PRESENCE, "noted; nodes noted bye byes")                                      \
    X(byes, PARTS_NONE, "; bye byes")                                                          \
    X(linger, PARTS_PRESENCE, "conns/users; nodes lingering")                                  \
    X(due, PARTS_CLOCK | PARTS_FINDS | PARTS_TAP, "; lingering clock ids " KEYS_OF_ALL)        \
    X(guests, PARTS_FINDS | PARTS_TAP, "; guests pending turning term told ^tap ^tap:meta")    \
    X(turn, PARTS_FINDS, "; turning told")                                                     \
    X(pending, PARTS_FINDS, "; pending told term")                                             \
    X(place, PARTS_PRESENCE, "members here read/; heard")                                      \
    X(placed, PARTS_MANY, "pending turning; pending told")                                     \
    X(heard, PARTS_PRESENCE, "; heard")                                                        \
    X(retell, PARTS_PRESENCE | PARTS_MANY, "conns rooms stamp pending; pending term")          \
    X(beat, PARTS_PRESENCE, "; nodes online")                                                  \
    X(peers, PARTS_MANY, "stats")                                                              \
    X(touch, PARTS_LOG | PARTS_PRESENCE | PARTS_MANY,                                          \
      KEYS_OF_USER " meta log members here read; pending turning told")                        \
    X(session, PARTS_LEASE, "; nodes clock term")                                              \
    X(keep, PARTS_MANY, "")                                                                    \
    X(position, PARTS_LOG, "meta log; clock")                                                  \
    X(rooms, PARTS_FINDS, "here; rooms")                                                       \
    X(cluster, PARTS_FINDS, "; nodes rooms online")                                            \
    X(search, PARTS_FINDS, "; online")                                                         \
    X(user, PARTS_NONE, "conns rooms profile")                                                 \
    X(connected, PARTS_MANY, "conns")                                                          \
    X(tell, PARTS_NONE, "")                                                                    \
    X(take, PARTS_NONE, "; api api:lease")                                                     \
    X(taken, PARTS_NONE, "; api api:refused")                                                  \
    X(raw_enter, PARTS_PRESENCE, "conns raw revoked; nodes")                                   \
    X(raw_leave, PARTS_NONE, "raw")                                                            \
    X(revoke, PARTS_NONE, "revoked")                                                           \
    X(revocations, PARTS_MANY, "revoked")                                                      \
    X(topics, PARTS_PRESENCE | PARTS_TAP, "topics; nodes topics tap tap:meta")                 \
    X(tap_trim, PARTS_NONE, "; tap tap:meta")                                                  \
    X(tap_read, PARTS_NONE, "; tap tap:meta tap:hooks")                                        \
    X(tap_dead, PARTS_NONE, "; tap:dead")

#define SCRIPT_ENUM(name, parts, keys) SCRIPT_##name,
enum script { SCRIPT_TABLE(SCRIPT_ENUM) SCRIPT_COUNT };
#undef SCRIPT_ENUM

/* The first number of a script's answer, in place of 0. SCRIPT_REVOKED: the user's tokens that
 * were issued so early are no good any more. */
enum {
    SCRIPT_NOT_A_MEMBER = -1,
    SCRIPT_REAPED = -2,
    SCRIPT_TOO_MANY = -3,
    SCRIPT_REVOKED = -4,
    SCRIPT_FOUND = -5,   /* it has found keys, and wants them: found.h. Nobody else sees it */
    SCRIPT_FAILED = -6,  /* of several messages: this one had an error, whose text follows; */
    SCRIPT_SKIPPED = -7, /* this one was not tried, since one before it failed */
    SCRIPT_CONFLICT = -8 /* another request had this id (tagged.lua) */
};

/* What the tap may have (the option `tap`); of `tap` below, a bit for each. */
#define TAP_KINDS(X)                                                                           \
    X(PRESENCE, "presence")                                                                    \
    X(CONNECTIONS, "connections")                                                              \
    X(ROOMS, "rooms")                                                                          \
    X(MESSAGES, "messages")                                                                    \
    X(TOPICS, "topics")                                                                        \
    X(UNSEEN, "unseen")
#define TAP_KIND(symbol, name) TAP_##symbol,
enum tap_kind { TAP_KINDS(TAP_KIND) TAP_KIND_COUNT };
#undef TAP_KIND
/* Reads the words of a list with commas. False: one is none of them. */
bool tap_kinds_read(struct slice list, unsigned *kinds);

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
    uint64_t guest_ttl_ms; /* 0: there are no guests */
    unsigned tap;          /* 0: off; then no script has a word of it */
};

struct scripts {
    bool partitions;
    struct declared keys[SCRIPT_COUNT];
    struct buf text[SCRIPT_COUNT];
    char sha[SCRIPT_COUNT][41];
};

/* Puts the scripts together. False: out of memory. The caller calls scripts_deinit in either
 * case. */
bool scripts_init(struct scripts *s, const struct script_constants *constants);
void scripts_deinit(struct scripts *s);

#endif
