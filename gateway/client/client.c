#include "gateway/client/client.h"

#include <stdlib.h>

#include "common/log.h"

/* Lines that strangers can cause: at most so many a second. */
#define LINES     10
#define SECOND_MS 1000

static const char *user_of(const struct client *c) {
    return c->as.user.len != 0 ? log_text("%.*s", (int)c->as.user.len, c->as.user.ptr) : NULL;
}

static void log_unauthorized(const struct client *c, const char *event, const char *why) {
    char address[64];
    struct clients *all = clients_of(c);
    uint64_t now = client_now(c);
    if (!log_enabled(LOG_INFO) || !bucket_has(&all->refused, now, SECOND_MS / LINES, SECOND_MS))
        return;
    bucket_take(&all->refused, now, SECOND_MS / LINES);
    c->as.ops->address(&c->as, address, sizeof address);
    log_write(LOG_INFO, "unauthorized", "addr", address, "door", c->as.ops->name, "user",
              user_of(c), "name", event, "why", why, NULL);
}

void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure) {
    metric_error(clients_of(c)->metrics, failure->err);
    if (failure->err == ERR_UNAUTHORIZED)
        log_unauthorized(c, event, failure->message);
    LOG(LOG_DEBUG, "event_failed", "user", user_of(c), "name", event, "code",
        err_code(failure->err), "field", failure->field, NULL);
    if (!c->as.gone)
        client_door(c)->fail(c, ack, event, failure);
}

struct backlog *client_backlog(struct client *c) {
    if (c->backlog == NULL)
        c->backlog = calloc(1, sizeof *c->backlog);
    return c->backlog;
}

size_t client_held(const struct client *c) {
    size_t chunks = c->chunks != NULL ? c->chunks->bytes : 0;
    return chunks + (c->backlog != NULL ? waiting_size(&c->backlog->waiting) : 0);
}

void client_deinit(struct client *c) {
    free(c->backlog);
    c->backlog = NULL;
    free((char *)c->as.user.ptr);
    free(c->presence.profile);
    identity_unref(c->identity);
    c->identity = NULL;
    c->as.user = (struct slice){NULL, 0};
    c->presence.profile = NULL;
}
