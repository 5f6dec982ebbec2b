#include "gateway/hooks/hooks.h"

#include <assert.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/random.h"
#include "gateway/hooks/signature.h"

#define KEPT_CONNECTIONS 64L
#define KEPT_SECONDS     4L /* a usual server ends an idle connection after 5 s */
#define TARGETS_KEPT     64 /* with more URLs, those that nobody calls are forgotten */
#define TOLD_MS          1000

/* A URL that is called. */
struct hook_target {
    struct map_node node;
    struct circuit circuit;
    struct turns turns;
    struct turns connecting; /* of connect-hook */
    struct bucket told;      /* for the log */
    char url[];
};

/* What there is of a call only while it is under way. */
struct hook_transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct buf answer;
    bool too_long;
    char reason[CURL_ERROR_SIZE];
};

static uint64_t now_of(const struct hooks *h) {
    return uv_now(h->https.loop);
}

static void state_set(struct hook_call *call, enum hook_state to) {
    static const bool may[][HOOK_ENDS + 1] = {
        [HOOK_IDLE] = {0}, /* hook_open makes it anew */
        [HOOK_OPEN] = {[HOOK_IDLE] = true, [HOOK_WAITS] = true, [HOOK_ENDS] = true},
        [HOOK_WAITS] = {[HOOK_IDLE] = true, [HOOK_RUNS] = true, [HOOK_ENDS] = true},
        [HOOK_RUNS] = {[HOOK_IDLE] = true, [HOOK_ENDS] = true},
        [HOOK_ENDS] = {[HOOK_IDLE] = true}};
    assert(may[call->state][to]);
    call->state = to;
}

/* --- URLs -----------------------------------------------------------------------------------
 */

static bool target_is_idle(const struct hook_target *t) {
    return t->turns.running + t->turns.waiting + t->connecting.running +
                   t->connecting.waiting ==
               0 &&
           t->circuit.state == CIRCUIT_CLOSED;
}

static void target_free(struct hooks *h, struct hook_target *t) {
    map_remove(&h->targets, &t->node);
    turns_deinit(&t->turns);
    turns_deinit(&t->connecting);
    free(t);
}

/* URLs come from the configuration, which may be read again and again. */
static void forget_idle(struct hooks *h) {
    struct map_node *node = NULL;
    while (h->targets.count > TARGETS_KEPT && (node = map_next(&h->targets, node)) != NULL) {
        struct hook_target *t = container_of(node, struct hook_target, node);
        if (!target_is_idle(t))
            continue;
        target_free(h, t);
        node = NULL;
    }
}

static struct hook_target *target_make(struct hooks *h, struct slice url) {
    struct hook_target *t = calloc(1, sizeof *t + url.len + 1);
    if (t == NULL)
        return NULL;
    memcpy(t->url, url.ptr, url.len);
    t->node.key = (struct slice){t->url, url.len};
    t->turns = (struct turns){.most_waiting = HOOK_WAITING,
                              .most_running = HOOK_RUNNING,
                              .most_user_waiting = HOOK_USER_WAITING,
                              .most_user_running = HOOK_RUNNING};
    t->connecting = (struct turns){.most_waiting = HOOK_WAITING,
                                   .most_running = HOOK_CONNECT_RUNNING,
                                   .most_user_running = HOOK_ADDRESS_RUNNING};
    turns_init(&t->turns);
    turns_init(&t->connecting);
    if (map_insert(&h->targets, &t->node))
        return t;
    free(t);
    return NULL;
}

static struct hook_target *target_of(struct hooks *h, struct slice url) {
    struct map_node *node = map_find(&h->targets, url);
    if (node != NULL)
        return container_of(node, struct hook_target, node);
    forget_idle(h);
    return target_make(h, url);
}

static struct turns *turns_of(const struct hook_call *call) {
    return call->type == HOOK_CONNECT ? &call->target->connecting : &call->target->turns;
}

unsigned hooks_circuits_open(struct hooks *h) {
    unsigned count = 0;
    for (struct map_node *node = NULL; (node = map_next(&h->targets, node)) != NULL;)
        count += container_of(node, struct hook_target, node)->circuit.state != CIRCUIT_CLOSED;
    return count;
}

/* --- the log --------------------------------------------------------------------------------
 */

/* Without what stands behind a question mark, which may be secret. */
static const char *url_text(const struct hook_target *t) {
    return log_text("%.*s", (int)strcspn(t->url, "?"), t->url);
}

static const char *type_name(enum hook_type type) {
#define NAME(symbol, name) name,
    static const char *const names[] = {HOOK_TABLE(NAME)};
#undef NAME
    return names[type];
}

static const char *end_name(enum hook_end end) {
#define NAME(of, symbol, name) name,
    static const char *const names[] = {HOOK_END_TABLE(NAME, )};
#undef NAME
    return names[end];
}

/* One line a second and URL, or a back end that is away would fill the log. */
static void log_failure(struct hook_call *call, const char *why) {
    struct hook_target *t = call->target;
    uint64_t now = now_of(call->hooks);
    if (t == NULL || call->hooks->closed || call->end == HOOK_END_GOOD ||
        call->end == HOOK_END_ERROR)
        return;
    bool told = !bucket_has(&t->told, now, TOLD_MS, TOLD_MS);
    if (!told)
        bucket_take(&t->told, now, TOLD_MS);
    LOG(told ? LOG_DEBUG : LOG_WARN, "hook_failed", "url", url_text(t), "type",
        type_name(call->type), "result", end_name(call->end), "why", why, "id", call->id, NULL);
}

/* --- ends -----------------------------------------------------------------------------------
 */

static void transfer_free(struct hook_transfer *x) {
    if (x == NULL)
        return;
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    buf_deinit(&x->answer);
    free(x);
}

static void count_end(struct hook_call *call, enum hook_end end) {
    struct metrics *m = call->hooks->metrics;
    metric_add(m, METRIC_HOOK_CALLS + (unsigned)call->type * HOOK_END_COUNT + (unsigned)end, 1);
    if (call->began != 0)
        metric_observe(m, HISTOGRAM_HOOK_CONNECT + (unsigned)call->type,
                       uv_hrtime() / 1000 - call->began);
}

static enum hook_result result_of(enum hook_end end) {
    switch (end) {
    case HOOK_END_GOOD:
        return HOOK_DONE;
    case HOOK_END_ERROR:
        return HOOK_ERROR;
    case HOOK_END_STATUS:
    case HOOK_END_BODY:
    case HOOK_END_CUT:
    case HOOK_END_TIMEOUT:
        return HOOK_UNKNOWN;
    default:
        return HOOK_REFUSED;
    }
}

/* What the circuit takes for a fault. */
static bool is_fault(enum hook_end end, long status) {
    return end == HOOK_END_CONNECT || end == HOOK_END_CUT || end == HOOK_END_TIMEOUT ||
           (status >= 502 && status <= 504);
}

/* It neither waits nor runs any more. Its transfer, if there is one, is the caller's. */
static void let_go(struct hook_call *call) {
    struct hooks *h = call->hooks;
    if (call->turn.user != NULL) {
        h->running -= call->turn.running;
        h->waiting -= !call->turn.running;
        turns_end(turns_of(call), &call->turn);
    }
    list_remove(&call->link);
    wheel_clear(&h->wheel, &call->timer);
    buf_deinit(&call->body);
    buf_deinit(&call->headers);
    call->transfer = NULL;
}

static void on_soon(uv_timer_t *timer);

/* The end of a call that is not told here and now. */
static void end_later(struct hook_call *call, enum hook_end end) {
    struct hooks *h = call->hooks;
    let_go(call);
    call->end = end;
    log_failure(call, NULL);
    call->target = NULL; /* nothing keeps it from here on */
    state_set(call, HOOK_ENDS);
    list_push(&h->ending, &call->link);
    if (!h->closed)
        uv_timer_start(&h->soon, on_soon, 0, 0);
}

static void tell(struct hook_call *call, const struct hook_answer *answer) {
    enum hook_end end = call->end;
    count_end(call, end);
    state_set(call, HOOK_IDLE);
    call->done(call, result_of(end), answer);
}

static void tell_ending(struct hooks *h) {
    struct hook_answer none = {.status = 0};
    struct list now;
    list_init(&now);
    list_splice(&now, &h->ending); /* what `done` adds is for the next time */
    while (!list_empty(&now)) {
        struct hook_call *call = container_of(list_pop(&now), struct hook_call, link);
        list_init(&call->link);
        tell(call, &none);
    }
}

static void on_soon(uv_timer_t *timer) {
    tell_ending(timer->data);
}

/* --- the circuit ----------------------------------------------------------------------------
 */

static void refuse_waiting(struct turns *turns) {
    struct turn *turn;
    while ((turn = turns_waiting(turns)) != NULL)
        end_later(container_of(turn, struct hook_call, turn), HOOK_END_CIRCUIT);
}

static void tell_circuit(struct hook_call *call, bool good) {
    struct hook_target *t = call->target;
    if (!circuit_tell(&t->circuit, now_of(call->hooks), good, call->trial))
        return;
    if (good) {
        LOG(LOG_INFO, "hook_circuit_closed", "url", url_text(t), NULL);
        return;
    }
    metric_add(call->hooks->metrics, METRIC_HOOK_CIRCUIT_OPENS, 1);
    LOG(LOG_WARN, "hook_circuit_open", "url", url_text(t), "means",
        "nothing is sent there for 5 s; what needs it is refused", NULL);
    refuse_waiting(&t->turns);
    refuse_waiting(&t->connecting);
}

/* --- sending --------------------------------------------------------------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t count, void *owner) {
    struct hook_call *call = owner;
    struct hook_transfer *x = call->transfer;
    x->too_long = x->answer.len + size * count > call->most;
    if (!x->too_long)
        buf_append(&x->answer, bytes, size * count);
    return x->too_long || x->answer.failed ? 0 : size * count;
}

static bool add_header(struct hook_transfer *x, const char *line) {
    struct curl_slist *all = curl_slist_append(x->headers, line);
    if (all != NULL)
        x->headers = all;
    return all != NULL;
}

/* A header without a value ends with a semicolon, for libcurl. */
static bool add_passed_on(struct hook_transfer *x, struct slice lines) {
    struct buf line;
    bool good = true;
    buf_init(&line);
    while (good && lines.len > 0) {
        struct slice value = slice_cut(&lines, '\n');
        struct slice name = slice_cut(&value, ':');
        while (value.len > 0 && value.ptr[0] == ' ')
            slice_cut(&value, ' ');
        buf_clear(&line);
        buf_slice(&line, name);
        buf_str(&line, value.len > 0 ? ": " : ";");
        buf_slice(&line, value);
        buf_char(&line, '\0');
        good = !line.failed && add_header(x, line.data);
    }
    buf_deinit(&line);
    return good;
}

static bool add_signature(struct hook_call *call) {
    struct buf line;
    uv_timeval64_t now = {.tv_sec = 0};
    uv_gettimeofday(&now);
    buf_init(&line);
    buf_str(&line, "Sluice-Signature: ");
    size_t empty = line.len;
    bool good = hook_sign(&line, call->hooks->options->hook_secret, (uint64_t)now.tv_sec,
                          buf_bytes(&call->body));
    bool has_secret = line.len > empty;
    buf_char(&line, '\0');
    good = good && !line.failed && (!has_secret || add_header(call->transfer, line.data));
    buf_deinit(&line);
    return good;
}

static bool set_headers(struct hook_call *call) {
    struct hook_transfer *x = call->transfer;
    char id[sizeof "Sluice-Event-Id: " + HOOK_ID_SIZE];
    snprintf(id, sizeof id, "Sluice-Event-Id: %s", call->id);
    return add_header(x, "Content-Type: application/json") &&
           add_header(x, "Accept: application/json") && add_header(x, "Expect:") &&
           add_header(x, id) && add_signature(call) &&
           add_passed_on(x, buf_bytes(&call->headers)) &&
           curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK;
}

static bool set_up(struct hook_call *call) {
    struct hook_transfer *x = call->transfer;
    const struct options *o = call->hooks->options;
    CURL *c = x->easy;
    bool good = https_set_up(c, call->target->url, o->hook_ca, HTTPS_NO_PROXY) &&
                curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body.data) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len) ==
                    CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEDATA, call) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_PRIVATE, call) == CURLE_OK;
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->reason);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, KEPT_SECONDS);
    return good && set_headers(call);
}

static bool transmit(struct hook_call *call) {
    struct hook_transfer *x = calloc(1, sizeof *x);
    if (x == NULL)
        return false;
    buf_init(&x->answer);
    call->transfer = x;
    x->easy = curl_easy_init();
    if (x->easy != NULL && set_up(call) && https_add(&call->hooks->https, x->easy))
        return true;
    call->transfer = NULL;
    transfer_free(x);
    return false;
}

static void run(struct hook_call *call) {
    struct hooks *h = call->hooks;
    h->waiting--;
    h->running++;
    call->trial = circuit_sent(&call->target->circuit);
    if (transmit(call)) {
        call->began = uv_hrtime() / 1000;
        state_set(call, HOOK_RUNS);
        return;
    }
    circuit_forget(&call->target->circuit, call->trial);
    end_later(call, HOOK_END_NO_MEMORY);
}

static void pump(struct hooks *h, struct hook_target *t) {
    struct turn *turn = NULL;
    do {
        if (h->closed || !circuit_lets(&t->circuit, now_of(h)))
            return;
        turn = turns_next(&t->connecting);
        if (turn == NULL)
            turn = turns_next(&t->turns);
        if (turn != NULL)
            run(container_of(turn, struct hook_call, turn));
    } while (turn != NULL);
}

/* --- what came ------------------------------------------------------------------------------
 */

static bool was_sent(const struct hook_transfer *x) {
    long bytes = 0;
    return curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes > 0;
}

static const char *explain(const struct hook_transfer *x, CURLcode code) {
    if (x->too_long)
        return "the answer is too long";
    if (x->answer.failed)
        return "there is no memory left";
    return x->reason[0] != '\0' ? x->reason : curl_easy_strerror(code);
}

static enum hook_end end_of(struct hook_call *call, CURLcode code, struct hook_answer *answer) {
    struct hook_transfer *x = call->transfer;
    long status = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK)
        return hook_answer_read(answer, call->type, status, buf_bytes(&x->answer));
    *answer = (struct hook_answer){.status = status, .why = explain(x, code)};
    if (x->too_long || x->answer.failed)
        return HOOK_END_BODY;
    return was_sent(x) ? HOOK_END_CUT : HOOK_END_CONNECT;
}

/* The transfer is not in the multi any more. */
static void ended(struct hook_call *call, enum hook_end end, const struct hook_answer *answer) {
    struct hooks *h = call->hooks;
    struct hook_target *t = call->target;
    struct hook_transfer *x = call->transfer;
    call->end = end;
    tell_circuit(call, !is_fault(end, answer->status));
    let_go(call);
    pump(h, t);
    log_failure(call, answer->why);
    call->target = NULL;
    tell(call, answer);
    transfer_free(x); /* the answer lies in it */
}

static void on_done(void *owner, CURL *easy, CURLcode code) {
    struct hook_call *call = NULL;
    struct hook_answer answer;
    (void)owner;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
    ended(call, end_of(call, code, &answer), &answer);
}

static void time_is_over(struct hook_call *call) {
    struct hook_answer none = {.status = 0};
    if (call->state == HOOK_WAITS) {
        end_later(call, HOOK_END_WAITED);
        return;
    }
    enum hook_end end = was_sent(call->transfer) ? HOOK_END_TIMEOUT : HOOK_END_CONNECT;
    none.why = end == HOOK_END_TIMEOUT ? "no answer in time" : "not connected in time";
    https_remove(&call->hooks->https, call->transfer->easy);
    ended(call, end, &none);
}

static void on_time(void *arg, struct wheel_timer *timer) {
    (void)arg;
    time_is_over(container_of(timer, struct hook_call, timer));
}

void hooks_tick(struct hooks *h, uint64_t now) {
    wheel_run(&h->wheel, now, on_time, h);
}

/* --- calls ----------------------------------------------------------------------------------
 */

static uint64_t time_ms(void) {
    uv_timeval64_t now = {.tv_sec = 0};
    uv_gettimeofday(&now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000;
}

void hook_open(struct hook_call *call, enum hook_type type, const char *id, uint64_t time) {
    char copy[HOOK_ID_SIZE];
    if (id != NULL)
        snprintf(copy, sizeof copy, "%s", id);
    else
        snprintf(copy, sizeof copy, "%016llx%016llx", (unsigned long long)random_u64(),
                 (unsigned long long)random_u64());
    buf_deinit(&call->body);
    *call = (struct hook_call){.state = HOOK_OPEN, .type = type};
    memcpy(call->id, copy, sizeof call->id);
    list_init(&call->link);
    buf_printf(&call->body, "{\"id\":\"%s\",\"type\":\"%s\",\"time\":%llu", call->id,
               type_name(type), (unsigned long long)(time != 0 ? time : time_ms()));
}

/* Returns how it ends at once, or HOOK_END_GOOD if it waits. */
static enum hook_end admit(struct hooks *h, struct hook_call *call,
                           const struct hook_ask *ask) {
    uint64_t now = now_of(h);
    uint64_t since = ask->arrived != 0 ? ask->arrived : now;
    uint64_t until = since + (ask->timeout != 0 ? ask->timeout : h->options->hook_timeout);
    buf_char(&call->body, '}');
    buf_slice(&call->headers, ask->headers);
    call->target = target_of(h, ask->url);
    if (call->target == NULL || call->body.failed || call->headers.failed)
        return HOOK_END_NO_MEMORY;
    if (!circuit_lets(&call->target->circuit, now))
        return HOOK_END_CIRCUIT;
    if (until <= now)
        return HOOK_END_WAITED;
    if (!turns_add(turns_of(call), &call->turn, ask->user))
        return HOOK_END_FULL;
    wheel_set(&h->wheel, &call->timer, until);
    return HOOK_END_GOOD;
}

void hooks_begin(struct hooks *h, struct hook_call *call, const struct hook_ask *ask) {
    call->hooks = h;
    call->done = ask->done;
    call->most = ask->most != 0 ? ask->most : h->options->hook_answer;
    enum hook_end end = h->closed ? HOOK_END_GIVEN_UP : admit(h, call, ask);
    if (end != HOOK_END_GOOD) {
        end_later(call, end);
        if (h->closed)
            tell_ending(h);
        return;
    }
    state_set(call, HOOK_WAITS);
    list_push(&h->all, &call->link);
    h->waiting++;
    pump(h, call->target);
}

void hook_cancel(struct hook_call *call) {
    struct hook_target *t = call->target;
    struct hook_transfer *x = call->transfer;
    bool runs = call->state == HOOK_RUNS, waits = call->state == HOOK_WAITS;
    if (call->state == HOOK_IDLE)
        return;
    if (call->state == HOOK_OPEN) {
        buf_deinit(&call->body);
        state_set(call, HOOK_IDLE);
        return;
    }
    if (runs) {
        https_remove(&call->hooks->https, x->easy);
        circuit_forget(&t->circuit, call->trial);
    }
    let_go(call);
    transfer_free(x);
    count_end(call, runs || waits ? HOOK_END_GIVEN_UP : call->end);
    call->target = NULL;
    state_set(call, HOOK_IDLE);
    if (runs)
        pump(call->hooks, t);
}

/* --- life -----------------------------------------------------------------------------------
 */

const char *hooks_init(struct hooks *h, uv_loop_t *loop, const struct options *options,
                       struct metrics *metrics) {
    *h = (struct hooks){.options = options, .metrics = metrics};
    const char *wrong = https_init(&h->https, loop, on_done, h);
    if (wrong != NULL)
        return wrong;
    curl_multi_setopt(h->https.multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    map_init(&h->targets);
    list_init(&h->all);
    list_init(&h->ending);
    wheel_init(&h->wheel, uv_now(loop));
    uv_timer_init(loop, &h->soon);
    h->soon.data = h;
    return NULL;
}

static void give_up(struct hook_call *call) {
    struct hook_transfer *x = call->transfer;
    bool sent = x != NULL && was_sent(x);
    if (x != NULL)
        https_remove(&call->hooks->https, x->easy);
    end_later(call, sent ? HOOK_END_CUT : HOOK_END_GIVEN_UP);
    transfer_free(x);
}

void hooks_close(struct hooks *h) {
    h->closed = true;
    while (!list_empty(&h->all))
        give_up(container_of(h->all.next, struct hook_call, link));
    while (!list_empty(&h->ending))
        tell_ending(h);
    https_close(&h->https);
    uv_close((uv_handle_t *)&h->soon, NULL);
}

void hooks_deinit(struct hooks *h) {
    struct map_node *node;
    while ((node = map_next(&h->targets, NULL)) != NULL)
        target_free(h, container_of(node, struct hook_target, node));
    map_deinit(&h->targets);
}
