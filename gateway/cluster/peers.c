#include "gateway/cluster/peers.h"

#include <stdlib.h>

#include "common/log.h"
#include "gateway/net/token.h"

/* --- this process ---------------------------------------------------------------------------
 */

bool peers_init(struct peers *p, struct lease *lease, void *owner) {
    *p = (struct peers){.lease = lease, .owner = owner};
    return token_make(p->name, PEER_NAME_SIZE - 1) && token_make(p->key, PEER_KEY_SIZE - 1);
}

void peers_deinit(struct peers *p) {
    free(p->all);
}

void peers_set_address(struct peers *p, const struct conn_address *listen,
                       const struct conn_address *given) {
    const struct conn_address *a = given != NULL ? given : listen;
    p->listen = *listen;
    p->given = !conn_address_is_any(a);
    if (p->given)
        conn_address_text(a, p->address);
}

/* A node that listens at any address also listens at the one that leads to Redis. If Redis is a
 * path, it is on this machine, and so are the other nodes. */
static void learn_address(struct peers *p) {
    struct sockaddr_storage at;
    struct conn_address here;
    bool ip4 = conn_address_is_ip4(&p->listen);
    if (conn_address_is_none(&p->listen)) { /* it listens at a path: others cannot reach it */
        p->address[0] = '\0';
        return;
    }
    if (redis_here(p->lease->redis, &at))
        conn_address_set(&here, (const struct sockaddr *)&at);
    else
        conn_address_parse(&here, ip4 ? "127.0.0.1" : "::1");
    here.port = p->listen.port;
    p->address[0] = '\0';
    if (!ip4 || conn_address_is_ip4(&here))
        conn_address_text(&here, p->address);
    else
        LOG(LOG_WARN, "not_reached", "why", "Redis is reached by IPv6, and no IPv6 is served",
            "do", "give --advertise", NULL);
}

void peers_redis_up(struct peers *p) {
    if (!p->given)
        learn_address(p);
    for (size_t i = 0; i < p->count; i++)
        p->all[i].seen = lease_now(p->lease);
}

/* --- other nodes ----------------------------------------------------------------------------
 */

static struct peer *find_incarnation(struct peers *p, struct slice incarnation) {
    for (size_t i = 0; i < p->count; i++) {
        if (slice_is(incarnation, p->all[i].incarnation))
            return &p->all[i];
    }
    return NULL;
}

static bool has_name(const struct peers *p, const char *name) {
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->all[i].name, name) == 0)
            return true;
    }
    return false;
}

static struct peer *peer_add(struct peers *p, const char *incarnation, struct slice name) {
    struct peer *grown = realloc(p->all, (p->count + 1) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    p->all = grown;
    struct peer *made = &grown[p->count++];
    *made = (struct peer){.lease = UINT64_MAX};
    snprintf(made->incarnation, sizeof made->incarnation, "%s", incarnation);
    memcpy(made->name, name.ptr, name.len);
    return made;
}

static void forget(struct peers *p, size_t at) {
    struct peer gone = p->all[at];
    p->all[at] = p->all[--p->count];
    if (has_name(p, gone.name))
        return;
    LOG(LOG_INFO, "peer_lost", "incarnation", gone.incarnation, "process", gone.name, NULL);
    p->on_lost(p->owner, gone.name);
}

/* says: a node's {name, address, key}. A node of an older version has none of them. */
static void meet(struct peers *p, const char *incarnation, const struct reply *says) {
    struct slice name = reply_text(reply_item(says, 0));
    struct slice secret = reply_text(reply_item(says, 2));
    struct conn_address at;
    char key[PEER_KEY_SIZE] = "";
    if (!token_valid(name, PEER_NAME_SIZE - 1) || !token_valid(secret, PEER_KEY_SIZE - 1) ||
        !conn_address_read(&at, reply_text(reply_item(says, 1))) || slice_is(name, p->name) ||
        find_incarnation(p, slice_of(incarnation)) != NULL)
        return;
    struct peer *peer = peer_add(p, incarnation, name);
    if (peer == NULL)
        return;
    peer->seen = lease_now(p->lease);
    memcpy(key, secret.ptr, secret.len);
    char text[CONN_ADDRESS_SIZE];
    conn_address_text(&at, text);
    LOG(LOG_INFO, "peer", "incarnation", incarnation, "process", peer->name, "addr", text,
        NULL);
    p->on_met(p->owner, peer->name, &at, key);
}

/* --- asking ---------------------------------------------------------------------------------
 */

static void ask(struct peers *p);

static void is_ready(struct peers *p) {
    p->ready = true;
    p->on_ready(p->owner);
}

static void on_answer(void *arg, const struct reply *reply, enum outcome outcome) {
    struct peers *p = arg;
    size_t count = p->asking.count;
    (void)outcome;
    p->asking.count = 0;
    if (reply == NULL || p->lease->stopping)
        return;
    for (size_t i = 0; i < count; i++)
        meet(p, p->asking.incarnations[i], reply_item(reply, i + 1));
    is_ready(p);
    ask(p);
}

static void ask(struct peers *p) {
    char bytes[PEERS_ASKED_MOST][NODE_KEY_SIZE];
    struct slice keys[PEERS_ASKED_MOST];
    if (p->asking.count > 0 || p->unknown.count == 0)
        return;
    for (size_t i = 0; i < p->unknown.count; i++)
        keys[i] = node_key(p->unknown.incarnations[i], bytes[i]);
    if (redis_script(p->lease->redis, SCRIPT_peers, keys, p->unknown.count, NULL, 0, on_answer,
                     p))
        p->asking = p->unknown;
    p->unknown.count = 0; /* those without an answer are seen again with the next lease */
}

static void add_unknown(struct peers *p, struct slice incarnation) {
    struct peers_unknown *u = &p->unknown;
    if (u->count == PEERS_ASKED_MOST || incarnation.len >= INCARNATION_SIZE)
        return;
    for (size_t i = 0; i < u->count; i++) {
        if (slice_is(incarnation, u->incarnations[i]))
            return;
    }
    char *at = u->incarnations[u->count++];
    memcpy(at, incarnation.ptr, incarnation.len);
    at[incarnation.len] = '\0';
}

void peers_hello(struct peers *p, struct slice incarnation) {
    if (slice_is(incarnation, p->lease->incarnation) ||
        find_incarnation(p, incarnation) != NULL)
        return;
    add_unknown(p, incarnation);
    ask(p);
}

/* --- leases ---------------------------------------------------------------------------------
 */

void peers_see(struct peers *p, struct slice incarnation, uint64_t lease) {
    struct peer *peer = find_incarnation(p, incarnation);
    if (peer == NULL && lease != 0)
        add_unknown(p, incarnation);
    if (peer == NULL || peer->lease == lease)
        return;
    peer->lease = lease;
    peer->seen = lease_now(p->lease);
}

void peers_sweep(struct peers *p) {
    for (size_t i = p->count; i-- > 0;) {
        if (p->all[i].lease == 0 ||
            lease_now(p->lease) - p->all[i].seen >= p->lease->options->lease_timeout)
            forget(p, i);
    }
    ask(p);
    if (p->asking.count == 0)
        is_ready(p); /* nobody is new */
}

bool peers_look(struct peers *p) {
    if (!redis_up(p->lease->redis) || p->lease->stopping)
        return false;
    if (p->asking.count == 0)
        lease_look(p->lease);
    return true;
}
