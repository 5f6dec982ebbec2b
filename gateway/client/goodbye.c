#include "gateway/client/goodbye.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/random.h"
#include "gateway/client/describe.h"
#include "gateway/presence/user_lease.h"

#define TAKEN_AT_ONCE "16"
#define TELLING_MOST  32
#define TAKEN_MS      "30000" /* nobody else takes them for so long */
#define RETRY_MS      UINT64_C(1000)
#define RETRY_MOST_MS UINT64_C(60000)
#define TOLD_FOR_MS   DAYS(1)

/* What Redis knows of one connection. */
struct goodbye {
    struct list link; /* in goodbyes.changed, ending or late */
    struct goodbyes *all;
    struct client *client; /* once it is gone: a reference; NULL: its text is whole */
    struct lease *lease;
    struct buf rooms; /* as they were when it went */
    struct buf text;  /* "<id> <JSON>" */
    uint64_t delay;
    char socket[CLIENT_ID_SIZE];
    char id[HOOK_ID_SIZE];
    bool busy;  /* a script is under way */
    bool again; /* it has changed since that was sent */
    bool ends;
};

static bool is_on(const struct clients *all) {
    return all->options->disconnect_hook[0] != '\0';
}

static uint64_t now_of(const struct goodbyes *all) {
    return leases_now(all->clients->leases);
}

static void move_to(struct list *list, struct goodbye *g) {
    list_remove(&g->link);
    list_push(list, &g->link);
}

static void goodbye_free(struct goodbye *g) {
    struct client *c = g->client;
    if (c != NULL && c->goodbye == g)
        c->goodbye = NULL;
    list_remove(&g->link);
    buf_deinit(&g->rooms);
    buf_deinit(&g->text);
    bool held = g->ends && c != NULL;
    free(g);
    if (held)
        client_unref(c);
}

/* --- what is told ---------------------------------------------------------------------------
 */

static const char *reason_of(const struct client *c) {
#define REASON(symbol, reason, at_once) reason,
    static const char *const reasons[] = {CLIENT_END_TABLE(REASON)};
#undef REASON
    return reasons[c->end];
}

static bool ends_at_once(const struct client *c) {
#define AT_ONCE(symbol, reason, at_once) at_once,
    static const bool at_once[] = {CLIENT_END_TABLE(AT_ONCE)};
#undef AT_ONCE
    return at_once[c->end];
}

/* (The id of a recovered socket is known only in the end of the turn in which it logs in.) */
static void put_text(struct goodbye *g, const struct client *c) {
    char id[CLIENT_ID_SIZE];
    struct slice socket = subscriber_socket(&c->as, id);
    snprintf(g->socket, sizeof g->socket, "%.*s", (int)socket.len, socket.ptr);
    buf_clear(&g->text);
    buf_printf(&g->text, "%s ", g->id);
    if (g->ends) {
        client_describe_in(&g->text, c, buf_bytes(&g->rooms));
        buf_printf(&g->text, ",\"reason\":\"%s\"", reason_of(c));
    } else {
        client_describe(&g->text, c);
    }
}

static void make_id(struct goodbye *g) {
    snprintf(g->id, sizeof g->id, "%016llx%016llx", (unsigned long long)random_u64(),
             (unsigned long long)random_u64());
}

/* --- to Redis -------------------------------------------------------------------------------
 */

static bool write_to(struct goodbye *g, const char *what, redis_done done) {
    char key[NODE_KEY_SIZE], delay[DIGITS_SIZE];
    struct slice node = node_key(g->lease->incarnation, key);
    struct slice args[] = {slice_of(what), slice_of(g->lease->incarnation), slice_of(g->socket),
                           buf_bytes(&g->text), slice_digits(g->delay, delay)};
    g->busy = !g->text.failed &&
              redis_script(g->lease->redis, SCRIPT_bye, &node, 1, args, 5, done, g);
    return g->busy;
}

static void on_noted(void *arg, const struct reply *reply, enum outcome outcome) {
    struct goodbye *g = arg;
    (void)outcome;
    g->busy = false;
    if (g->all->closed)
        goodbye_free(g);
    else if (g->ends)
        return; /* it is in `ending` */
    else if (reply == NULL)
        move_to(&g->all->late, g);
    else if (g->again) /* (of a reaped incarnation it is noted when it is registered again) */
        move_to(&g->all->changed, g);
}

static void note(struct goodbye *g) {
    list_remove(&g->link);
    g->again = false;
    put_text(g, g->client);
    if (!write_to(g, "note", on_noted))
        move_to(&g->all->late, g);
}

static void on_ended(void *arg, const struct reply *reply, enum outcome outcome) {
    struct goodbye *g = arg;
    struct goodbyes *all = g->all;
    (void)outcome;
    g->busy = false;
    if (reply == NULL && !all->closed) {
        move_to(&all->late, g);
        return;
    }
    uint64_t *next = &all->next[g->lease->redis->index], due = now_of(all) + g->delay;
    if (due < *next)
        *next = due;
    goodbye_free(g);
}

static bool is_busy(const struct client *c) {
    return c->current != NULL || (c->backlog != NULL && !list_empty(&c->backlog->flying));
}

/* Its last request may be under way, which the back end is to hear of first. */
static void end(struct goodbye *g) {
    struct client *c = g->client;
    if (g->busy || (c != NULL && is_busy(c)))
        return;
    if (c != NULL) {
        put_text(g, c);
        g->client = NULL;
        client_unref(c);
    }
    list_remove(&g->link);
    if (!write_to(g, "end", on_ended))
        move_to(&g->all->late, g);
}

void goodbyes_flush(struct goodbyes *all) {
    while (!list_empty(&all->changed))
        note(container_of(all->changed.next, struct goodbye, link));
    for (struct list *at = all->ending.next, *next; at != &all->ending; at = next) {
        next = at->next;
        end(container_of(at, struct goodbye, link));
    }
}

void goodbyes_again(struct goodbyes *all) {
    while (!list_empty(&all->late)) {
        struct goodbye *g = container_of(all->late.next, struct goodbye, link);
        move_to(g->ends ? &all->ending : &all->changed, g);
    }
}

/* --- connections ----------------------------------------------------------------------------
 */

static struct goodbye *make(struct client *c) {
    struct clients *all = clients_of(c);
    struct goodbye *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL; /* it is made with the next change */
    g->all = all->goodbyes;
    g->client = c;
    g->lease = lease_of_user(all->leases, client_user(c));
    list_init(&g->link);
    make_id(g);
    c->goodbye = g;
    return g;
}

void goodbye_changed(struct client *c) {
    const struct clients *all = clients_of(c);
    if (!is_on(all) || all->goodbyes == NULL || c->as.gone || !c->as.logged_in ||
        !c->presence.in)
        return;
    struct goodbye *g = c->goodbye != NULL ? c->goodbye : make(c);
    if (g != NULL && g->busy)
        g->again = true;
    else if (g != NULL)
        move_to(&g->all->changed, g);
}

/* Under a new incarnation it has a new id: the end of the former one may have been told. */
void goodbye_registered(struct client *c) {
    if (c->goodbye != NULL)
        make_id(c->goodbye);
    goodbye_changed(c);
}

void goodbye_gone(struct client *c) {
    struct goodbye *g = c->goodbye;
    if (g == NULL)
        return;
    c->goodbye = NULL;
    g->ends = true;
    g->delay = ends_at_once(c) ? 0 : clients_of(c)->options->disconnect_linger;
    client_put_rooms(&g->rooms, c);
    client_ref(c);
    move_to(&g->all->ending, g);
}

/* --- to the back end ------------------------------------------------------------------------
 */

struct telling {
    struct hook_call call;
    struct goodbyes *all;
    struct partition *redis;
    uint64_t since; /* when it ended, in ms since 1970 */
    char socket[CLIENT_ID_SIZE];
};

static void answer_byes(struct telling *t, const char *what, uint64_t delay) {
    char digits[DIGITS_SIZE];
    struct slice args[] = {slice_of(what), slice_of(t->socket), slice_of(t->call.id),
                           slice_digits(delay, digits)};
    redis_script(t->redis, SCRIPT_byes, NULL, 0, args, 4, NULL, NULL);
}

/* In ms since 1970, as `since`: clocks of machines may differ, so it is a guess. */
static uint64_t age_of(const struct telling *t) {
    uv_timeval64_t now = {.tv_sec = 0};
    uv_gettimeofday(&now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000;
    return ms > t->since ? ms - t->since : 0;
}

/* The pauses grow with the time that it has waited. */
static void try_again(struct telling *t) {
    uint64_t age = age_of(t);
    uint64_t delay = age < RETRY_MS ? RETRY_MS : age > RETRY_MOST_MS ? RETRY_MOST_MS : age;
    if (age < TOLD_FOR_MS) {
        answer_byes(t, "again", delay);
        return;
    }
    LOG(LOG_WARN, "goodbye_lost", "socket", t->socket, "id", t->call.id, "why",
        "the back end has not answered for a day", NULL);
    answer_byes(t, "done", 0);
}

static void over(struct telling *t, bool good) {
    t->all->telling--;
    if (good)
        answer_byes(t, "done", 0);
    else
        try_again(t);
    free(t);
}

/* What it emits is emitted again under the same id. */
static void on_applied(void *arg, enum err err, enum outcome outcome) {
    (void)outcome;
    over(arg, err != ERR_UNAVAILABLE);
}

static void on_told(struct hook_call *call, enum hook_result result,
                    const struct hook_answer *answer) {
    struct telling *t = container_of(call, struct telling, call);
    struct goodbyes *all = t->all;
    if (result == HOOK_DONE && !all->closed && all->on_answer != NULL)
        all->on_answer(all->owner, slice_of(t->socket), slice_of(call->id), answer->body,
                       on_applied, t);
    else
        over(t, result == HOOK_DONE || result == HOOK_ERROR);
}

/* Whose turn it takes. */
static struct slice user_in(const struct buf *body, char out[NAME_MAX_LEN]) {
    static const char *const names[] = {"user"};
    struct json_value whole, user = {.type = JSON_NONE};
    struct buf text;
    buf_init(&text);
    buf_slice(&text, buf_bytes(body));
    buf_char(&text, '}');
    if (!text.failed && json_parse(buf_bytes(&text), &whole) == JSON_OK)
        json_fields(whole, names, &user, 1);
    ptrdiff_t len = json_decode(user, out, NAME_MAX_LEN);
    buf_deinit(&text);
    return (struct slice){out, len > 0 ? (size_t)len : 0};
}

/* text: "<id> <since> <members>". */
static void tell(struct goodbyes *all, struct partition *p, struct slice socket,
                 struct slice text) {
    const struct options *o = all->clients->options;
    char id[HOOK_ID_SIZE], user[NAME_MAX_LEN];
    struct slice first = slice_cut(&text, ' '), since = slice_cut(&text, ' ');
    struct telling *t = calloc(1, sizeof *t);
    if (t == NULL || socket.len >= sizeof t->socket || first.len >= sizeof id) {
        free(t);
        return; /* it is taken again later */
    }
    t->all = all;
    t->redis = p;
    memcpy(t->socket, socket.ptr, socket.len);
    snprintf(id, sizeof id, "%.*s", (int)first.len, first.ptr);
    slice_number(since, UINT64_MAX / 2, &t->since);
    hook_open(&t->call, HOOK_DISCONNECT, id, t->since);
    buf_slice(&t->call.body, text);
    struct hook_ask ask = {.url = slice_of(o->disconnect_hook),
                           .user = user_in(&t->call.body, user),
                           .done = on_told};
    all->telling++;
    hooks_begin(all->clients->hooks, &t->call, &ask);
}

struct taking {
    struct goodbyes *all;
    struct partition *redis;
};

static void on_taken(void *arg, const struct reply *reply, enum outcome outcome) {
    struct taking *taking = arg;
    struct goodbyes *all = taking->all;
    struct partition *p = taking->redis;
    size_t count = 0;
    (void)outcome;
    free(taking);
    all->asked[p->index] = false;
    for (size_t i = 1; reply != NULL && !all->closed && i + 1 < reply->count; i += 2, count++)
        tell(all, p, reply_text(reply_item(reply, i)), reply_text(reply_item(reply, i + 1)));
    if (count > 0)
        all->next[p->index] = now_of(all); /* there may be more */
}

static void take(struct goodbyes *all, unsigned index) {
    struct partition *p = redis_at(all->clients->redis, index);
    struct slice args[] = {SLICE("take"), SLICE(TAKEN_AT_ONCE), SLICE(TAKEN_MS)};
    struct taking *taking = malloc(sizeof *taking);
    if (taking == NULL)
        return;
    *taking = (struct taking){.all = all, .redis = p};
    all->asked[index] = redis_script(p, SCRIPT_byes, NULL, 0, args, 3, on_taken, taking);
    if (!all->asked[index])
        free(taking);
}

void goodbyes_tick(struct goodbyes *all, uint64_t now) {
    for (unsigned i = 0; is_on(all->clients) && i < all->clients->redis->count; i++) {
        if (all->asked[i] || now < all->next[i] || all->telling >= TELLING_MOST)
            continue;
        all->next[i] = now + all->clients->options->lease_interval;
        take(all, i);
    }
}

/* --- life -----------------------------------------------------------------------------------
 */

void goodbyes_init(struct goodbyes *all, struct clients *clients) {
    *all = (struct goodbyes){.clients = clients};
    list_init(&all->changed);
    list_init(&all->ending);
    list_init(&all->late);
    clients->goodbyes = all;
}

static void free_all(struct list *list) {
    while (!list_empty(list)) {
        struct goodbye *g = container_of(list_pop(list), struct goodbye, link);
        if (!g->busy) /* else it is freed with its answer */
            goodbye_free(g);
    }
}

void goodbyes_close(struct goodbyes *all) {
    goodbyes_flush(all);
    all->closed = true;
    free_all(&all->changed);
    free_all(&all->ending);
    free_all(&all->late);
}
