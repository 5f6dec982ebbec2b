#include "gateway/client/field.h"
#include "gateway/login/authenticate.h"

/* refresh: goes on with a newer token of the same user, and with its rights. */

static void go_on(struct request *r, struct json_value data, struct identity *who) {
    char text[64];
    (void)data;
    if (who == NULL) { /* identity is off: there is no such event */
        request_fail(r, ERR_UNKNOWN_EVENT, "event", NULL);
        return;
    }
    int len = snprintf(text, sizeof text, "{\"expiresAt\":%lld}", (long long)who->exp_ms);
    authenticate_anew(r->client, who);
    request_ok(r, (struct slice){text, (size_t)len});
}

void on_refresh(struct request *r, struct json_value data) {
    static const char *const names[] = {"token"};
    struct json_value token;
    json_fields(data, names, &token, 1);
    if (!field_object(r, data, "token"))
        return;
    const struct clients *all = clients_of(r->client);
    bool missing = token.type == JSON_NONE || token.type == JSON_NULL;
    if (clients_need_tokens(all) && (missing || !clients_take_tokens(all)))
        request_fail(r, ERR_UNAUTHORIZED, "token", "there is no token");
    else
        authenticate(r, data, token, go_on);
}
