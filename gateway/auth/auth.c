#include "gateway/auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/key_files.h"

/* Each may hold as much as a token. */
#define MOST_WAITING 1000

/* --- from the options -----------------------------------------------------------------------
 */

/* What the options say, before it counts. */
struct material {
    struct keys keys;
    struct grant *grants;
};

static const char *read_material(struct material *m, const struct options *o,
                                 const char **flag) {
    const char *wrong;
    keys_init(&m->keys);
    *flag = "grants";
    m->grants = grant_from_text(o->grants, &wrong);
    return m->grants == NULL ? wrong : key_files_read(&m->keys, o, flag);
}

static void take_material(struct auth *a, struct material *m) {
    keys_take(&a->keys, &m->keys);
    grant_free(a->grants);
    a->grants = m->grants;
    m->grants = NULL;
}

static void drop_material(struct material *m) {
    keys_deinit(&m->keys);
    grant_free(m->grants);
}

static void on_news(void *owner);

static const char *init_jwks(struct auth *a, struct metrics *metrics, const char **flag) {
    const struct options *o = a->options;
    *flag = "jwks-ca";
    if (o->jwks_ca[0] != '\0' && access(o->jwks_ca, R_OK) != 0)
        return "cannot be read";
    *flag = "jwks-url";
    const char *wrong =
        jwks_init(&a->jwks, a->loop, o->jwks_url, o->jwks_ca, metrics, on_news, a);
    if (wrong == NULL && a->jwks.state != JWKS_OFF) {
        uv_timer_init(a->loop, &a->timer);
        a->timer.data = a;
    }
    return wrong;
}

const char *auth_init(struct auth *a, const struct options *options, uv_loop_t *loop,
                      struct metrics *metrics, const char **flag) {
    struct material m;
    *a = (struct auth){.options = options, .loop = loop};
    list_init(&a->waiting);
    keys_init(&a->keys);
    keys_init(&a->jwks.keys);
    const char *wrong = read_material(&m, options, flag);
    if (wrong == NULL)
        take_material(a, &m);
    drop_material(&m);
    return wrong == NULL ? init_jwks(a, metrics, flag) : wrong;
}

const char *auth_reload(struct auth *a, const struct options *fresh, const char **flag) {
    struct material m;
    const char *wrong = read_material(&m, fresh, flag);
    if (wrong == NULL && a->jwks.state == JWKS_OFF && keys_empty(&m.keys) == auth_has_keys(a)) {
        *flag = "jwt-secret";
        wrong = auth_has_keys(a) ? "no key is left; only a restart switches identity off"
                                 : "a key is there now; only a restart switches identity on";
    }
    if (wrong == NULL)
        take_material(a, &m);
    drop_material(&m);
    return wrong;
}

void auth_open(struct auth *a) {
    jwks_open(&a->jwks);
}

void auth_close(struct auth *a) {
    if (a->jwks.state == JWKS_OFF)
        return;
    jwks_close(&a->jwks);
    uv_close((uv_handle_t *)&a->timer, NULL);
}

void auth_deinit(struct auth *a) {
    keys_deinit(&a->keys);
    jwks_deinit(&a->jwks);
    grant_free(a->grants);
}

bool auth_has_keys(const struct auth *a) {
    return !keys_empty(&a->keys) || a->jwks.state != JWKS_OFF;
}

bool auth_on(const struct auth *a) {
    return auth_has_keys(a) || a->options->guests || a->options->connect_hook[0] != '\0';
}

const char *auth_sources(const struct auth *a) {
    const struct options *o = a->options;
    const char *const names[] = {"jwt-secret", "jwt-secret-file", "jwt-keys",
                                 "jwks-url",   "connect-hook",    "guests"};
    const char *const values[] = {o->jwt_secret, o->jwt_secret_file, o->jwt_keys,
                                  o->jwks_url,   o->connect_hook,    o->guests ? "true" : ""};
    char text[96] = "";
    size_t len = 0;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        const char *comma = len > 0 ? "," : "";
        if (values[i][0] != '\0')
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", comma, names[i]);
    }
    return log_text("%s", text);
}

/* --- one token ------------------------------------------------------------------------------
 */

int64_t auth_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *explain(enum keys_answer answer) {
    switch (answer) {
    case KEYS_UNKNOWN:
        return "the token is signed by a key that is not known here";
    case KEYS_UNFIT:
        return "the token's alg does not fit the key";
    case KEYS_WRONG:
        return "the token's signature is wrong";
    case KEYS_GOOD:
        break;
    }
    return NULL;
}

static enum keys_answer try_keys(const struct auth *a, const struct token *t) {
    enum keys_answer own = keys_try(&a->keys, t);
    enum keys_answer theirs = own != KEYS_GOOD ? keys_try(&a->jwks.keys, t) : KEYS_UNKNOWN;
    return own > theirs ? own : theirs;
}

/* May the next set have the key? It has no secrets. */
static bool may_become_known(const struct auth *a, const struct token *t) {
    if (a->jwks.state == JWKS_OFF || algorithm_kind(t->algorithm) == KEY_SECRET)
        return false;
    return !a->jwks.held ||
           (t->has_kid && !keys_know(&a->jwks.keys, t) && !keys_know(&a->keys, t));
}

static struct claims_rules rules_of(const struct auth *a) {
    const struct options *o = a->options;
    return (struct claims_rules){.issuer = o->jwt_issuer,
                                 .audience = o->jwt_audience,
                                 .leeway_ms = (int64_t)o->jwt_leeway,
                                 .guests = o->guests,
                                 .grant = a->grants};
}

static struct identity *read_claims(const struct auth *a, struct slice payload,
                                    const char **why) {
    struct claims_rules rules = rules_of(a);
    return claims_read(payload, &rules, auth_now_ms(), why);
}

/* *later: it may be good with the next set of keys. */
static struct identity *verify(const struct auth *a, struct slice text, const char **why,
                               bool *later) {
    struct token t;
    struct identity *who = NULL;
    *later = false;
    *why = token_read(&t, text);
    if (*why == NULL) {
        *why = explain(try_keys(a, &t));
        *later = *why != NULL && may_become_known(a, &t);
    }
    if (*why == NULL)
        who = read_claims(a, t.payload, why);
    token_deinit(&t);
    return who;
}

/* --- without a token
 * ---------------------------------------------------------------------------------
 */

struct identity *auth_guest(const struct auth *a, struct slice socket) {
    return claims_guest(a->grants, socket);
}

struct identity *auth_answered(const struct auth *a, struct json_value answer,
                               struct slice socket, int64_t iat_ms, const char **why) {
    struct claims_rules rules = rules_of(a);
    return claims_answered(answer, &rules, socket, iat_ms, why);
}

/* --- checks ---------------------------------------------------------------------------------
 */

static struct auth_check *first_of(const struct list *l) {
    return container_of(l->next, struct auth_check, link);
}

static void stop(struct auth_check *check) {
    check->auth->waiting_count--;
    check->auth = NULL;
    list_remove(&check->link);
    buf_deinit(&check->token);
}

static void on_timer(uv_timer_t *timer);

static void watch(struct auth *a) {
    uint64_t now = uv_now(a->loop);
    if (list_empty(&a->waiting)) {
        uv_timer_stop(&a->timer);
        return;
    }
    uint64_t until = first_of(&a->waiting)->until;
    uv_timer_start(&a->timer, on_timer, until > now ? until - now : 0, 0);
}

/* Those that have waited long enough. All wait equally long, so the oldest is the first. */
static void on_timer(uv_timer_t *timer) {
    struct auth *a = timer->data;
    while (!list_empty(&a->waiting) && first_of(&a->waiting)->until <= uv_now(a->loop)) {
        struct auth_check *check = first_of(&a->waiting);
        stop(check);
        check->done(check, NULL, "the keys of the token's issuer could not be fetched");
    }
    watch(a);
}

/* Returns true if the check is worth to wait on. */
static bool try_again(struct auth *a, struct auth_check *check) {
    const char *why;
    bool later;
    uint64_t now = uv_now(a->loop);
    struct identity *who = verify(a, buf_bytes(&check->token), &why, &later);
    if (later && check->until > now && jwks_ask(&a->jwks, check->until - now))
        return true;
    stop(check);
    check->done(check, who, why);
    return false;
}

/* `done` may cancel any other check, and begin one. So those that were there are in lists from
 * which each can take itself out. */
static void on_news(void *owner) {
    struct auth *a = owner;
    struct list before, stay;
    list_init(&before);
    list_init(&stay);
    list_splice(&before, &a->waiting);
    while (!list_empty(&before)) {
        struct auth_check *check = first_of(&before);
        if (!try_again(a, check))
            continue;
        list_remove(&check->link);
        list_push(&stay, &check->link);
    }
    list_splice(&stay, &a->waiting); /* what began meanwhile is younger */
    list_splice(&a->waiting, &stay);
    watch(a);
}

static bool wait_for_news(struct auth *a, struct auth_check *check, struct slice token) {
    if (a->waiting_count >= MOST_WAITING || !jwks_ask(&a->jwks, AUTH_WAIT_MS))
        return false;
    buf_init(&check->token);
    buf_slice(&check->token, token);
    if (check->token.failed)
        return false;
    check->auth = a;
    check->until = uv_now(a->loop) + AUTH_WAIT_MS;
    list_push(&a->waiting, &check->link);
    a->waiting_count++;
    watch(a);
    return true;
}

void auth_check_begin(struct auth *a, struct auth_check *check, struct slice token) {
    const char *why;
    bool later;
    list_init(&check->link);
    check->auth = NULL;
    struct identity *who = verify(a, token, &why, &later);
    if (!later || !wait_for_news(a, check, token))
        check->done(check, who, why);
}

void auth_check_cancel(struct auth_check *check) {
    if (check->auth != NULL)
        stop(check);
}
