#ifndef SLUICE_EMITTERS_PACKET_H
#define SLUICE_EMITTERS_PACKET_H

#include "common/json.h"
#include "gateway/emitters/pack.h"

/*
 * What emitters of Socket.IO publish. A broadcast is MessagePack on `socket.io#NSP#…`:
 *     [uid, {type, data: [event, ...arguments], nsp}, {rooms, except, flags}]
 * (older ones leave out the uid). An order is JSON on `socket.io-request#NSP#`:
 *     {type, opts: {rooms, except}, rooms}
 */
#define PACKET_ARGUMENTS_MOST 10
#define PACKET_BINARIES_MOST  10 /* as from clients: theirs disconnect with more */

struct packet {
    struct pack pack;
    struct slice nsp; /* these two as they came, unchecked */
    struct slice event;
    struct buf args;             /* a JSON array */
    struct buf bin;              /* a JSON array of base64; or empty */
    struct slice only;           /* the argument, if it is one; else empty */
    const msgpack_object *rooms; /* of these and of `except` each is a text; NULL: none */
    const msgpack_object *except;
};

/* NULL, or what is wrong with it; then there is nothing to free. The bytes stay the caller's,
 * as long as the packet. */
const char *packet_read(struct packet *p, struct slice bytes);
void packet_free(struct packet *p);

/* Reads the i-th text of `rooms` or `except`. False: there are no more. */
bool packet_name(const msgpack_object *names, uint32_t i, struct slice *out);

enum order_kind { ORDER_JOIN, ORDER_LEAVE, ORDER_DISCONNECT, ORDER_OTHER };
struct order_read {
    enum order_kind kind;
    struct slice nsp;                     /* of the channel on which it came */
    struct json_value who, except, rooms; /* arrays of strings, or JSON_NONE */
    bool close;                           /* a disconnect is of the whole connection */
};

/* NULL, or what is wrong with it. ORDER_OTHER: it is for servers of Socket.IO alone. */
const char *order_read(struct order_read *o, struct slice channel, struct slice text);

#endif
