#include "gateway/auth/jwks.h"

#include <assert.h>

#include "common/log.h"
#include "gateway/auth/jwk.h"

static const struct jwks_times usual = {
    .refresh = 600000, .unknown = 30000, .retry = 1000, .retry_most = 30000};

static void state_set(struct jwks *j, enum jwks_state to) {
    static const bool may[][JWKS_CLOSED + 1] = {
        [JWKS_OFF] = {[JWKS_WAITING] = true},
        [JWKS_WAITING] = {[JWKS_FETCHING] = true, [JWKS_CLOSED] = true},
        [JWKS_FETCHING] = {[JWKS_WAITING] = true, [JWKS_CLOSED] = true},
        [JWKS_CLOSED] = {0}};
    assert(may[j->state][to]);
    j->state = to;
}

static void on_due(uv_timer_t *timer);

static void wait_for(struct jwks *j, uint64_t ms) {
    j->due = uv_now(j->loop) + ms;
    uv_timer_start(&j->timer, on_due, ms, 0);
}

/* --- what came ------------------------------------------------------------------------------
 */

/* Returns what is wrong with the document. One that is the same as before changes nothing, so
 * that the log tells of a key that is left out only once. */
static const char *take(struct jwks *j, struct slice document) {
    struct keys fresh;
    if (j->held && slice_eq(document, buf_bytes(&j->document)))
        return NULL;
    keys_init(&fresh);
    const char *wrong = jwk_read(&fresh, document, false);
    if (wrong == NULL) {
        keys_take(&j->keys, &fresh);
        buf_clear(&j->document);
        buf_slice(&j->document, document);
        j->held = true;
        LOG(keys_empty(&j->keys) ? LOG_WARN : LOG_INFO, "jwks_changed", "keys",
            log_text("%u", j->keys.count), NULL);
    }
    keys_deinit(&fresh);
    return wrong;
}

static uint64_t backoff(const struct jwks *j) {
    uint64_t ms = j->times.retry;
    for (unsigned i = 1; i < j->failures && ms < j->times.retry_most; i++)
        ms *= 2;
    return j->held || ms > j->times.retry_most ? j->times.retry_most : ms;
}

static void failed(struct jwks *j, const char *why) {
    j->failures++;
    metric_add(j->metrics, METRIC_JWKS_FAILURES, 1);
    LOG(LOG_WARN, "jwks_failed", "why", why, "means",
        j->held ? "the keys that were there stay" : "tokens of its keys are refused", NULL);
}

static void on_fetched(void *owner, struct slice document, const char *wrong) {
    struct jwks *j = owner;
    if (wrong == NULL)
        wrong = take(j, document);
    if (wrong == NULL)
        j->failures = 0;
    else
        failed(j, wrong);
    state_set(j, JWKS_WAITING);
    wait_for(j, wrong == NULL ? j->times.refresh : backoff(j));
    j->on_news(j->owner);
}

/* --- when -----------------------------------------------------------------------------------
 */

static void begin(struct jwks *j) {
    if (fetch_begin(&j->fetch, j->url, j->ca)) {
        uv_timer_stop(&j->timer);
        state_set(j, JWKS_FETCHING);
        return;
    }
    failed(j, "there is no memory left");
    wait_for(j, backoff(j));
}

static void on_due(uv_timer_t *timer) {
    struct jwks *j = timer->data;
    begin(j);
}

bool jwks_ask(struct jwks *j, uint64_t patience_ms) {
    uint64_t now = uv_now(j->loop);
    if (j->state != JWKS_WAITING)
        return j->state == JWKS_FETCHING;
    if (j->held && j->allowed < j->due) { /* it need not wait until it is due */
        uint64_t wait = j->allowed > now ? j->allowed - now : 0;
        if (wait <= patience_ms) {
            wait_for(j, wait);
            j->allowed = now + wait + j->times.unknown;
        }
    }
    return j->due <= now + patience_ms;
}

/* --- life -----------------------------------------------------------------------------------
 */

const char *jwks_init(struct jwks *j, uv_loop_t *loop, const char *url, const char *ca,
                      struct metrics *metrics, void (*on_news)(void *owner), void *owner) {
    *j = (struct jwks){.url = url,
                       .ca = ca,
                       .times = usual,
                       .loop = loop,
                       .metrics = metrics,
                       .on_news = on_news,
                       .owner = owner};
    keys_init(&j->keys);
    if (url[0] == '\0')
        return NULL;
    const char *wrong = fetch_check_url(url);
    if (wrong == NULL)
        wrong = fetch_init(&j->fetch, loop, on_fetched, j);
    if (wrong != NULL)
        return wrong;
    uv_timer_init(loop, &j->timer);
    j->timer.data = j;
    state_set(j, JWKS_WAITING);
    return NULL;
}

void jwks_open(struct jwks *j) {
    if (j->state == JWKS_WAITING)
        begin(j);
}

void jwks_close(struct jwks *j) {
    if (j->state == JWKS_OFF)
        return;
    state_set(j, JWKS_CLOSED);
    fetch_close(&j->fetch);
    uv_close((uv_handle_t *)&j->timer, NULL);
}

void jwks_deinit(struct jwks *j) {
    keys_deinit(&j->keys);
    buf_deinit(&j->document);
}
