#include "gateway/login/ask_again.h"

#include <stdlib.h>

#include "gateway/client/bearer.h"
#include "gateway/login/authenticate.h"
#include "gateway/login/connect_ask.h"

struct asking_again {
    struct connect_ask ask;
    struct client *client; /* a reference */
};

static void end(struct client *c, const struct failure *failure) {
    struct ack none = {.len = 0};
    client_fail(c, &none, NULL, failure);
    if (!c->as.gone)
        client_close(c, 4401, "the back end lets it in no longer");
}

/* The rooms that the answer names, and what is emitted, are the business of another login. */
static void go_on(struct client *c, const struct connect_answer *answer) {
    struct ack none = {.len = 0};
    struct json_value data = {JSON_OBJECT, SLICE("{}")};
    authenticate_anew(c, answer->who);
    if (c->as.gone) {
        welcome_free(answer->welcome);
        return;
    }
    if (answer->welcome == NULL)
        return;
    welcome_add(c, answer->welcome);
    client_event_by(c, &clients_of(c)->rows[EVENT_LOGIN], data, &none);
}

static bool is_same(const struct client *c, const struct identity *who) {
    return slice_eq(name_slice(&who->sub), client_user(c));
}

static void on_answered(struct connect_ask *ask, const struct connect_answer *answer) {
    struct asking_again *a = container_of(ask, struct asking_again, ask);
    struct client *c = a->client;
    struct failure other = {.err = ERR_UNAUTHORIZED,
                            .message = "the back end names another user"};
    free(a);
    bearer_asked(c);
    bool is = answer->how == CONNECT_IS;
    if (is && !c->as.gone && is_same(c, answer->who)) {
        go_on(c, answer);
    } else {
        identity_unref(answer->who);
        welcome_free(answer->welcome);
        if (!c->as.gone && answer->how != CONNECT_AWAY)
            end(c, is ? &other : &answer->failure);
    }
    client_unref(c);
}

bool login_ask_again(struct client *c) {
    char socket[CLIENT_ID_SIZE], address[64];
    struct asking_again *a = calloc(1, sizeof *a);
    if (a == NULL)
        return false;
    a->client = c;
    a->ask.done = on_answered;
    client_ref(c);
    struct connect_about about = connect_about_client(c, socket, address);
    about.refresh = true;
    about.former_user = client_user(c);
    about.former_socket = about.socket;
    about.state = slice_of(c->state != NULL ? c->state : "");
    connect_ask(&a->ask, clients_of(c), &about);
    return true;
}
