#include "gateway/doors/door.h"

#include "common/log.h"
#include "common/ws.h"
#include "gateway/client/request.h"
#include "gateway/login/told.h"

const char *door_failure_text(const struct failure *f) {
    const char *text = f->message != NULL ? f->message : err_message(f->err);
    bool about_field = f->field != NULL && f->err != ERR_FORBIDDEN &&
                       f->err != ERR_UNAUTHORIZED && f->err != ERR_UNKNOWN_EVENT;
    return about_field ? log_text("%s %s", f->field, text) : text;
}

void door_put_failure(struct buf *out, const struct failure *f, const char *event) {
    buf_printf(out,
               "{\"code\":\"%s\",\"message\":", f->code != NULL ? f->code : err_code(f->err));
    json_escape_any(out, slice_of(door_failure_text(f)));
    if (f->data.len != 0) {
        buf_str(out, ",\"data\":");
        buf_slice(out, f->data);
    }
    if (f->field != NULL)
        buf_printf(out, ",\"field\":\"%s\"", f->field);
    if (f->outcome != OUTCOME_NONE)
        buf_printf(out, ",\"outcome\":\"%s\"", err_outcome(f->outcome));
    if (event != NULL)
        buf_printf(out, ",\"event\":\"%s\"", event);
    if (event != NULL && f->message_id.len != 0) {
        buf_str(out, ",\"clientMessageId\":");
        buf_slice(out, f->message_id);
    }
    buf_char(out, '}');
}

bool door_withholds(struct client *c, const struct message *m) {
    static const char *const sent[] = {SENT_EVENTS};
    if (!told_takes(c, m))
        return true;
    if (!c->own_only || m->own || slice_is(m->event, "error") || slice_is(m->event, "message"))
        return false;
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        if (slice_is(m->event, sent[i]))
            return true;
    }
    return false;
}

enum client_end door_end(uint16_t code) {
    if (code >= CLOSE_FOR_GOOD)
        return CLIENT_EXPELLED;
    return code == WS_CODE_RESTART ? CLIENT_RESTART : CLIENT_CUT;
}

void door_count(const struct client *c, const struct message *m, bool encoded, bool sent) {
    struct metrics *metrics = clients_of(c)->metrics;
    enum drop why = m->ephemeral ? DROP_EPHEMERAL : DROP_SLOW;
    if (sent)
        metric_add(metrics, METRIC_DELIVERIES, 1);
    else if (!m->ephemeral || !c->as.gone)
        metric_add(metrics, METRIC_DROPPED + (encoded ? why : DROP_NO_MEMORY), 1);
}
