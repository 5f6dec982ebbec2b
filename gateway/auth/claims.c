#include "gateway/auth/claims.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/log.h"
#include "common/utf8.h"
#include "gateway/auth/unique.h"

#define NO_MEMORY   "there is no memory left to check the token"
#define TIME_MOST   253402300799.0 /* the last second of the year 9999 */
#define NUMBER_SIZE 64

enum { SUB, EXP, NBF, IAT, ISS, AUD, USERNAME, ROLE, GRANTED, COUNT };
static const char *const names[] = {"sub", "exp",      "nbf",  "iat",   "iss",
                                    "aud", "username", "role", "sluice"};

/* --- times ----------------------------------------------------------------------------------
 */

/* Reads seconds since 1970. A number with more digits than make a difference is cut: more than
 * NUMBER_SIZE of them are no time. */
static const char *read_time(const char *name, struct json_value value, int64_t *ms) {
    char text[NUMBER_SIZE];
    if (value.type != JSON_NUMBER)
        return log_text("%s must be a number", name);
    double seconds = INFINITY;
    if (value.raw.len < sizeof text) {
        memcpy(text, value.raw.ptr, value.raw.len);
        text[value.raw.len] = '\0';
        seconds = strtod(text, NULL);
    }
    if (!(fabs(seconds) <= TIME_MOST))
        return log_text("%s must be in seconds since 1970, up to the year 9999", name);
    *ms = (int64_t)llround(seconds * 1000);
    return NULL;
}

static const char *read_times(const struct json_value claims[], struct identity *who,
                              int64_t leeway_ms, int64_t now_ms) {
    int64_t nbf_ms = INT64_MIN;
    const char *wrong = NULL;
    if (claims[EXP].type == JSON_NONE)
        return "the token has no exp";
    wrong = read_time("exp", claims[EXP], &who->exp_ms);
    who->has_iat = claims[IAT].type != JSON_NONE;
    if (wrong == NULL && who->has_iat)
        wrong = read_time("iat", claims[IAT], &who->iat_ms);
    if (wrong == NULL && claims[NBF].type != JSON_NONE)
        wrong = read_time("nbf", claims[NBF], &nbf_ms);
    if (wrong != NULL)
        return wrong;
    who->until_ms = who->exp_ms + leeway_ms;
    if (now_ms >= who->until_ms)
        return "exp is past";
    if (nbf_ms > now_ms + leeway_ms)
        return "nbf is still ahead";
    return who->has_iat && who->iat_ms > now_ms + leeway_ms ? "iat is still ahead" : NULL;
}

/* --- who it is from, who it is for ----------------------------------------------------------
 */

static bool string_is(struct json_value value, const char *text) {
    char decoded[4096]; /* the options have no longer text */
    ptrdiff_t len = json_decode(value, decoded, sizeof decoded);
    return len >= 0 && slice_is((struct slice){decoded, (size_t)len}, text);
}

static const char *check_issuer(struct json_value iss, const char *wanted) {
    if (wanted[0] == '\0')
        return NULL;
    if (iss.type == JSON_NONE)
        return "the token has no iss";
    return string_is(iss, wanted) ? NULL : "iss is not the issuer that is wanted";
}

static const char *check_audience(struct json_value aud, const char *wanted) {
    struct json_iter it;
    if (wanted[0] == '\0')
        return NULL;
    if (aud.type == JSON_NONE)
        return "the token has no aud";
    bool found = string_is(aud, wanted);
    json_iter_init(&it, aud);
    while (!found && aud.type == JSON_ARRAY && json_iter_next(&it))
        found = string_is(it.value, wanted);
    return found ? NULL : "aud does not have the audience that is wanted";
}

/* --- who it is of ---------------------------------------------------------------------------
 */

static const char *read_user(struct json_value sub, bool guests, struct identity *who) {
    if (sub.type == JSON_NONE)
        return "the token has no sub";
    if (!name_from_json(sub, true, &who->sub))
        return "sub must be a user id: a string or integer of 1 to 128 bytes without white "
               "space, colons or braces";
    bool guest = guests && slice_starts(name_slice(&who->sub), SLICE(GUEST_PREFIX));
    return guest ? "sub is the user id of a guest" : NULL;
}

static const char *read_text(const char *name, struct json_value value, struct name *out) {
    if (value.type == JSON_NONE)
        return NULL;
    ptrdiff_t len = json_decode(value, out->bytes, NAME_MAX_LEN);
    if (len <= 0)
        return log_text("%s must be a string of 1 to 128 bytes", name);
    out->len = (unsigned char)len;
    return NULL;
}

/* --- all of them ----------------------------------------------------------------------------
 */

static const char *read_all(struct json_value object, const struct claims_rules *rules,
                            int64_t now_ms, struct identity *who) {
    struct json_value claims[COUNT];
    if (object.type != JSON_OBJECT)
        return "the token's claims are not a JSON object";
    if (!unique_members(object))
        return "the token's claims have a member twice";
    json_fields(object, names, claims, COUNT);
    const char *wrong = read_times(claims, who, rules->leeway_ms, now_ms);
    if (wrong == NULL)
        wrong = check_issuer(claims[ISS], rules->issuer);
    if (wrong == NULL)
        wrong = check_audience(claims[AUD], rules->audience);
    if (wrong == NULL)
        wrong = read_user(claims[SUB], rules->guests, who);
    if (wrong == NULL)
        wrong = read_text("username", claims[USERNAME], &who->username);
    if (wrong == NULL)
        wrong = read_text("role", claims[ROLE], &who->role);
    if (wrong == NULL)
        who->grant = grant_from_claim(claims[GRANTED], rules->grant, &wrong);
    return wrong;
}

static const char *decode(struct slice payload, struct buf *json, struct json_value *object) {
    if (!base64url_decode(payload, json))
        return "the token's claims are not base64url";
    if (json->failed)
        return NO_MEMORY;
    bool good = utf8_valid(buf_bytes(json)) && json_parse(buf_bytes(json), object) == JSON_OK;
    return good ? NULL : "the token's claims are not a JSON object";
}

struct identity *claims_read(struct slice payload, const struct claims_rules *rules,
                             int64_t now_ms, const char **why) {
    struct buf json = {0};
    struct json_value object;
    struct identity *who = calloc(1, sizeof *who);
    *why = who == NULL ? NO_MEMORY : decode(payload, &json, &object);
    if (who != NULL)
        who->refs = 1;
    if (*why == NULL)
        *why = read_all(object, rules, now_ms, who);
    buf_deinit(&json);
    if (*why == NULL)
        return who;
    identity_unref(who);
    return NULL;
}

/* --- without a token ------------------------------------------------------------------------
 */

static struct identity *make_guest(struct slice socket) {
    struct identity *who = calloc(1, sizeof *who);
    if (who == NULL)
        return NULL;
    *who = (struct identity){
        .refs = 1, .kind = IDENTITY_GUEST, .exp_ms = INT64_MAX, .until_ms = INT64_MAX};
    who->sub.len = (unsigned char)snprintf(who->sub.bytes, sizeof who->sub.bytes,
                                           GUEST_PREFIX "%.*s", (int)socket.len, socket.ptr);
    return who;
}

struct identity *claims_guest(const struct grant *grant, struct slice socket) {
    const char *why;
    struct identity *who = make_guest(socket);
    if (who == NULL)
        return NULL;
    who->grant = grant_from_claim((struct json_value){JSON_NONE, {NULL, 0}}, grant, &why);
    if (who->grant != NULL)
        return who;
    identity_unref(who);
    return NULL;
}

static bool is_there(struct json_value value) {
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

enum { A_USER, A_USERNAME, A_ROLE, A_GRANTS, A_EXPIRES, A_DATA, A_COUNT };

static const char *read_said(const struct json_value said[], const struct claims_rules *rules,
                             struct identity *who) {
    static const struct json_value none = {JSON_NONE, {NULL, 0}};
    const char *wrong = NULL;
    if (is_there(said[A_USER])) {
        who->kind = IDENTITY_HOOK;
        if (read_user(said[A_USER], rules->guests, who) != NULL)
            wrong = "user is no user id, or that of a guest";
    }
    if (wrong == NULL && is_there(said[A_USERNAME]))
        wrong = read_text("username", said[A_USERNAME], &who->username);
    if (wrong == NULL && is_there(said[A_ROLE]))
        wrong = read_text("role", said[A_ROLE], &who->role);
    if (wrong == NULL && is_there(said[A_EXPIRES])) {
        wrong = read_time("expires", said[A_EXPIRES], &who->exp_ms);
        who->until_ms = wrong == NULL ? who->exp_ms + rules->leeway_ms : 0;
    }
    if (wrong == NULL && is_there(said[A_DATA])) {
        who->data = strndup(said[A_DATA].raw.ptr, said[A_DATA].raw.len);
        wrong = who->data == NULL ? NO_MEMORY : NULL;
    }
    if (wrong == NULL)
        who->grant = grant_from_claim(is_there(said[A_GRANTS]) ? said[A_GRANTS] : none,
                                      rules->grant, &wrong);
    return wrong;
}

struct identity *claims_answered(struct json_value answer, const struct claims_rules *rules,
                                 struct slice socket, int64_t iat_ms, const char **why) {
    static const char *const members[] = {"user",   "username", "role",
                                          "grants", "expires",  "data"};
    struct json_value said[A_COUNT];
    *why = NULL;
    json_fields(answer, members, said, A_COUNT);
    if (!is_there(said[A_USER]) && !rules->guests)
        return NULL;
    struct identity *who = make_guest(socket);
    *why = who == NULL ? NO_MEMORY : read_said(said, rules, who);
    if (who != NULL) {
        who->asked = true;
        who->has_iat = iat_ms > 0;
        who->iat_ms = iat_ms;
    }
    if (*why == NULL)
        return who;
    identity_unref(who);
    return NULL;
}
