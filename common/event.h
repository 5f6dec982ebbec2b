#ifndef SLUICE_COMMON_EVENT_H
#define SLUICE_COMMON_EVENT_H

/* Every event that a client may send: symbol, the wire's name, its handler (core/request.h) and
 * flags. PROTOCOL.md, section 4, explains them. */
#define EVENT_TABLE(X)                                                                         \
    X(EVENT_LOGIN, "login", on_login, EVENT_ANONYMOUS | EVENT_ANY_ID)                          \
    X(EVENT_JOIN, "join", on_join, EVENT_ANONYMOUS | EVENT_ANY_ID)                             \
    X(EVENT_LEAVE, "leave", on_leave, 0)                                                       \
    X(EVENT_PRIVATE_MESSAGE, "private_message", on_private_message, EVENT_APPENDS)             \
    X(EVENT_SEND_MESSAGE, "sendMessage", on_send_message, EVENT_APPENDS)                       \
    X(EVENT_PUBLISH, "publish", on_publish, EVENT_APPENDS)                                     \
    X(EVENT_TYPING, "typing", on_typing, 0)                                                    \
    X(EVENT_READ, "read", on_read, 0)                                                          \
    X(EVENT_HISTORY, "history", on_history, 0)                                                 \
    X(EVENT_ALL_MEMBER, "all_member", on_all_member, 0)                                        \
    X(EVENT_SUBSCRIBE, "subscribe", on_subscribe, 0)                                           \
    X(EVENT_UNSUBSCRIBE, "unsubscribe", on_unsubscribe, 0)                                     \
    X(EVENT_HEARTBEAT, "heartbeat", on_heartbeat, EVENT_ANONYMOUS)                             \
    X(EVENT_MESSAGE_CHUNK, "message_chunk", on_message_chunk, EVENT_ANY_ID | EVENT_APPENDS)

enum event_flags {
    EVENT_ANONYMOUS = 1, /* allowed before login */
    EVENT_APPENDS = 2,   /* fails with the append before it, so that retries keep the order */
    EVENT_ANY_ID = 4     /* userId and senderId in the data are its own business */
};

#define EVENT_ENUM(symbol, name, handler, flags) symbol,
enum event { EVENT_TABLE(EVENT_ENUM) EVENT_COUNT };
#undef EVENT_ENUM

#endif
