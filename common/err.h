#ifndef SLUICE_COMMON_ERR_H
#define SLUICE_COMMON_ERR_H

/*
 * Every failure of which a client can be told, a row each: symbol, code on the wire, default
 * message. PROTOCOL.md, "Errors", explains them.
 */
#define ERR_TABLE(X)                                                                           \
    X(ERR_OK, "ok", "")                                                                        \
    X(ERR_BAD_JSON, "bad_json", "not a valid JSON text")                                       \
    X(ERR_BAD_MESSAGE, "bad_message", "an event is an object with a string member event")      \
    X(ERR_UNKNOWN_EVENT, "unknown_event", "there is no such event")                            \
    X(ERR_MISSING_FIELD, "missing_field", "is required")                                       \
    X(ERR_BAD_FIELD, "bad_field", "has a wrong type or value")                                 \
    X(ERR_TOO_LARGE, "too_large", "is over the limit")                                         \
    X(ERR_NOT_LOGGED_IN, "not_logged_in", "login first")                                       \
    X(ERR_ALREADY_LOGGED_IN, "already_logged_in", "this connection speaks for another user")   \
    X(ERR_UNAUTHORIZED, "unauthorized", "a valid token is wanted")                             \
    X(ERR_FORBIDDEN, "forbidden", "not allowed for this user")                                 \
    X(ERR_NOT_A_MEMBER, "not_a_member", "join the room first")                                 \
    X(ERR_TOO_MANY, "too_many", "over a limit of this connection")                             \
    X(ERR_RATE_LIMITED, "rate_limited", "too many events a second")                            \
    X(ERR_REJECTED, "rejected", "refused by the application")                                  \
    X(ERR_UNAVAILABLE, "unavailable", "Redis cannot be reached or refuses")                    \
    X(ERR_INTERNAL, "internal", "a fault of the server")

#define ERR_ENUM(symbol, code, message) symbol,
enum err { ERR_TABLE(ERR_ENUM) ERR_COUNT };
#undef ERR_ENUM

/* The outcome of a write that failed. REFUSED: nothing was stored. UNKNOWN: something may have
 * been stored. */
enum outcome { OUTCOME_NONE, OUTCOME_REFUSED, OUTCOME_UNKNOWN };

const char *err_code(enum err e);
const char *err_message(enum err e);
/* "refused", "unknown", or NULL for OUTCOME_NONE. */
const char *err_outcome(enum outcome o);

#endif
