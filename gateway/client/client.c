#include "gateway/client/client.h"

#include <stdlib.h>

#include "common/log.h"

void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure) {
    metric_error(clients_of(c)->metrics, failure->err);
    LOG(LOG_DEBUG, "event_failed", "user",
        c->as.user.len != 0 ? log_text("%.*s", (int)c->as.user.len, c->as.user.ptr) : NULL,
        "name", event, "code", err_code(failure->err), "field", failure->field, NULL);
    if (!c->as.gone)
        client_door(c)->fail(c, ack, event, failure);
}

void client_bad_frame(struct client *c, enum err err, const struct ack *ack,
                      const char *field) {
    struct failure failure = {.err = err, .field = field};
    client_fail(c, ack, NULL, &failure);
}

struct backlog *client_backlog(struct client *c) {
    if (c->backlog == NULL)
        c->backlog = calloc(1, sizeof *c->backlog);
    return c->backlog;
}

void client_deinit(struct client *c) {
    free(c->backlog);
    c->backlog = NULL;
    free((char *)c->as.user.ptr);
    free(c->presence.profile);
    c->as.user = (struct slice){NULL, 0};
    c->presence.profile = NULL;
}
