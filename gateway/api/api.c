#include "gateway/api/api.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/json.h"
#include "common/name.h"
#include "common/percent.h"
#include "common/utf8.h"

#define JSON         "application/json"
#define KEPT_MS      1000 /* a view of the cluster */
#define SEARCH_MOST  "100"
#define SEARCH_STEPS "12" /* of 250 users each, 2 ms of Redis in all */
#define CURSOR_MOST  "18446744073709551615"
#define CURSOR_SIZE  (sizeof CURSOR_MOST - 1)

bool api_is_on(const struct api *api) {
    return api->options->admin_token[0] != '\0';
}

/* --- refusals -------------------------------------------------------------------------------
 */

#define REFUSAL_TABLE(X)                                                                       \
    X(BAD_FIELD, 400, "bad_field", "has a wrong value")                                        \
    X(UNAUTHORIZED, 401, "unauthorized", "the admin token is wanted: Authorization: Bearer")   \
    X(NOT_FOUND, 404, "not_found", "nothing is here")                                          \
    X(BAD_METHOD, 405, "bad_method", "this path is only read")                                 \
    X(UNAVAILABLE, 503, "unavailable", "Redis cannot be reached or refuses")

#define REFUSAL_ENUM(symbol, status, code, message) REFUSAL_##symbol,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUM) REFUSAL_COUNT };
#undef REFUSAL_ENUM

struct answer {
    int status;
    const char *extra;
    char body[200];
};

static void refusal_make(struct answer *a, enum refusal why, const char *field) {
#define REFUSAL_ROW(symbol, status, code, message) {status, code, message},
    static const struct {
        int status;
        const char *code;
        const char *message;
    } rows[] = {REFUSAL_TABLE(REFUSAL_ROW)};
#undef REFUSAL_ROW
    a->status = rows[why].status;
    a->extra = why == REFUSAL_UNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n"
               : why == REFUSAL_BAD_METHOD ? "Allow: GET, HEAD\r\n"
                                           : NULL;
    snprintf(a->body, sizeof a->body,
             "{\"error\":{\"code\":\"%s\",\"message\":\"%s%s%s\"%s%s%s}}\n", rows[why].code,
             field != NULL ? field : "", field != NULL ? " " : "", rows[why].message,
             field != NULL ? ",\"field\":\"" : "", field != NULL ? field : "",
             field != NULL ? "\"" : "");
}

static void refuse(const struct http_request *request, enum refusal why, const char *field) {
    struct answer a;
    refusal_make(&a, why, field);
    http_answer(request, a.status, JSON, slice_of(a.body), a.extra);
}

/* --- requests that wait for Redis -----------------------------------------------------------
 */

struct ask {
    struct http_later later;
    struct list link; /* in api->waiting */
    struct name user;
};

static void ask_refuse(struct ask *ask, enum refusal why) {
    struct answer a;
    refusal_make(&a, why, NULL);
    http_answer_later(&ask->later, a.status, JSON, slice_of(a.body), a.extra);
}

static void ask_answer(struct ask *ask, const struct buf *body) {
    if (body->failed || body->len == 0)
        ask_refuse(ask, REFUSAL_UNAVAILABLE);
    else
        http_answer_later(&ask->later, 200, JSON, buf_bytes(body),
                          "Cache-Control: no-store\r\n");
}

/* Redis has not answered in time. The ask stays until it has, or the link falls. */
static void on_late(struct http_later *later) {
    ask_refuse(container_of(later, struct ask, later), REFUSAL_UNAVAILABLE);
}

static struct ask *ask_make(void) {
    struct ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL)
        return NULL;
    ask->later.late = on_late;
    list_init(&ask->link);
    return ask;
}

/* sent: done will be called with the ask. Else it ends here. */
static void ask_begun(struct api *api, const struct http_request *request, struct ask *ask,
                      bool sent) {
    if (sent) {
        http_defer(request, &ask->later, api->options->redis_timeout);
        return;
    }
    free(ask);
    refuse(request, REFUSAL_UNAVAILABLE, NULL);
}

/* --- the cluster ----------------------------------------------------------------------------
 */

static void on_cluster(void *arg, const struct reply *reply, enum outcome outcome) {
    struct api *api = arg;
    struct cluster_view view = {.node = api->node,
                                .incarnation = api->incarnation,
                                .lease_timeout_ms = api->options->lease_timeout,
                                .latency_us = (uv_hrtime() - api->cluster_ask) / 1000};
    (void)outcome;
    api->reading = false;
    buf_clear(&api->cluster);
    if (reply != NULL)
        api_put_cluster(&api->cluster, &view, reply);
    api->cluster_at = uv_now(api->loop);
    for (struct list *at = api->waiting.next, *next; at != &api->waiting; at = next) {
        struct ask *ask = container_of(at, struct ask, link);
        next = at->next;
        ask_answer(ask, &api->cluster);
        free(ask);
    }
    list_init(&api->waiting);
    if (api->cluster.failed)
        buf_clear(&api->cluster);
}

static bool cluster_read(struct api *api) {
    static const struct slice args[] = {{"50", 2}, {"100", 3}}; /* rooms, users */
    if (!api->reading) {
        api->cluster_ask = uv_hrtime();
        api->reading =
            redis_script(api->redis, SCRIPT_cluster, NULL, 0, args, 2, on_cluster, api);
    }
    return api->reading;
}

static void get_cluster(struct api *api, const struct http_request *request,
                        struct slice rest) {
    (void)rest;
    if (api->cluster.len > 0 && uv_now(api->loop) - api->cluster_at < KEPT_MS) {
        http_answer(request, 200, JSON, buf_bytes(&api->cluster),
                    "Cache-Control: no-store\r\n");
        return;
    }
    struct ask *ask = ask_make();
    bool sent = ask != NULL && cluster_read(api);
    if (sent)
        list_push(&api->waiting, &ask->link);
    ask_begun(api, request, ask, sent);
}

/* --- users ----------------------------------------------------------------------------------
 */

static void on_online(void *arg, const struct reply *reply, enum outcome outcome) {
    struct ask *ask = arg;
    struct buf body;
    (void)outcome;
    buf_init(&body);
    if (reply != NULL)
        api_put_online(&body, reply);
    ask_answer(ask, &body);
    buf_deinit(&body);
    free(ask);
}

/* A parameter of the query, decoded. -1: it is not there; -2: it is wrong, or longer. */
static ptrdiff_t query_get(struct slice query, const char *name, char *out, size_t cap) {
    size_t len = strlen(name);
    const char *end = slice_end(query);
    for (const char *at = query.ptr; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        if ((size_t)(stop - at) > len && at[len] == '=' && memcmp(at, name, len) == 0) {
            struct slice value = {at + len + 1, (size_t)(stop - at) - len - 1};
            ptrdiff_t n = percent_decode(value, out, cap);
            return n < 0 ? -2 : n;
        }
        at = stop + 1;
    }
    return -1;
}

/* `*text*`, with the text's own wildcards escaped. */
static size_t glob_of(struct slice text, char out[2 * NAME_MAX_LEN + 2]) {
    size_t n = 0;
    out[n++] = '*';
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("*?[]\\", text.ptr[i]) != NULL)
            out[n++] = '\\';
        out[n++] = text.ptr[i];
    }
    if (text.len > 0)
        out[n++] = '*';
    return n;
}

static bool is_text(struct slice s) {
    return utf8_valid(s) && (s.len == 0 || memchr(s.ptr, '\0', s.len) == NULL);
}

static bool is_cursor(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return len > 0 && (len < CURSOR_SIZE || memcmp(text, CURSOR_MOST, CURSOR_SIZE) <= 0);
}

static void get_online(struct api *api, const struct http_request *request, struct slice rest) {
    char text[NAME_MAX_LEN];
    char cursor[CURSOR_SIZE];
    char glob[2 * NAME_MAX_LEN + 2];
    (void)rest;
    ptrdiff_t len = query_get(request->query, "search", text, sizeof text);
    ptrdiff_t digits = query_get(request->query, "cursor", cursor, sizeof cursor);
    struct slice search = {text, len > 0 ? (size_t)len : 0};
    struct slice from = digits == -1 ? SLICE("0") : (struct slice){cursor, (size_t)digits};
    if (len == -2 || !is_text(search)) {
        refuse(request, REFUSAL_BAD_FIELD, "search");
        return;
    }
    if (digits == -2 || !is_cursor(from.ptr, from.len)) {
        refuse(request, REFUSAL_BAD_FIELD, "cursor");
        return;
    }
    struct slice args[] = {
        search, {glob, glob_of(search, glob)}, from, SLICE(SEARCH_MOST), SLICE(SEARCH_STEPS)};
    struct ask *ask = ask_make();
    ask_begun(api, request, ask,
              ask != NULL &&
                  redis_script(api->redis, SCRIPT_search, NULL, 0, args, 5, on_online, ask));
}

static void on_user(void *arg, const struct reply *reply, enum outcome outcome) {
    struct ask *ask = arg;
    struct buf body;
    (void)outcome;
    buf_init(&body);
    if (reply != NULL && reply_number(reply_item(reply, 0)) != 0) {
        ask_refuse(ask, REFUSAL_NOT_FOUND);
    } else {
        if (reply != NULL)
            api_put_user(&body, name_slice(&ask->user), reply);
        ask_answer(ask, &body);
    }
    buf_deinit(&body);
    free(ask);
}

static void get_user(struct api *api, const struct http_request *request, struct slice rest) {
    char id[NAME_MAX_LEN];
    char key[NAME_MAX_LEN + 8];
    ptrdiff_t len = percent_decode(rest, id, sizeof id);
    struct slice user = {id, len > 0 ? (size_t)len : 0};
    if (!name_valid_user(user)) {
        refuse(request, REFUSAL_BAD_FIELD, "id");
        return;
    }
    int size = snprintf(key, sizeof key, "user:%.*s", (int)user.len, user.ptr);
    struct slice name = {key, (size_t)size};
    struct ask *ask = ask_make();
    if (ask != NULL)
        name_set(&ask->user, user);
    ask_begun(api, request, ask,
              ask != NULL &&
                  redis_script(api->redis, SCRIPT_user, &name, 1, NULL, 0, on_user, ask));
}

/* --- who may ask what -----------------------------------------------------------------------
 */

static bool is_admin(const struct api *api, const struct http_request *request) {
    const char *given = http_header(request, "authorization");
    const char *token = api->options->admin_token;
    size_t len = strlen(token);
    if (given == NULL || strncasecmp(given, "bearer ", 7) != 0)
        return false;
    given += 7 + strspn(given + 7, " ");
    return strlen(given) == len && CRYPTO_memcmp(given, token, len) == 0;
}

struct call {
    const char *path; /* one that ends with a slash: whatever follows it, too */
    void (*get)(struct api *api, const struct http_request *request, struct slice rest);
};

static const struct call calls[] = {
    {"/api/v1/cluster", get_cluster},
    {"/api/v1/online", get_online},
    {"/api/v1/users/", get_user},
};

static const struct call *call_find(struct slice path, struct slice *rest) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct slice head = slice_of(calls[i].path);
        bool open = head.ptr[head.len - 1] == '/';
        if (!slice_starts(path, head) || (path.len > head.len) != open)
            continue;
        *rest = (struct slice){path.ptr + head.len, path.len - head.len};
        return &calls[i];
    }
    return NULL;
}

void api_route(struct api *api, const struct http_request *request) {
    struct slice rest;
    const struct call *call = api_is_on(api) ? call_find(request->path, &rest) : NULL;
    if (call == NULL)
        refuse(request, REFUSAL_NOT_FOUND, NULL);
    else if (!slice_is(request->method, "GET") && !slice_is(request->method, "HEAD"))
        refuse(request, REFUSAL_BAD_METHOD, NULL);
    else if (!is_admin(api, request))
        refuse(request, REFUSAL_UNAUTHORIZED, NULL);
    else if (!redis_up(api->redis))
        refuse(request, REFUSAL_UNAVAILABLE, NULL);
    else
        call->get(api, request, rest);
}

void api_init(struct api *api) {
    list_init(&api->waiting);
    buf_init(&api->cluster);
}

void api_deinit(struct api *api) {
    buf_deinit(&api->cluster);
}
