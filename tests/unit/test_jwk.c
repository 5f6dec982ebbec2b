/* Public keys from PEM and from JWK sets: which are taken, left out, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "gateway/auth/jwk.h"
#include "gateway/auth/pem.h"
#include "tests/unit/jose_vectors.h"
#include "tests/unit/token_bench.h"

#define P256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define P256   "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""

/* Returns the number of keys, or -1 with *wrong. */
static int read_jwk(const char *text, bool strict, const char **wrong) {
    struct keys keys;
    keys_init(&keys);
    *wrong = jwk_read(&keys, slice_of(text), strict);
    int count = *wrong == NULL ? (int)keys.count : -1;
    keys_deinit(&keys);
    return count;
}

static void taken(const char *text) {
    const char *wrong;
    int count = read_jwk(text, true, &wrong);
    if (count != 1)
        fail_msg("%d of %s: %s", count, text, wrong);
    assert_int_equal(read_jwk(text, false, &wrong), 1);
}

static void left_out(const char *text) {
    const char *wrong;
    int count = read_jwk(text, true, &wrong);
    if (count != 0)
        fail_msg("%d of %s: %s", count, text, wrong);
    assert_int_equal(read_jwk(text, false, &wrong), 0);
}

/* Bad: a strict reader fails and says so; another one leaves it out. */
static void bad(const char *text, const char *words) {
    const char *wrong;
    if (read_jwk(text, true, &wrong) != -1)
        fail_msg("taken: %s", text);
    if (strstr(wrong, words) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, wrong, words);
    assert_int_equal(read_jwk(text, false, &wrong), 0);
}

/* Nothing of it can be read. */
static void broken(const char *text, const char *words) {
    const char *wrong;
    for (int strict = 0; strict < 2; strict++) {
        assert_int_equal(read_jwk(text, strict != 0, &wrong), -1);
        if (strstr(wrong, words) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", text, wrong, words);
    }
}

static void good_keys(void **state) {
    static const char *const kinds[] = {"RSA", "P-256", "P-384", "Ed25519"};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        char *jwk =
            bench_jwk(bench_pair(kinds[i]),
                      "\"kid\":\"a\",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"x5t\":\"AA\",");
        taken(jwk);
        char set[2048];
        snprintf(set, sizeof set, " {\"keys\":[%s],\"more\":1} ", jwk);
        taken(set);
        free(jwk);
    }
    taken(A2_KEY);
    taken(A3_KEY);
    taken(ED25519_KEY);
}

static void keys_for_other_uses(void **state) {
    (void)state;
    left_out("{\"use\":\"enc\"," P256 "}");
    left_out(
        "{\"use\":\"enc\",\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\"}"); /* weak, and not ours */
    left_out("{\"use\":7," P256 "}");
    left_out("{\"key_ops\":[\"sign\"]," P256 "}");
    left_out("{\"key_ops\":[]," P256 "}");
    left_out("{\"key_ops\":\"verify\"," P256 "}");
    left_out("{\"kty\":\"oct\",\"k\":\"" A1_SECRET "\"}");
    left_out("{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"" A1_SECRET "\"}");
    left_out(COOKBOOK_P521_KEY);
    left_out("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-"
             "FG-IK08\"}");
    left_out("{\"kty\":\"new\"}");
    left_out("{\"alg\":\"ECDH-ES\"," P256 "}");
    left_out("{\"alg\":\"ES256K\"," P256 "}");
    left_out("{\"keys\":[]}");
}

static void alg_and_curve_must_agree(void **state) {
    (void)state;
    taken("{\"alg\":\"ES256\"," P256 "}");
    bad("{\"alg\":\"ES384\"," P256 "}", "alg");
    bad("{\"alg\":\"EdDSA\"," P256 "}", "alg");
    bad("{\"alg\":\"RS256\"," P256 "}", "alg");
    bad("{\"alg\":\"HS256\"," P256 "}", "alg");
    bad("{\"alg\":256," P256 "}", "alg");
    bad("{\"alg\":null," P256 "}", "alg");
    bad("{\"kid\":7," P256 "}", "kid");
    bad("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
        "no key");
    left_out("{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}");
}

static void numbers(void **state) {
    (void)state;
    bad("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", "no key");
    bad("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_X "\"}",
        "no key");
    bad("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "=\",\"y\":\"" P256_Y "\"}",
        "no key");
    bad("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" P256_X "\",\"y\":\"" P256_Y "\"}",
        "no key");
    bad("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":7,\"y\":\"" P256_Y "\"}", "no key");
    bad("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":\"\"}", "no key");
    bad("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", "no key");
    bad("{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "no key");
    bad("{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", "no key");
    bad("{\"kid\":\"weak\",\"kty\":\"RSA\",\"n\":\"4YQ\",\"e\":\"AQAB\"}", "2048 bits");
    bad("{\"kid\":\"weak\",\"kty\":\"RSA\",\"n\":\"4YQ\",\"e\":\"AQAB\"}", "weak");
    bad("{\"keys\":[{}]}", "kty");
    broken("{}", "JWK set");
    bad("{\"keys\":[7]}", "object");
}

/* An exponent of 1 makes everybody a signer. */
static void bad_exponents(void **state) {
    static const char *const exponents[] = {"AQ", "Ag", "AQAA"};
    (void)state;
    char *jwk = bench_jwk(bench_pair("RSA"), "");
    char *at = strstr(jwk, "\"e\":\"AQAB\"");
    assert_non_null(at);
    for (unsigned i = 0; i < 3; i++) {
        sprintf(at, "\"e\":\"%s\"}", exponents[i]);
        bad(jwk, "exponent");
    }
    free(jwk);
}

static void private_keys(void **state) {
    (void)state;
    bad("{\"d\":\"AAAA\"," P256 "}", "private");
    bad("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":\"AQAB\"}", "private");
}

static void sets(void **state) {
    const char *wrong;
    (void)state;
    broken("", "JSON");
    broken("{\"keys\":[", "JSON");
    broken("[]", "JWK set");
    broken("{}\xff", "JSON");
    broken("{\"keys\":{}}", "JWK set");
    broken("{\"keys\":[{\"kid\":\"a\",\"kid\":\"a\"," P256 "}]}", "twice");
    broken("{\"keys\":[],\"keys\":[{" P256 "}]}", "twice");
    const char *mixed = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},{" P256 "},{\"kty\":\"EC\"},"
                        "{\"use\":\"enc\"," P256 "},{\"kid\":\"b\"," P256 "}]}";
    assert_int_equal(read_jwk(mixed, false, &wrong), 2);
    struct buf many = {0};
    buf_str(&many, "{\"keys\":[{" P256 "}");
    for (int i = 1; i <= KEYS_MOST; i++)
        buf_str(&many, ",{" P256 "}");
    buf_str(&many, "]}");
    buf_char(&many, '\0');
    broken(many.data, "more than 100");
    buf_deinit(&many);
}

/* --- PEM ------------------------------------------------------------------------------------
 */

static int read_pem(const char *text, const char **wrong) {
    struct keys keys;
    keys_init(&keys);
    *wrong = pem_read(&keys, slice_of(text));
    int count = *wrong == NULL ? (int)keys.count : -1;
    keys_deinit(&keys);
    return count;
}

static void bad_pem(const char *text, const char *words) {
    const char *wrong;
    assert_int_equal(read_pem(text, &wrong), -1);
    if (strstr(wrong, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", wrong, words);
}

static void good_pem(void **state) {
    const char *wrong;
    struct buf all = {0};
    (void)state;
    static const char *const kinds[] = {"RSA", "P-256", "P-384", "Ed25519"};
    for (unsigned i = 0; i < 4; i++) {
        char *pem = bench_pem(bench_pair(kinds[i]));
        assert_int_equal(read_pem(pem, &wrong), 1);
        buf_printf(&all, "a remark\n%s\r\n", pem);
        free(pem);
    }
    buf_char(&all, '\0');
    assert_int_equal(read_pem(all.data, &wrong), 4);
    /* one that ends in the middle is no whole file */
    all.data[all.len - 20] = '\0';
    assert_int_equal(read_pem(all.data, &wrong), -1);
    buf_deinit(&all);
}

static char *to_text(BIO *out) {
    char *bytes;
    long len = BIO_get_mem_data(out, &bytes);
    char *text = strndup(bytes, (size_t)len);
    BIO_free(out);
    return text;
}

static void pem_of_other_kinds(void **state) {
    const char *wrong;
    (void)state;
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, bench_pair("P-256"), NULL, NULL, 0, NULL, NULL);
    char *private = to_text(out);
    bad_pem(private, "private");
    free(private);
    bad_pem("", "no public key");
    bad_pem("hello", "no public key");
    bad_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "CERTIFICATE");
    bad_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read");
    bad_pem("-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n", "not whole");
    char *other = bench_pem(bench_pair("secp256k1"));
    bad_pem(other, "curve");
    free(other);
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    char *pem = bench_pem(weak);
    bad_pem(pem, "2048 bits");
    free(pem);
    EVP_PKEY_free(weak);
    out = BIO_new(BIO_s_mem());
    EVP_PKEY *rsa = bench_pair("RSA");
    unsigned char *der = NULL;
    int len = i2d_PublicKey(rsa, &der);
    PEM_write_bio(out, PEM_STRING_RSA_PUBLIC, "", der, len);
    OPENSSL_free(der);
    char *pkcs1 = to_text(out);
    assert_int_equal(read_pem(pkcs1, &wrong), 1);
    free(pkcs1);
}

static int end(void **state) {
    (void)state;
    bench_end();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_keys),
        cmocka_unit_test(keys_for_other_uses),
        cmocka_unit_test(alg_and_curve_must_agree),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bad_exponents),
        cmocka_unit_test(private_keys),
        cmocka_unit_test(sets),
        cmocka_unit_test(good_pem),
        cmocka_unit_test(pem_of_other_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
