#include "gateway/token_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"
#include "gateway/auth/auth.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/key_files.h"
#include "gateway/auth/sign.h"
#include "gateway/auth/unique.h"
#include "gateway/words.h"

#define TTL_LEAST 1000ULL
#define TTL_MOST  DAYS(3650)
#define REFUSED   1 /* the exit status for a token that no node would take */
#define USAGE     2 /* the exit status after wrong arguments or options */

/* The flags of this command. */
struct wish {
    const char *user;
    const char *ttl;
    const char *claims;
    uint64_t ttl_ms;
    bool as_json;
};

static int complain(const char *why, int status) {
    fprintf(stderr, "sluice: token: %s\n", why);
    return status;
}

/* --- the command line -----------------------------------------------------------------------
 */

static const char *take_flags(struct wish *w, int *argc, char **argv) {
    const struct words_flag flags[] = {{"--user", &w->user, NULL},
                                       {"--ttl", &w->ttl, NULL},
                                       {"--claims", &w->claims, NULL},
                                       {"--json", NULL, &w->as_json}};
    const char *wrong = words_flags(flags, sizeof flags / sizeof *flags, argc, argv);
    if (wrong != NULL)
        return wrong;
    if (w->user == NULL)
        return "--user is missing (see sluice token --help)";
    bool good = w->ttl == NULL || options_time(w->ttl, &w->ttl_ms);
    return good && w->ttl_ms >= TTL_LEAST && w->ttl_ms <= TTL_MOST
               ? NULL
               : "--ttl must be a time (with s, m, h or d) from 1s to 3650d";
}

/* --- claims ---------------------------------------------------------------------------------
 */

enum { SUB, EXP, IAT, ISS, AUD, COUNT };
static const char *const names[] = {"sub", "exp", "iat", "iss", "aud"};

static const char *read_claims(const char *text, struct json_value *object,
                               struct json_value given[]) {
    struct slice all = slice_of(text);
    if (!utf8_valid(all) || json_parse(all, object) != JSON_OK || object->type != JSON_OBJECT)
        return "--claims must be a JSON object";
    if (!unique_members(*object))
        return "--claims has a member twice";
    json_fields(*object, names, given, COUNT);
    return given[SUB].type == JSON_NONE && given[EXP].type == JSON_NONE
               ? NULL
               : "--claims must not have sub or exp: --user and --ttl say them";
}

static void put_text(struct buf *out, const char *name, const char *text) {
    buf_printf(out, ",\"%s\":", name);
    json_escape(out, slice_of(text));
}

/* In what --claims says, nothing is changed. */
static const char *write_claims(const struct wish *w, const struct options *o, int64_t now_ms,
                                struct buf *out) {
    struct json_value object, given[COUNT];
    struct json_iter it;
    const char *wrong = read_claims(w->claims != NULL ? w->claims : "{}", &object, given);
    if (wrong != NULL)
        return wrong;
    uint64_t now = (uint64_t)now_ms;
    buf_str(out, "{\"sub\":");
    json_escape_any(out, slice_of(w->user));
    if (given[IAT].type == JSON_NONE)
        buf_printf(out, ",\"iat\":%llu", (unsigned long long)(now / 1000));
    uint64_t exp_ms = now / 1000 * 1000 + w->ttl_ms;
    buf_printf(out, ",\"exp\":%llu", (unsigned long long)(exp_ms / 1000));
    if (exp_ms % 1000 != 0)
        buf_printf(out, ".%03u", (unsigned)(exp_ms % 1000));
    if (o->jwt_issuer[0] != '\0' && given[ISS].type == JSON_NONE)
        put_text(out, "iss", o->jwt_issuer);
    if (o->jwt_audience[0] != '\0' && given[AUD].type == JSON_NONE)
        put_text(out, "aud", o->jwt_audience);
    json_iter_init(&it, object);
    while (json_iter_next(&it)) {
        buf_char(out, ',');
        buf_slice(out, it.key);
        buf_char(out, ':');
        buf_slice(out, it.value.raw);
    }
    buf_char(out, '}');
    return NULL;
}

/* --- the token ------------------------------------------------------------------------------
 */

/* Only the secrets are read: a public key signs nothing. */
static const char *read_secret(struct keys *keys, const struct options *o) {
    struct options secrets = *o;
    const char *flag;
    secrets.jwt_keys = "";
    const char *wrong = key_files_read(keys, &secrets, &flag);
    if (wrong != NULL)
        return log_text("%s: %s: %s", options_place(o, flag), flag, wrong);
    return !keys_empty(keys) ? NULL
                             : "no secret is configured: give SLUICE_JWT_SECRET, or "
                               "--jwt-secret-file FILE";
}

/* Reads the token as a node would. */
static const char *check(const struct options *o, struct slice token, int64_t now_ms) {
    const char *wrong;
    struct token t;
    struct claims_rules rules = {.issuer = o->jwt_issuer,
                                 .audience = o->jwt_audience,
                                 .leeway_ms = (int64_t)o->jwt_leeway};
    struct grant *grants = grant_from_text(o->grants, &wrong);
    rules.grant = grants;
    if (grants == NULL)
        return log_text("%s: grants: %s", options_place(o, "grants"), wrong);
    wrong = token_read(&t, token);
    struct identity *who =
        wrong == NULL ? claims_read(t.payload, &rules, now_ms, &wrong) : NULL;
    token_deinit(&t);
    identity_unref(who);
    grant_free(grants);
    return wrong == NULL ? NULL : log_text("a node would refuse such a token: %s", wrong);
}

static const char *seal(const struct options *o, const struct keys *keys,
                        const struct buf *claims, int64_t now_ms, struct buf *token) {
    const struct key *k = container_of(keys->all.next, struct key, link);
    sign_token(buf_bytes(&k->secret), buf_bytes(claims), token);
    return claims->failed || token->failed ? "there is no memory left"
                                           : check(o, buf_bytes(token), now_ms);
}

static int make(const struct wish *w, const struct options *o, struct buf *claims,
                struct buf *token) {
    struct keys keys;
    int64_t now_ms = auth_now_ms();
    int status = USAGE;
    keys_init(&keys);
    const char *wrong = read_secret(&keys, o);
    if (wrong == NULL)
        wrong = write_claims(w, o, now_ms, claims);
    if (wrong == NULL) {
        wrong = seal(o, &keys, claims, now_ms, token);
        status = wrong == NULL ? 0 : REFUSED;
    }
    keys_deinit(&keys);
    return wrong != NULL ? complain(wrong, status) : 0;
}

static bool write_out(const struct wish *w, const struct buf *claims, const struct buf *token) {
    int written = w->as_json ? printf("{\"token\":\"%.*s\",\"claims\":%.*s}\n", (int)token->len,
                                      token->data, (int)claims->len, claims->data)
                             : printf("%.*s\n", (int)token->len, token->data);
    return written >= 0 && fflush(stdout) == 0;
}

static int print(const struct wish *w, const struct options *o) {
    struct buf claims = {0}, token = {0};
    int status = make(w, o, &claims, &token);
    if (status == 0 && !write_out(w, &claims, &token))
        status = complain("standard output cannot be written", REFUSED);
    buf_deinit(&claims);
    buf_deinit(&token);
    return status;
}

int token_command_run(int argc, char **argv) {
    struct wish w = {.ttl_ms = 3600000};
    struct options o;
    const char *wrong = take_flags(&w, &argc, argv);
    if (wrong != NULL)
        return complain(wrong, USAGE);
    int status = USAGE;
    enum options_result result = options_load(&o, argc, argv, stdout, stderr);
    if (result == OPTIONS_RUN)
        status = print(&w, &o);
    else if (result == OPTIONS_HEALTH_CHECK)
        status = complain("--health-check is another command", USAGE);
    else if (result == OPTIONS_EXIT_OK)
        status = 0;
    options_deinit(&o);
    return status;
}
