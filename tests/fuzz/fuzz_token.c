/*
 * libFuzzer on tokens: any bytes, as a token, as its header, and as its claims. No token may be
 * good whose signature was not made here, an identity has a valid user and a time that is not
 * past, and a text that has a member twice is never read.
 */
#include "common/base64.h"
#include "common/log.h"
#include "common/utf8.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/jwk.h"
#include "gateway/auth/unique.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1800000000000)

/* Public keys of the appendices of RFC 7515 and RFC 8037. */
static const char public_keys[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\","
                                  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
                                  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
                                  "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static struct keys keys;
static struct grant *grants;

static void init(void) {
    const char *wrong;
    unsigned char secret[32];
    log_open("fuzz", LOG_ERROR, false);
    for (unsigned i = 0; i < sizeof secret; i++)
        secret[i] = (unsigned char)(i * 37 + 11);
    keys_init(&keys);
    check(jwk_read(&keys, SLICE(public_keys), true) == NULL);
    struct key *k = key_from_secret((struct slice){(char *)secret, sizeof secret}, &wrong);
    check(k != NULL && keys_add(&keys, k) == NULL);
    grants = grant_from_text("rooms=a*,$me;private=*;channels=b:rw", &wrong);
    check(grants != NULL);
}

/* Whether a member comes twice is asked in another way than unique.c asks. */
static bool comes_twice(struct json_value object) {
    struct json_iter a, b;
    unsigned at = 0;
    json_iter_init(&a, object);
    while (json_iter_next(&a)) {
        char one[512], two[512];
        ptrdiff_t len = json_decode((struct json_value){JSON_STRING, a.key}, one, sizeof one);
        unsigned earlier = 0;
        json_iter_init(&b, object);
        while (len >= 0 && earlier++ < at && json_iter_next(&b)) {
            struct json_value key = {JSON_STRING, b.key};
            if (json_decode(key, two, sizeof two) == len && memcmp(one, two, (size_t)len) == 0)
                return true;
        }
        at++;
    }
    return false;
}

static void unique(struct slice text) {
    struct json_value value;
    if (text.len > 2048 || !utf8_valid(text) || json_parse(text, &value) != JSON_OK)
        return;
    if (value.type == JSON_OBJECT && comes_twice(value))
        check(!unique_members(value));
}

static void claims(struct slice payload) {
    struct claims_rules rules = {
        .issuer = "", .audience = "", .leeway_ms = 10000, .grant = grants};
    for (int strict = 0; strict < 2; strict++) {
        const char *why = NULL;
        struct identity *who = claims_read(payload, &rules, NOW, &why);
        check((who == NULL) == (why != NULL));
        if (who == NULL)
            break;
        struct slice me = name_slice(&who->sub);
        check(who->refs == 1 && name_valid_user(me) && who->until_ms > NOW);
        check(who->until_ms == who->exp_ms + 10000);
        for (int right = RIGHT_NONE; right < RIGHT_COUNT; right++)
            grant_allows(who->grant, (enum right)right, SLICE("a"), me);
        /* who may write to a channel may read it */
        if (grant_allows_channel(who->grant, SLICE("b"), true, me))
            check(grant_allows_channel(who->grant, SLICE("b"), false, me));
        check(!grant_allows(who->grant, RIGHT_NONE, SLICE("a"), me));
        identity_unref(who);
        rules.issuer = "issuer";
        rules.audience = "audience";
    }
}

static enum keys_answer token(struct slice text) {
    struct token t;
    enum keys_answer answer = KEYS_UNKNOWN;
    if (token_read(&t, text) == NULL) {
        check(text.len <= TOKEN_LIMIT && t.algorithm != ALGORITHM_NONE);
        check(fuzz_within(t.signed_text, text) && fuzz_within(t.payload, text));
        check(t.has_kid || t.kid.len == 0);
        answer = keys_try(&keys, &t);
        claims(t.payload);
    }
    token_deinit(&t);
    return answer;
}

/* As a part of a token whose other parts are good. */
static void as_part(struct slice input) {
    struct buf text = {0}, part = {0};
    base64url_encode(input, &part);
    claims(buf_bytes(&part));
    buf_slice(&text, buf_bytes(&part));
    buf_str(&text, ".e30.AA");
    check(token(buf_bytes(&text)) != KEYS_GOOD);
    buf_deinit(&text);
    buf_deinit(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice input = {(const char *)data, size};
    const char *why;
    if (grants == NULL)
        init();
    char *copy = fuzz_copy(input);
    input.ptr = copy;
    unique(input);
    token(input);
    as_part(input);
    if (size < 4096) {
        char *text = fuzz_text(input);
        grant_free(grant_from_text(text, &why));
        free(text);
    }
    free(copy);
    return 0;
}
