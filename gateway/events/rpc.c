#include "gateway/events/rpc.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/random.h"
#include "gateway/channel/name.h"
#include "gateway/client/describe.h"
#include "gateway/client/field.h"
#include "gateway/client/goodbye.h"
#include "gateway/client/question.h"
#include "gateway/events/emits.h"
#include "gateway/events/inside.h"
#include "gateway/session/session.h"

#define STATE_MOST 4096

/* What the back end has answered, and how much of it is done. */
enum part { PART_LEAVE, PART_JOIN, PART_EMIT, PART_ACK, PART_STATE, PART_DISCONNECT, PARTS };

struct rpc {
    struct hook_call call;
    struct request *r;
    const struct map_line *line;
    struct buf text; /* the answer */
    struct json_value parts[PARTS];
    struct json_iter rooms; /* those that are still to be left or entered */
    enum part part;
    struct buf channel; /* of the step under way */
};

static bool is_there(struct json_value value) {
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

static void rpc_drop(void *outer) {
    struct rpc *p = outer;
    hook_cancel(&p->call);
    buf_deinit(&p->text);
    buf_deinit(&p->channel);
    free(p);
}

static void fail_unavailable(struct rpc *p, enum outcome outcome) {
    struct failure f = {.err = ERR_UNAVAILABLE,
                        .message = "the back end cannot be reached, or gave no good answer",
                        .outcome = outcome};
    request_fail_with(p->r, &f);
}

/* --- what is answered -----------------------------------------------------------------------
 */

/* The callback gets the line's answer, or the back end's. Frees the request. */
static void tell_ack(struct rpc *p) {
    struct request *r = p->r;
    struct json_value ack = p->parts[PART_ACK];
    if (ack.type == JSON_ARRAY)
        request_ok_args(r, ack.raw);
    else if (ack.type == JSON_NONE)
        request_ok_args(r, SLICE("[]"));
    else
        request_ok(r, ack.raw);
}

static void finish(struct rpc *p) {
    struct client *c = p->r->client;
    struct json_value state = p->parts[PART_STATE];
    bool ends = p->parts[PART_DISCONNECT].type == JSON_TRUE;
    if (state.type != JSON_NONE) {
        free(c->state);
        c->state = is_there(state) ? strndup(state.raw.ptr, state.raw.len) : NULL;
        session_changed(c, NULL);
        goodbye_changed(c);
    }
    client_ref(c);
    tell_ack(p);
    if (ends && !c->as.gone)
        client_close(c, 4403, "disconnected by the application");
    client_unref(c);
}

static void next_step(struct rpc *p);

static void on_emitted(void *arg, enum err err, enum outcome outcome) {
    struct rpc *p = arg;
    struct failure f = {.err = err, .outcome = outcome};
    if (err != ERR_OK)
        request_fail_with(p->r, &f);
    else
        finish(p);
}

static struct emits_from from_of(const struct rpc *p, char socket[CLIENT_ID_SIZE]) {
    struct client *c = p->r->client;
    return (struct emits_from){.clients = clients_of(c),
                               .socket = subscriber_socket(&c->as, socket),
                               .nsp = subscriber_nsp(&c->as),
                               .id = slice_of(p->call.id)};
}

static void on_step(struct request *r, const struct failure *f) {
    struct rpc *p = r->outer;
    struct client *c = r->client;
    struct sub *sub = c->as.gone ? NULL : sub_find(&c->as, buf_bytes(&p->channel));
    r->row = &p->line->row;
    r->trusted = r->alone = false;
    if (f != NULL) {
        request_fail_with(r, f);
        return;
    }
    if (sub != NULL && p->part == PART_JOIN) {
        sub->granted = true; /* while it is in the room, it needs no other right */
        session_changed(c, sub);
    }
    next_step(p);
}

/* Leaves or enters the next room. */
static void go(struct rpc *p, struct json_value room) {
    struct request *r = p->r;
    struct buf text;
    struct json_value data;
    bool join = p->part == PART_JOIN;
    struct name name;
    field_escaped_name(room, &name);
    buf_clear(&p->channel);
    channel_join_name(&p->channel, "room:", name_slice(&name));
    buf_init(&text);
    r->trusted = true;
    r->alone = !join;
    if (!inside_data(&text, name_slice(&name), &data) || p->channel.failed)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else
        request_step(r,
                     event_find(clients_of(r->client), join ? SLICE("join") : SLICE("leave")),
                     data, on_step);
    buf_deinit(&text);
}

/* A client that is gone enters nothing; what is emitted is emitted all the same. */
static void next_step(struct rpc *p) {
    char socket[CLIENT_ID_SIZE];
    while (p->part < PART_EMIT) {
        if (!p->r->client->as.gone && json_iter_next(&p->rooms)) {
            go(p, p->rooms.value);
            return;
        }
        p->part++;
        json_iter_init(&p->rooms, p->parts[p->part]);
    }
    struct emits_from from = from_of(p, socket);
    emits_send(&from, p->parts[PART_EMIT], on_emitted, p);
}

/* --- the answer -----------------------------------------------------------------------------
 */

static const char *check_rooms(struct json_value rooms, const char *wrong) {
    struct json_iter it;
    struct name name;
    unsigned count = 0;
    if (is_there(rooms) && rooms.type != JSON_ARRAY)
        return wrong;
    json_iter_init(&it, rooms);
    while (json_iter_next(&it)) {
        if (count++ == DESCRIBED_ROOMS || !field_escaped_name(it.value, &name))
            return wrong;
    }
    return NULL;
}

/* NULL, or what is wrong with the answer. */
static const char *check(struct rpc *p) {
    static const char *const names[PARTS] = {"leave", "join",  "emit",
                                             "ack",   "state", "disconnect"};
    char socket[CLIENT_ID_SIZE];
    struct json_value whole;
    if (p->text.failed || json_parse(buf_bytes(&p->text), &whole) != JSON_OK)
        return "no memory";
    json_fields(whole, names, p->parts, PARTS);
    struct emits_from from = from_of(p, socket);
    const char *wrong =
        check_rooms(p->parts[PART_LEAVE], "leave is no list of at most 100 rooms");
    if (wrong == NULL)
        wrong = check_rooms(p->parts[PART_JOIN], "join is no list of at most 100 rooms");
    if (wrong == NULL)
        wrong = emits_check(&from, p->parts[PART_EMIT]);
    if (wrong == NULL && p->parts[PART_STATE].raw.len > STATE_MOST)
        wrong = "state is over 4096 bytes";
    return wrong;
}

static void on_error(struct rpc *p, const struct hook_answer *answer) {
    char message[QUESTION_MESSAGE_SIZE];
    struct failure f = question_failure(answer, message);
    request_fail_with(p->r, &f);
}

static void on_done(struct hook_call *call, enum hook_result result,
                    const struct hook_answer *answer) {
    struct rpc *p = container_of(call, struct rpc, call);
    if (result == HOOK_ERROR) {
        on_error(p, answer);
        return;
    }
    if (result != HOOK_DONE) {
        fail_unavailable(p, result == HOOK_REFUSED ? OUTCOME_REFUSED : OUTCOME_UNKNOWN);
        return;
    }
    buf_slice(&p->text, answer->body.raw);
    const char *wrong = check(p);
    if (wrong != NULL) {
        LOG(LOG_WARN, "hook_answer", "url",
            log_text("%.*s", (int)p->line->target.len, p->line->target.ptr), "type", "event",
            "why", wrong, NULL);
        fail_unavailable(p, OUTCOME_UNKNOWN);
        return;
    }
    json_iter_init(&p->rooms, p->parts[PART_LEAVE]);
    next_step(p);
}

/* --- the question ---------------------------------------------------------------------------
 */

bool rpc_id(char out[HOOK_ID_SIZE], struct slice event, struct slice id) {
    unsigned char sha[EVP_MAX_MD_SIZE];
    struct buf text;
    buf_init(&text);
    buf_slice(&text, event);
    buf_char(&text, '\n');
    buf_slice(&text, id);
    if (id.len == 0) {
        buf_u64(&text, random_u64());
        buf_u64(&text, random_u64());
    }
    bool good = !text.failed && EVP_Digest(text.data, text.len, sha, NULL, EVP_sha256(), NULL);
    buf_deinit(&text);
    for (size_t i = 0; good && i < (HOOK_ID_SIZE - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", sha[i]);
    return good;
}

static void put_body(struct buf *out, const struct client *c, struct json_value data) {
    static const char *const names[] = {"event", "args", "bin"};
    struct json_value f[3];
    json_fields(data, names, f, 3);
    client_describe(out, c);
    for (int i = 0; i < 3; i++) {
        if (f[i].type == JSON_NONE)
            continue;
        buf_printf(out, ",\"%s\":", names[i]);
        buf_slice(out, f[i].raw);
    }
}

void rpc_begin(struct request *r, const struct map_line *line, struct json_value data,
               struct slice id) {
    struct client *c = r->client;
    char once[HOOK_ID_SIZE], key[64];
    struct rpc *p = calloc(1, sizeof *p);
    if (p == NULL || !rpc_id(once, slice_of(r->event), id)) {
        free(p);
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    p->r = r;
    p->line = line;
    buf_init(&p->text);
    buf_init(&p->channel);
    r->outer = p;
    r->outer_drop = rpc_drop;
    hook_open(&p->call, HOOK_EVENT, once, 0);
    put_body(&p->call.body, c, data);
    struct hook_ask ask = {.url = line->target,
                           .user = client_turn(c, key),
                           .arrived = r->arrived,
                           .timeout = line->timeout,
                           .done = on_done};
    hooks_begin(clients_of(c)->hooks, &p->call, &ask);
}
