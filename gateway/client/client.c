#include "gateway/client/client.h"

#include <stdlib.h>

#include "common/log.h"

/* Lines that strangers can cause: at most so many a second. */
#define LINES     10
#define SECOND_MS 1000

static const char *user_of(const struct client *c) {
    return c->as.user.len != 0 ? log_text("%.*s", (int)c->as.user.len, c->as.user.ptr) : NULL;
}

/* The next line says how many there was no line for. */
static void log_refused(const struct client *c, const char *event, const struct failure *f) {
    char address[64];
    struct clients *all = clients_of(c);
    uint64_t now = client_now(c);
    if (!log_enabled(LOG_INFO))
        return;
    if (!bucket_has(&all->refused, now, SECOND_MS / LINES, SECOND_MS)) {
        all->refused_untold++;
        return;
    }
    bucket_take(&all->refused, now, SECOND_MS / LINES);
    c->as.ops->address(&c->as, address, sizeof address);
    unsigned untold = all->refused_untold;
    all->refused_untold = 0;
    log_write(LOG_INFO, f->err == ERR_UNAUTHORIZED ? "unauthorized" : "login_refused", "addr",
              address, "door", c->as.ops->name, "user", user_of(c), "name", event, "why",
              f->message != NULL ? f->message : err_message(f->err), "others",
              untold > 0 ? log_text("%u", untold) : NULL, NULL);
}

/* Is it a login that was refused, or a token? */
static bool is_refusal(const struct client *c, const struct failure *f) {
    bool may_not = f->err == ERR_FORBIDDEN || f->err == ERR_TOO_MANY;
    return f->err == ERR_UNAUTHORIZED || (may_not && !c->as.logged_in);
}

void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure) {
    metric_error(clients_of(c)->metrics, failure->err);
    if (is_refusal(c, failure))
        log_refused(c, event, failure);
    LOG(LOG_DEBUG, "event_failed", "user", user_of(c), "name", event, "code",
        err_code(failure->err), "field", failure->field, NULL);
    if (!c->as.gone)
        client_door(c)->fail(c, ack, event, failure);
}

struct backlog *client_backlog(struct client *c) {
    if (c->backlog == NULL && (c->backlog = calloc(1, sizeof *c->backlog)) != NULL) {
        lane_init(&c->backlog->lane);
        list_init(&c->backlog->flying);
        list_init(&c->backlog->apart);
    }
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
    free(c->state);
    c->state = NULL;
    identity_unref(c->identity);
    c->identity = NULL;
    c->as.user = (struct slice){NULL, 0};
    c->presence.profile = NULL;
}
