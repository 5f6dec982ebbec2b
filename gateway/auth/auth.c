#include "gateway/auth/auth.h"

#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "gateway/auth/claims.h"

/* --- from the options -----------------------------------------------------------------------
 */

static const char *add_secret(struct keys *keys, struct slice secret) {
    const char *wrong;
    struct key *k = key_from_secret(secret, &wrong);
    if (k != NULL)
        keys_add(keys, k);
    return wrong;
}

static const char *read_keys(struct keys *keys, const struct options *o, const char **flag) {
    *flag = "jwt-secret";
    return o->jwt_secret[0] != '\0' ? add_secret(keys, slice_of(o->jwt_secret)) : NULL;
}

const char *auth_init(struct auth *a, const struct options *options, uv_loop_t *loop,
                      const char **flag) {
    const char *wrong;
    *a = (struct auth){.options = options, .loop = loop};
    keys_init(&a->keys);
    *flag = "grants";
    a->grants = grant_from_text(options->grants, &wrong);
    return a->grants == NULL ? wrong : read_keys(&a->keys, options, flag);
}

void auth_deinit(struct auth *a) {
    keys_deinit(&a->keys);
    grant_free(a->grants);
}

bool auth_on(const struct auth *a) {
    return !keys_empty(&a->keys);
}

const char *auth_sources(const struct auth *a) {
    return a->options->jwt_secret[0] != '\0' ? "jwt-secret" : "";
}

/* --- checks ---------------------------------------------------------------------------------
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

static struct identity *read_claims(const struct auth *a, struct slice payload,
                                    const char **why) {
    struct claims_rules rules = {.issuer = "",
                                 .audience = "",
                                 .leeway_ms = (int64_t)a->options->jwt_leeway,
                                 .grant = a->grants};
    return claims_read(payload, &rules, auth_now_ms(), why);
}

static struct identity *verify(const struct auth *a, struct slice text, const char **why) {
    struct token t;
    struct identity *who = NULL;
    *why = token_read(&t, text);
    if (*why == NULL)
        *why = explain(keys_try(&a->keys, &t));
    if (*why == NULL)
        who = read_claims(a, t.payload, why);
    token_deinit(&t);
    return who;
}

void auth_check_begin(struct auth *a, struct auth_check *check, struct slice token) {
    const char *why;
    list_init(&check->link);
    struct identity *who = verify(a, token, &why);
    check->done(check, who, why);
}

void auth_check_cancel(struct auth_check *check) {
    if (check->link.next != NULL)
        list_remove(&check->link);
    free(check->token);
    check->token = NULL;
}
