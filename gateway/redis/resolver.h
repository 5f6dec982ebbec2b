#ifndef SLUICE_REDIS_RESOLVER_H
#define SLUICE_REDIS_RESOLVER_H

#include <stdbool.h>
#include <uv.h>

/*
 * The addresses that a name has. All of one answer are tried in their order before the name is
 * asked for again: resolvers turn their answers round, and a client that turns as well may meet
 * the same address for ever. A question has no time limit of its own: the system's resolver has
 * one, and to ask again before it would throw away each answer that is slower.
 */
struct resolver {
    uv_getaddrinfo_t request;
    bool busy; /* a question is under way */
    struct addrinfo *found;
    const struct addrinfo *next; /* of found */
    /* The answer is there (0), or a libuv error. */
    void (*done)(struct resolver *r, int status);
};

void resolver_init(struct resolver *r, void (*done)(struct resolver *r, int status));
/* The next address that was not tried yet; it holds until resolver_forget or resolver_ask.
 * NULL: there is none. */
const struct sockaddr *resolver_next(struct resolver *r);
static inline bool resolver_has_next(const struct resolver *r) {
    return r->next != NULL;
}
/* Asks; done is called in a later turn. If a question is under way already, its answer serves.
 * Returns 0 or a libuv error; then done is not called. */
int resolver_ask(struct resolver *r, uv_loop_t *loop, const char *host, int port);
/* Addresses are asked for again next time. */
void resolver_forget(struct resolver *r);
/* Ends a question, if it has not begun to be answered; done is called all the same. */
void resolver_cancel(struct resolver *r);

#endif
