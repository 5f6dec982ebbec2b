#ifndef SLUICE_COMMON_EVENT_H
#define SLUICE_COMMON_EVENT_H

/* Every event that a client may send: symbol, name on the wire, handler (client/request.h),
 * flags, the rights of which it may need one (a set, by NEEDS), and the field with the content,
 * which may come in pieces or hold attachments (NULL: there is no such field).
 * gateway/docs/events.md explains them. */
#define EVENT_TABLE(X)                                                                         \
    X(EVENT_LOGIN, "login", on_login,                                                          \
      EVENT_ANONYMOUS | EVENT_ANY_ID | EVENT_LOGS_IN | EVENT_KEPT,                             \
      NEEDS(ROOMS) | NEEDS(SUBSCRIBE), NULL)                                                   \
    X(EVENT_JOIN, "join", on_join,                                                             \
      EVENT_ANONYMOUS | EVENT_ANY_ID | EVENT_LOGS_IN | EVENT_BY_ID, NEEDS(ROOMS), NULL)        \
    X(EVENT_LEAVE, "leave", on_leave, 0, 0, NULL)                                              \
    X(EVENT_PRIVATE_MESSAGE, "private_message", on_private_message, EVENT_APPENDS,             \
      NEEDS(PRIVATE), "content")                                                               \
    X(EVENT_SEND_MESSAGE, "sendMessage", on_send_message, EVENT_APPENDS, NEEDS(ROOMS),         \
      "message")                                                                               \
    X(EVENT_PUBLISH, "publish", on_publish, EVENT_APPENDS, NEEDS(PUBLISH), "data")             \
    X(EVENT_TYPING, "typing", on_typing, 0, NEEDS(ROOMS) | NEEDS(PRIVATE), NULL)               \
    X(EVENT_READ, "read", on_read, 0, NEEDS(ROOMS) | NEEDS(PRIVATE), NULL)                     \
    X(EVENT_HISTORY, "history", on_history, EVENT_LONG, NEEDS(ROOMS) | NEEDS(PRIVATE), NULL)   \
    X(EVENT_ALL_MEMBER, "all_member", on_all_member, EVENT_LONG, NEEDS(ROOMS), NULL)           \
    X(EVENT_SUBSCRIBE, "subscribe", on_subscribe, 0, NEEDS(SUBSCRIBE), NULL)                   \
    X(EVENT_UNSUBSCRIBE, "unsubscribe", on_unsubscribe, 0, 0, NULL)                            \
    X(EVENT_HEARTBEAT, "heartbeat", on_heartbeat, EVENT_ANONYMOUS | EVENT_BEATS | EVENT_KEPT,  \
      0, NULL)                                                                                 \
    X(EVENT_REFRESH, "refresh", on_refresh, EVENT_KEPT, 0, NULL)                               \
    X(EVENT_MESSAGE_CHUNK, "message_chunk", on_message_chunk,                                  \
      EVENT_ANY_ID | EVENT_APPENDS | EVENT_KEPT, 0, NULL)

/* Every event that Sluice itself sends. Applications have other names for theirs, but may use
 * `message`, and all of them where `builtin` is `none`. */
#define SENT_EVENTS                                                                            \
    "chatMessage", "new_private_message", "message", "userJoined", "userLeft", "onlineUsers",  \
        "Online_user", "update_member_list", "user_online", "user_offline", "typing",          \
        "message_read", "myUsersList", "error", "channel_reset", "available",                  \
        "token_expiring", "revoked", "joined"

/* Who reads that column includes gateway/auth/grant.h. */
#define NEEDS(right) (1U << RIGHT_##right)

enum event_flags {
    EVENT_ANONYMOUS = 1, /* allowed before login */
    EVENT_APPENDS = 2,   /* fails with the append before it, so that retries keep the order */
    EVENT_ANY_ID = 4,    /* userId and senderId in the data are not checked in general */
    EVENT_LOGS_IN = 8,   /* logs the connection in, or may */
    EVENT_BY_ID = 16,    /* logs in if it has an `id`; otherwise it needs a login before it */
    EVENT_BEATS = 32,    /* the connection is held to its heartbeat from then on */
    EVENT_LONG = 64,     /* its answer may be long: it waits until the client has read others */
    EVENT_KEPT = 128     /* /ws has it even where `builtin` is `none` */
};

#define EVENT_ENUM(symbol, name, handler, flags, rights, payload) symbol,
enum event { EVENT_TABLE(EVENT_ENUM) EVENT_COUNT };
#undef EVENT_ENUM

#endif
