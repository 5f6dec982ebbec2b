#include "gateway/redis/resolver.h"

#include <stdio.h>
#include <string.h>

void resolver_init(struct resolver *r, void (*done)(struct resolver *r, int status)) {
    memset(r, 0, sizeof *r);
    r->request.data = r;
    r->done = done;
}

const struct sockaddr *resolver_next(struct resolver *r) {
    const struct addrinfo *at = r->next;
    if (at == NULL)
        return NULL;
    r->next = at->ai_next;
    return at->ai_addr;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    struct resolver *r = request->data;
    bool stale = r->stale;
    r->busy = r->stale = false;
    r->found = found;
    r->next = found;
    if (stale)
        resolver_forget(r);
    r->done(r, stale ? UV_EAGAIN : status);
}

int resolver_ask(struct resolver *r, uv_loop_t *loop, const char *host, int port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    char service[8];
    if (r->busy)
        return 0;
    resolver_forget(r);
    snprintf(service, sizeof service, "%d", port);
    int status = uv_getaddrinfo(loop, &r->request, on_resolved, host, service, &hints);
    r->busy = status == 0;
    return status;
}

void resolver_forget(struct resolver *r) {
    uv_freeaddrinfo(r->found);
    r->found = NULL;
    r->next = NULL;
    r->stale = r->busy;
}

void resolver_cancel(struct resolver *r) {
    if (r->busy)
        uv_cancel((uv_req_t *)&r->request);
}
