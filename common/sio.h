#ifndef SLUICE_COMMON_SIO_H
#define SLUICE_COMMON_SIO_H

#include "common/json.h"

/*
 * The Socket.IO v5 codec ("sio" in names) of a server. It reads the text of a packet (which
 * follows Engine.IO's "4") into its parts, which are slices of that text, so payloads stay
 * byte-exact. It does no I/O.
 *
 *     <type>[<attachments>-][<namespace>,][<id>][<payload>]
 *     51-/shop,7["order",{"_placeholder":true,"num":0}]
 */
enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK
};

/* Why a packet is wrong: symbol, text for a log. */
#define SIO_ERROR_TABLE(X)                                                                     \
    X(SIO_OK, "valid")                                                                         \
    X(SIO_E_TYPE, "no such packet from a client")                                              \
    X(SIO_E_ATTACHMENTS, "no number of attachments, or too many")                              \
    X(SIO_E_NAMESPACE, "the namespace is too long or has control characters")                  \
    X(SIO_E_ID, "an id that is too big")                                                       \
    X(SIO_E_JSON, "the payload is not JSON")                                                   \
    X(SIO_E_DEPTH, "the payload is nested too deep")                                           \
    X(SIO_E_PAYLOAD, "not the payload that this type has")                                     \
    X(SIO_E_NAME, "not the name of an event, or a reserved one")                               \
    X(SIO_E_PLACEHOLDER, "placeholders do not match the attachments")
#define SIO_ERROR_ENUM(symbol, text) symbol,
enum sio_error { SIO_ERROR_TABLE(SIO_ERROR_ENUM) SIO_ERROR_COUNT };
#undef SIO_ERROR_ENUM
const char *sio_error_text(enum sio_error e);

#define SIO_NAMESPACE_MAX   255
#define SIO_ATTACHMENTS_MAX 1024

struct sio_packet {
    enum sio_type type;
    bool has_id;
    uint32_t attachments; /* of the binary types; each has one placeholder */
    uint64_t id;
    struct slice nsp;          /* the namespace; "/" if none is named */
    struct json_value payload; /* JSON_NONE if there is none */
    struct json_value name;    /* of an event: a raw string or number */
    struct slice args;         /* of events and acks: the rest of the array, raw, without
                                  brackets: "1,\"a\"" */
};

/*
 * Reads a packet from a client. text: valid UTF-8. max_attachments: at most
 * SIO_ATTACHMENTS_MAX. CONNECT: no payload, or an object. DISCONNECT: none. CONNECT_ERROR:
 * SIO_E_TYPE. EVENT: an array that begins with a number or with a string that is not one of the
 * names that clients and servers give to events of their own (connect, disconnect, ...). ACK:
 * an array, and an id. An EVENT without a payload (name: JSON_NONE), and an ACK without a
 * payload or without an id, are valid and mean nothing: the reference server ignores them, as
 * it does the id of a CONNECT or DISCONNECT (has_id: false). The binary types must have a
 * payload, in which {"_placeholder":true,"num":n} occurs exactly once for each n below the
 * number of attachments, and for no other n.
 */
enum sio_error sio_read(struct slice text, uint32_t max_attachments, struct sio_packet *out);

/* Appends the part before the payload: type, attachments (of the binary types), namespace
 * (unless "/"), id. */
void sio_put_head(struct buf *out, const struct sio_packet *head);

/* Is it a name that clients and servers give to events for their own programs? */
bool sio_reserves(struct slice name);

#endif
