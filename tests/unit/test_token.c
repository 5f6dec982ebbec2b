/*
 * The form of a token, and its signature: published examples, each algorithm, and the known
 * ways to be let in with a key that is not one's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>

#include "common/base64.h"
#include "gateway/auth/jwk.h"
#include "gateway/auth/pem.h"
#include "gateway/auth/sign.h"
#include "tests/unit/jose_vectors.h"
#include "tests/unit/token_bench.h"

#define CLAIMS "{\"sub\":\"ann\",\"exp\":4000000000}"
static const struct slice secret = {"a secret of tests, 32 bytes or more", 35};

/* --- with keys ------------------------------------------------------------------------------
 */

static void add_secret(struct keys *keys, struct slice bytes) {
    const char *wrong;
    struct key *k = key_from_secret(bytes, &wrong);
    assert_non_null(k);
    assert_null(keys_add(keys, k));
}

static void add_jwk(struct keys *keys, const char *text) {
    const char *wrong = jwk_read(keys, slice_of(text), true);
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static void add_pair(struct keys *keys, EVP_PKEY *pair) {
    char *pem = bench_pem(pair);
    assert_null(pem_read(keys, slice_of(pem)));
    free(pem);
}

static enum keys_answer answer(const struct keys *keys, const char *text) {
    struct token t;
    const char *wrong = token_read(&t, slice_of(text));
    if (wrong != NULL)
        fail_msg("%s: %s", text, wrong);
    enum keys_answer result = keys_try(keys, &t);
    token_deinit(&t);
    return result;
}

/* Takes the token over. */
static void expect(const struct keys *keys, char *text, enum keys_answer wanted) {
    assert_int_equal(answer(keys, text), wanted);
    free(text);
}

/* Refused for its form, in words that have `words`. */
static void refused(const char *text, const char *words) {
    struct token t;
    const char *wrong = token_read(&t, slice_of(text));
    token_deinit(&t);
    if (wrong == NULL)
        fail_msg("not refused: %s", text);
    if (strstr(wrong, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", wrong, words);
}

static void refused_header(const char *header, const char *words) {
    char *text = bench_mac_token(header, CLAIMS, secret, "SHA256");
    refused(text, words);
    free(text);
}

/* --- published examples ---------------------------------------------------------------------
 */

/* Good as it is; and bad with any one bit of the signature changed, or of what is signed. */
static void verifies(const struct keys *keys, const char *text) {
    struct token t;
    assert_int_equal(answer(keys, text), KEYS_GOOD);
    char *copy = strdup(text);
    assert_null(token_read(&t, slice_of(copy)));
    for (size_t i = 0; i < t.signature.len; i += 7) {
        t.signature.data[i] ^= 4;
        assert_int_equal(keys_try(keys, &t), KEYS_WRONG);
        t.signature.data[i] ^= 4;
    }
    for (size_t i = 0; i < t.signed_text.len; i += 11) {
        copy[i] ^= 1;
        assert_int_equal(keys_try(keys, &t), KEYS_WRONG);
        copy[i] ^= 1;
    }
    for (size_t cut = 1; cut < t.signature.len; cut += 9) {
        t.signature.len -= cut;
        assert_int_equal(keys_try(keys, &t), KEYS_WRONG);
        t.signature.len += cut;
    }
    assert_int_equal(keys_try(keys, &t), KEYS_GOOD);
    token_deinit(&t);
    free(copy);
}

static void published_examples(void **state) {
    static const struct {
        const char *secret;
        const char *jwk;
        const char *token;
    } rows[] = {{A1_SECRET, NULL, A1_TOKEN},
                {NULL, A2_KEY, A2_TOKEN},
                {NULL, A3_KEY, A3_TOKEN},
                {NULL, COOKBOOK_RSA_KEY, COOKBOOK_RS256_TOKEN},
                {COOKBOOK_SECRET, NULL, COOKBOOK_HS256_TOKEN},
                {NULL, ED25519_KEY, ED25519_TOKEN}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keys keys;
        struct buf bytes = {0};
        keys_init(&keys);
        if (rows[i].jwk != NULL) {
            add_jwk(&keys, rows[i].jwk);
        } else {
            assert_true(base64url_decode(slice_of(rows[i].secret), &bytes));
            add_secret(&keys, buf_bytes(&bytes));
        }
        verifies(&keys, rows[i].token);
        buf_deinit(&bytes);
        keys_deinit(&keys);
    }
}

static void algorithms_that_are_not_offered(void **state) {
    struct keys keys;
    (void)state;
    refused(COOKBOOK_PS384_TOKEN, "alg");
    refused(COOKBOOK_ES512_TOKEN, "alg");
    keys_init(&keys);
    add_jwk(&keys, COOKBOOK_P521_KEY); /* which is left out */
    assert_true(keys_empty(&keys));
}

/* --- each algorithm -------------------------------------------------------------------------
 */

static const struct algorithm_row {
    const char *header;
    const char *pair; /* NULL: the secret */
    const char *digest;
    bool pss;
} algorithms[] = {
    {"{\"alg\":\"HS256\"}", NULL, "SHA256", false},
    {"{\"alg\":\"HS384\"}", NULL, "SHA384", false},
    {"{\"alg\":\"HS512\"}", NULL, "SHA512", false},
    {"{\"alg\":\"RS256\"}", "RSA", "SHA256", false},
    {"{\"alg\":\"RS384\"}", "RSA", "SHA384", false},
    {"{\"alg\":\"RS512\"}", "RSA", "SHA512", false},
    {"{\"alg\":\"PS256\"}", "RSA", "SHA256", true},
    {"{\"alg\":\"ES256\"}", "P-256", "SHA256", false},
    {"{\"alg\":\"ES384\"}", "P-384", "SHA384", false},
    {"{\"alg\":\"EdDSA\"}", "Ed25519", NULL, false},
};
#define ROWS (sizeof algorithms / sizeof *algorithms)

static char *sign(const struct algorithm_row *row, const char *header) {
    return row->pair == NULL
               ? bench_mac_token(header, CLAIMS, secret, row->digest)
               : bench_token(header, CLAIMS, bench_pair(row->pair), row->digest, row->pss);
}

static void all_keys(struct keys *keys) {
    keys_init(keys);
    add_secret(keys, secret);
    add_pair(keys, bench_pair("RSA"));
    add_pair(keys, bench_pair("P-256"));
    add_pair(keys, bench_pair("P-384"));
    add_pair(keys, bench_pair("Ed25519"));
}

/* A signature is good under its own alg only, whatever the header says. */
static void the_alg_is_that_of_the_signature(void **state) {
    struct keys keys;
    (void)state;
    all_keys(&keys);
    for (size_t signed_as = 0; signed_as < ROWS; signed_as++)
        for (size_t named = 0; named < ROWS; named++)
            expect(&keys, sign(&algorithms[signed_as], algorithms[named].header),
                   signed_as == named ? KEYS_GOOD : KEYS_WRONG);
    keys_deinit(&keys);
}

static void a_key_fits_its_own_algorithms_only(void **state) {
    static const char *const kinds[] = {"RSA", "P-256", "P-384", "Ed25519"};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct keys keys;
        keys_init(&keys);
        add_pair(&keys, bench_pair(kinds[i]));
        for (size_t row = 0; row < ROWS; row++) {
            bool own = algorithms[row].pair != NULL && !strcmp(algorithms[row].pair, kinds[i]);
            expect(&keys, sign(&algorithms[row], algorithms[row].header),
                   own ? KEYS_GOOD : KEYS_UNFIT);
        }
        keys_deinit(&keys);
    }
}

/* --- attacks --------------------------------------------------------------------------------
 */

static void alg_none(void **state) {
    static const char *const none[] = {"none",  "None", "NONE",        "nOnE",
                                       "noNe ", "",     "HS256\\u0000"};
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", none[i]);
        char *bare = bench_plain_token(header, CLAIMS, "");
        refused(bare, "alg");
        free(bare);
        refused_header(header, "alg");
    }
    refused_header("{\"alg\":null}", "alg");
    refused_header("{\"alg\":[\"HS256\"]}", "alg");
    refused_header("{\"alg\":256}", "alg");
    refused_header("{\"alg\":\"hs256\"}", "alg");
    refused_header("{\"typ\":\"JWT\"}", "no alg");
}

static void an_empty_signature(void **state) {
    struct keys keys;
    (void)state;
    all_keys(&keys);
    for (size_t i = 0; i < ROWS; i++)
        expect(&keys, bench_plain_token(algorithms[i].header, CLAIMS, ""), KEYS_WRONG);
    keys_deinit(&keys);
}

/* The public key, in each form in which it is known to everybody, as the secret of an HMAC. */
static void a_public_key_as_a_secret(void **state) {
    struct keys keys;
    (void)state;
    keys_init(&keys);
    char *pem = bench_pem(bench_pair("RSA")), *jwk = bench_jwk(bench_pair("RSA"), "");
    assert_null(pem_read(&keys, slice_of(pem)));
    const struct slice forms[] = {
        slice_of(pem), {pem, strlen(pem) - 1}, slice_of(jwk), SLICE("")};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned row = 0; row < 3; row++)
            expect(&keys,
                   bench_mac_token(algorithms[row].header, CLAIMS, forms[i],
                                   algorithms[row].digest),
                   KEYS_UNFIT);
    keys_deinit(&keys);
    const char *wrong;
    assert_null(key_from_secret(slice_of(pem), &wrong));
    assert_non_null(strstr(wrong, "PEM"));
    free(pem);
    free(jwk);
}

/* A signature of zeros, which careless code takes for good with any key. */
static void a_psychic_signature(void **state) {
    struct keys keys;
    (void)state;
    all_keys(&keys);
    for (unsigned bits = 256; bits <= 384; bits += 128) {
        struct buf zeros = {0};
        char header[32];
        for (unsigned i = 0; i < bits / 8 * 2 / 3 * 4; i++)
            buf_char(&zeros, 'A');
        for (unsigned i = 0; i < (bits == 256 ? 2 : 0); i++)
            buf_char(&zeros, 'A');
        buf_char(&zeros, '\0');
        snprintf(header, sizeof header, "{\"alg\":\"ES%u\"}", bits);
        expect(&keys, bench_plain_token(header, CLAIMS, zeros.data), KEYS_WRONG);
        buf_deinit(&zeros);
    }
    keys_deinit(&keys);
}

/* The same numbers in DER, or with a zero before them, are not the form of a token. */
static void an_es256_signature_in_der(void **state) {
    struct keys keys;
    unsigned char der[128];
    size_t len = sizeof der;
    struct buf text = {0};
    (void)state;
    keys_init(&keys);
    add_pair(&keys, bench_pair("P-256"));
    char *plain = bench_plain_token("{\"alg\":\"ES256\"}", CLAIMS, "");
    plain[strlen(plain) - 1] = '\0';
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL, bench_pair("P-256"), NULL);
    assert_int_equal(EVP_DigestSign(md, der, &len, (unsigned char *)plain, strlen(plain)), 1);
    EVP_MD_CTX_free(md);
    buf_printf(&text, "%s.", plain);
    base64url_encode((struct slice){(char *)der, len}, &text);
    buf_char(&text, '\0');
    assert_int_equal(answer(&keys, text.data), KEYS_WRONG);
    buf_deinit(&text);
    free(plain);
    keys_deinit(&keys);
}

static void another_curve(void **state) {
    struct keys keys;
    (void)state;
    keys_init(&keys);
    add_pair(&keys, bench_pair("P-256"));
    expect(&keys,
           bench_token("{\"alg\":\"ES256\"}", CLAIMS, bench_pair("secp256k1"), "SHA256", false),
           KEYS_WRONG);
    expect(&keys,
           bench_token("{\"alg\":\"ES256\"}", CLAIMS, bench_pair("P-384"), "SHA256", false),
           KEYS_WRONG);
    expect(&keys,
           bench_token("{\"alg\":\"ES384\"}", CLAIMS, bench_pair("P-256"), "SHA384", false),
           KEYS_UNFIT);
    keys_deinit(&keys);
}

/* The sender's own key in the header counts for nothing. */
static void a_key_in_the_header(void **state) {
    struct keys keys;
    (void)state;
    keys_init(&keys);
    add_pair(&keys, bench_pair("RSA"));
    char *jwk = bench_jwk(bench_pair("P-256"), "");
    struct buf header = {0};
    buf_printf(&header,
               "{\"alg\":\"ES256\",\"jwk\":%s,\"jku\":\"http://127.0.0.1:1/keys\","
               "\"x5u\":\"http://127.0.0.1:1/c\",\"x5c\":[\"MIIB\"]}",
               jwk);
    buf_char(&header, '\0');
    expect(&keys, bench_token(header.data, CLAIMS, bench_pair("P-256"), "SHA256", false),
           KEYS_UNFIT);
    buf_deinit(&header);
    free(jwk);
    keys_deinit(&keys);
}

static void another_key_of_the_same_kind(void **state) {
    struct keys keys;
    (void)state;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    keys_init(&keys);
    add_pair(&keys, bench_pair("P-256"));
    expect(&keys, bench_token("{\"alg\":\"ES256\"}", CLAIMS, other, "SHA256", false),
           KEYS_WRONG);
    add_pair(&keys, other);
    expect(&keys, bench_token("{\"alg\":\"ES256\"}", CLAIMS, other, "SHA256", false),
           KEYS_GOOD);
    EVP_PKEY_free(other);
    keys_deinit(&keys);
}

/* --- kid ------------------------------------------------------------------------------------
 */

#define ES256(kid) "{\"alg\":\"ES256\",\"kid\":" kid "}"

static char *es256(const char *header, EVP_PKEY *pair) {
    return bench_token(header, CLAIMS, pair, "SHA256", false);
}

static void kid_chooses(void **state) {
    struct keys keys;
    (void)state;
    EVP_PKEY *one = bench_pair("P-256"), *two = EVP_EC_gen("P-256");
    char *first = bench_jwk(one, "\"kid\":\"one\","),
         *second = bench_jwk(two, "\"kid\":\"two\",");
    keys_init(&keys);
    add_jwk(&keys, first);
    add_jwk(&keys, second);
    expect(&keys, es256(ES256("\"one\""), one), KEYS_GOOD);
    expect(&keys, es256(ES256("\"two\""), two), KEYS_GOOD);
    expect(&keys, es256(ES256("\"t\\u0077o\""), two), KEYS_GOOD);
    expect(&keys, es256(ES256("\"one\""), two), KEYS_WRONG);
    expect(&keys, es256(ES256("\"three\""), one), KEYS_UNKNOWN);
    expect(&keys, es256(ES256("\"\""), one), KEYS_UNKNOWN);
    expect(&keys, es256(ES256("\"One\""), one), KEYS_UNKNOWN);
    expect(&keys, es256(ES256("\"one\\u0000\""), one), KEYS_UNKNOWN);
    expect(&keys, es256("{\"alg\":\"ES256\"}", two), KEYS_GOOD);
    /* A key without a name may be anybody's. */
    EVP_PKEY *third = EVP_EC_gen("P-256");
    add_pair(&keys, third);
    expect(&keys, es256(ES256("\"three\""), third), KEYS_GOOD);
    expect(&keys, es256(ES256("\"one\""), third), KEYS_GOOD);
    EVP_PKEY_free(two);
    EVP_PKEY_free(third);
    free(first);
    free(second);
    keys_deinit(&keys);
}

static void kid_tricks(void **state) {
    static const char *const kids[] = {"../../../../dev/null",    "/etc/passwd",
                                       "x' UNION SELECT 'secret", "| cat /etc/passwd",
                                       "http://127.0.0.1/key",    "%s%n"};
    struct keys keys;
    (void)state;
    keys_init(&keys);
    char *jwk = bench_jwk(bench_pair("P-256"), "\"kid\":\"one\",");
    add_jwk(&keys, jwk);
    for (size_t i = 0; i < sizeof kids / sizeof *kids; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kids[i]);
        expect(&keys, es256(header, bench_pair("P-256")), KEYS_UNKNOWN);
        snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kids[i]);
        expect(&keys, bench_mac_token(header, CLAIMS, SLICE(""), "SHA256"), KEYS_UNKNOWN);
    }
    refused_header("{\"alg\":\"HS256\",\"kid\":1}", "kid");
    refused_header("{\"alg\":\"HS256\",\"kid\":null}", "kid");
    refused_header("{\"alg\":\"HS256\",\"kid\":[\"one\"]}", "kid");
    refused_header("{\"alg\":\"HS256\",\"kid\":\"\\ud800\"}", "kid");
    char *header = malloc(5001);
    memset(header, 'k', 5000);
    memcpy(header, "{\"alg\":\"ES256\",\"kid\":\"", 22);
    strcpy(header + 4998, "\"}");
    expect(&keys, es256(header, bench_pair("P-256")), KEYS_UNKNOWN);
    free(header);
    free(jwk);
    keys_deinit(&keys);
}

static void alg_of_a_jwk_binds(void **state) {
    struct keys keys;
    (void)state;
    char *jwk = bench_jwk(bench_pair("RSA"), "\"alg\":\"PS256\",");
    keys_init(&keys);
    add_jwk(&keys, jwk);
    for (size_t row = 0; row < ROWS; row++)
        expect(&keys, sign(&algorithms[row], algorithms[row].header),
               algorithms[row].pss ? KEYS_GOOD : KEYS_UNFIT);
    free(jwk);
    keys_deinit(&keys);
}

/* --- the form -------------------------------------------------------------------------------
 */

static void headers_that_are_refused(void **state) {
    (void)state;
    refused_header("{\"alg\":\"HS256\",\"alg\":\"none\"}", "twice");
    refused_header("{\"alg\":\"HS256\",\"a\\u006cg\":\"HS256\"}", "twice");
    refused_header("{\"alg\":\"HS256\",\"x\":[{\"a\":1,\"a\":1}]}", "twice");
    refused_header("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", "crit");
    refused_header("{\"alg\":\"HS256\",\"crit\":[]}", "crit");
    refused_header("{\"alg\":\"HS256\",\"crit\":null}", "crit");
    refused_header("{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", "crit");
    refused_header("[\"HS256\"]", "object");
    refused_header("\"HS256\"", "object");
    refused_header("", "object");
    refused_header("{\"alg\":\"HS256\"", "object");
    refused_header("{\"alg\":\"HS256\"}}", "object");
    refused_header("{\"alg\":\"HS256\",\"x\":\"\xff\"}", "object");
}

static void three_parts(void **state) {
    (void)state;
    refused("", "three parts");
    refused(".", "three parts");
    refused("a.b", "three parts");
    refused("a.b.c.d", "three parts");
    refused("a.b.c.d.e", "three parts"); /* an encrypted one */
    refused("..", "header");
    refused("{\"payload\":\"\",\"signatures\":[]}", "three parts");
}

static void base64url_is_strict(void **state) {
    static const char *const parts[] = {"eyJhbGciOiJIUzI1NiJ9=",  "eyJhbGciOiJIUzI1NiJ9 ",
                                        "eyJhbGciOiJIUzI1NiJ9\n", "eyJhbGciOiJIUzI1+iJ9",
                                        "eyJhbGciOiJIUzI1Ni/9",   "eyJhbGciOiJIUzI1N"};
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s.e30.AA", parts[i]);
        refused(text, "header is not base64url");
    }
    refused("eyJhbGciOiJIUzI1NiJ9.e30.AA==", "signature is not base64url");
    refused("eyJhbGciOiJIUzI1NiJ9.e30.AB",
            "signature is not base64url"); /* bits are left over */
    refused("eyJhbGciOiJIUzI1NiJ9.e30.A", "signature is not base64url");
    refused("eyJhbGciOiJIUzI1NiJ9.e30.A A", "signature is not base64url");
}

static void eight_kib(void **state) {
    struct token t;
    (void)state;
    char *text = malloc(TOKEN_LIMIT + 2);
    memset(text, 'A', TOKEN_LIMIT + 1);
    text[TOKEN_LIMIT + 1] = '\0';
    memcpy(text, "eyJhbGciOiJIUzI1NiJ9.", 21);
    text[TOKEN_LIMIT - 5] = '.';
    refused(text, "8 KiB");
    text[TOKEN_LIMIT] = '\0';
    text[TOKEN_LIMIT - 1] = 'A';
    assert_int_equal(strlen(text), TOKEN_LIMIT);
    text[TOKEN_LIMIT - 5] = 'A';
    text[TOKEN_LIMIT - 4] = '.';
    assert_null(token_read(&t, slice_of(text)));
    token_deinit(&t);
    free(text);
}

static void what_the_command_signs_is_good(void **state) {
    struct keys keys;
    struct buf text = {0};
    (void)state;
    keys_init(&keys);
    add_secret(&keys, secret);
    sign_token(secret, SLICE(CLAIMS), &text);
    buf_char(&text, '\0');
    assert_int_equal(answer(&keys, text.data), KEYS_GOOD);
    buf_deinit(&text);
    keys_deinit(&keys);
}

static int end(void **state) {
    (void)state;
    bench_end();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(algorithms_that_are_not_offered),
        cmocka_unit_test(the_alg_is_that_of_the_signature),
        cmocka_unit_test(a_key_fits_its_own_algorithms_only),
        cmocka_unit_test(alg_none),
        cmocka_unit_test(an_empty_signature),
        cmocka_unit_test(a_public_key_as_a_secret),
        cmocka_unit_test(a_psychic_signature),
        cmocka_unit_test(an_es256_signature_in_der),
        cmocka_unit_test(another_curve),
        cmocka_unit_test(a_key_in_the_header),
        cmocka_unit_test(another_key_of_the_same_kind),
        cmocka_unit_test(kid_chooses),
        cmocka_unit_test(kid_tricks),
        cmocka_unit_test(alg_of_a_jwk_binds),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(three_parts),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(eight_kib),
        cmocka_unit_test(what_the_command_signs_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
