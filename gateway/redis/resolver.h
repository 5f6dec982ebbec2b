#ifndef SLUICE_REDIS_RESOLVER_H
#define SLUICE_REDIS_RESOLVER_H

#include <stdbool.h>
#include <uv.h>

/*
 * The addresses of a name. All addresses of one answer are tried in their order before the name
 * is looked up again. Resolvers rotate their answers, so a client that took one address of each
 * answer might meet the same one for ever. A question has no time limit of its own, because the
 * system's resolver has one. Asking again earlier would throw away every answer that is slower.
 */
struct resolver {
    uv_getaddrinfo_t request;
    bool busy;  /* a question is under way */
    bool stale; /* its answer is no longer wanted */
    struct addrinfo *found;
    const struct addrinfo *next; /* of found */
    /* status: 0 when the answer is there, or a libuv error; UV_EAGAIN: it was forgotten. */
    void (*done)(struct resolver *r, int status);
};

void resolver_init(struct resolver *r, void (*done)(struct resolver *r, int status));
/* The next address that was not tried yet, or NULL. It is valid until resolver_forget or
 * resolver_ask. */
const struct sockaddr *resolver_next(struct resolver *r);
static inline bool resolver_has_next(const struct resolver *r) {
    return r->next != NULL;
}
/* Asks; done is called in a later turn. If a question is under way already, its answer is used.
 * Returns 0, or a libuv error, after which done is not called. */
int resolver_ask(struct resolver *r, uv_loop_t *loop, const char *host, int port);
/* Forgets the addresses, also those for which a question is under way, so that the name is
 * looked up again next time. */
void resolver_forget(struct resolver *r);
/* Cancels a question that is not being answered yet. done is called all the same. */
void resolver_cancel(struct resolver *r);

#endif
