#include "tests/unit/token_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/base64.h"

#define PAIRS 8

static struct {
    const char *kind;
    EVP_PKEY *pair;
} pairs[PAIRS];

EVP_PKEY *bench_pair(const char *kind) {
    unsigned i = 0;
    while (pairs[i].kind != NULL && strcmp(pairs[i].kind, kind) != 0)
        i++;
    assert_true(i < PAIRS);
    if (pairs[i].kind == NULL) {
        pairs[i].kind = kind;
        pairs[i].pair = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048)
                        : strcmp(kind, "Ed25519") == 0
                            ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                            : EVP_EC_gen(kind);
    }
    assert_non_null(pairs[i].pair);
    return pairs[i].pair;
}

void bench_end(void) {
    for (unsigned i = 0; i < PAIRS; i++)
        EVP_PKEY_free(pairs[i].pair);
    memset(pairs, 0, sizeof pairs);
}

/* --- tokens ---------------------------------------------------------------------------------
 */

static struct buf begin(const char *header, const char *claims) {
    struct buf out = {0};
    base64url_encode(slice_of(header), &out);
    buf_char(&out, '.');
    base64url_encode(slice_of(claims), &out);
    return out;
}

static char *finish(struct buf *out, struct slice signature) {
    buf_char(out, '.');
    base64url_encode(signature, out);
    buf_char(out, '\0');
    assert_false(out->failed);
    return out->data;
}

/* r and s in full length, of what OpenSSL has in DER. */
static size_t to_raw(const unsigned char *der, size_t len, size_t half, unsigned char *raw) {
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    assert_non_null(sig);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half);
    ECDSA_SIG_free(sig);
    return 2 * half;
}

char *bench_token(const char *header, const char *claims, EVP_PKEY *pair, const char *digest,
                  bool pss) {
    unsigned char signature[1024], raw[256];
    size_t len = sizeof signature;
    struct buf out = begin(header, claims);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context;
    assert_int_equal(EVP_DigestSignInit_ex(md, &context, digest, NULL, NULL, pair, NULL), 1);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(
        EVP_DigestSign(md, signature, &len, (const unsigned char *)out.data, out.len), 1);
    EVP_MD_CTX_free(md);
    if (EVP_PKEY_get_base_id(pair) != EVP_PKEY_EC)
        return finish(&out, (struct slice){(char *)signature, len});
    len = to_raw(signature, len, ((size_t)EVP_PKEY_get_bits(pair) + 7) / 8, raw);
    return finish(&out, (struct slice){(char *)raw, len});
}

char *bench_mac_token(const char *header, const char *claims, struct slice secret,
                      const char *digest) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct buf out = begin(header, claims);
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, secret.ptr, secret.len,
                              (const unsigned char *)out.data, out.len, mac, sizeof mac, &len));
    return finish(&out, (struct slice){(char *)mac, len});
}

char *bench_plain_token(const char *header, const char *claims, const char *signature) {
    struct buf out = begin(header, claims);
    buf_char(&out, '.');
    buf_str(&out, signature);
    buf_char(&out, '\0');
    return out.data;
}

/* --- public keys ----------------------------------------------------------------------------
 */

char *bench_pem(EVP_PKEY *pair) {
    char *bytes;
    BIO *out = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(out, pair), 1);
    long len = BIO_get_mem_data(out, &bytes);
    char *text = strndup(bytes, (size_t)len);
    BIO_free(out);
    return text;
}

static void put_number(struct buf *out, const char *name, EVP_PKEY *pair, const char *param,
                       int size) {
    unsigned char bytes[1024];
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pair, param, &n), 1);
    int len = size > 0 ? BN_bn2binpad(n, bytes, size) : BN_bn2bin(n, bytes);
    buf_printf(out, ",\"%s\":\"", name);
    base64url_encode((struct slice){(char *)bytes, (size_t)len}, out);
    buf_char(out, '"');
    BN_free(n);
}

static void put_curve(struct buf *out, EVP_PKEY *pair) {
    char group[32];
    size_t len;
    int size = (EVP_PKEY_get_bits(pair) + 7) / 8;
    EVP_PKEY_get_group_name(pair, group, sizeof group, &len);
    const char *crv = EC_curve_nid2nist(OBJ_txt2nid(group));
    buf_printf(out, "\"kty\":\"EC\",\"crv\":\"%s\"", crv != NULL ? crv : group);
    put_number(out, "x", pair, OSSL_PKEY_PARAM_EC_PUB_X, size);
    put_number(out, "y", pair, OSSL_PKEY_PARAM_EC_PUB_Y, size);
}

char *bench_jwk(EVP_PKEY *pair, const char *members) {
    struct buf out = {0};
    unsigned char raw[32];
    size_t len = sizeof raw;
    buf_printf(&out, "{%s", members);
    if (EVP_PKEY_get_base_id(pair) == EVP_PKEY_RSA) {
        buf_str(&out, "\"kty\":\"RSA\"");
        put_number(&out, "n", pair, OSSL_PKEY_PARAM_RSA_N, 0);
        put_number(&out, "e", pair, OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (EVP_PKEY_get_base_id(pair) == EVP_PKEY_EC) {
        put_curve(&out, pair);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_public_key(pair, raw, &len), 1);
        buf_str(&out, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
        base64url_encode((struct slice){(char *)raw, len}, &out);
        buf_char(&out, '"');
    }
    buf_char(&out, '}');
    buf_char(&out, '\0');
    return out.data;
}
