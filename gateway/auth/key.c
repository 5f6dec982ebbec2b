#include "gateway/auth/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define NO_MEMORY     "there is no memory left"
#define PEM_BEGIN     "-----BEGIN "
#define RSA_DEAR_BITS 4096

/* --- made -----------------------------------------------------------------------------------
 */

static struct key *make(enum key_kind kind) {
    struct key *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    list_init(&k->link);
    k->kind = kind;
    k->bound = ALGORITHM_NONE;
    return k;
}

struct key *key_from_secret(struct slice secret, const char **why) {
    *why = secret.len < KEY_SECRET_LEAST ? "the secret must have 32 bytes or more"
           : slice_starts(secret, SLICE(PEM_BEGIN))
               ? "this is a key in PEM; public keys belong into jwt-keys"
               : NULL;
    if (*why != NULL)
        return NULL;
    struct key *k = make(KEY_SECRET);
    if (k != NULL) {
        buf_slice(&k->secret, secret);
        if (!k->secret.failed)
            return k;
        key_free(k);
    }
    *why = NO_MEMORY;
    return NULL;
}

static bool curve_of(const EVP_PKEY *public, enum key_kind *kind) {
    char name[64];
    size_t len;
    if (EVP_PKEY_get_group_name(public, name, sizeof name, &len) != 1)
        return false;
    *kind = strcmp(name, "prime256v1") == 0 ? KEY_P256 : KEY_P384;
    return *kind == KEY_P256 || strcmp(name, "secp384r1") == 0;
}

static bool is_odd_exponent(const EVP_PKEY *public) {
    BIGNUM *e = NULL;
    bool good = EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
                !BN_is_one(e);
    BN_free(e);
    return good;
}

static const char *kind_of(const EVP_PKEY *public, enum key_kind *kind) {
    switch (EVP_PKEY_get_base_id(public)) {
    case EVP_PKEY_RSA:
        *kind = KEY_RSA;
        if (EVP_PKEY_get_bits(public) < KEY_RSA_LEAST)
            return "an RSA key must have 2048 bits or more";
        return is_odd_exponent(public) ? NULL : "an RSA key has a bad exponent";
    case EVP_PKEY_EC:
        return curve_of(public, kind) ? NULL : "an EC key must be of curve P-256 or P-384";
    case EVP_PKEY_ED25519:
        *kind = KEY_ED25519;
        return NULL;
    default:
        return "a key must be RSA, EC or Ed25519";
    }
}

struct key *key_from_public(EVP_PKEY *public, const char **why) {
    enum key_kind kind;
    *why = kind_of(public, &kind);
    struct key *k = *why == NULL ? make(kind) : NULL;
    if (*why == NULL && k == NULL)
        *why = NO_MEMORY;
    if (k != NULL)
        k->public = public;
    else
        EVP_PKEY_free(public);
    return k;
}

void key_free(struct key *k) {
    if (k->secret.len > 0)
        OPENSSL_cleanse(k->secret.data, k->secret.len);
    buf_deinit(&k->secret);
    buf_deinit(&k->kid);
    EVP_PKEY_free(k->public);
    free(k);
}

/* --- used -----------------------------------------------------------------------------------
 */

static const unsigned char *bytes_of(struct slice s) {
    return (const unsigned char *)s.ptr;
}

bool key_fits(const struct key *k, enum algorithm a) {
    return a != ALGORITHM_NONE && algorithm_kind(a) == k->kind &&
           (k->bound == ALGORITHM_NONE || k->bound == a);
}

bool key_is_dear(const struct key *k) {
    return k->kind == KEY_P384 ||
           (k->kind == KEY_RSA && EVP_PKEY_get_bits(k->public) > RSA_DEAR_BITS);
}

static bool verify_secret(const struct key *k, enum algorithm a, struct slice text,
                          struct slice signature) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    if (EVP_Q_mac(NULL, "HMAC", NULL, algorithm_digest(a), NULL, k->secret.data, k->secret.len,
                  bytes_of(text), text.len, mac, sizeof mac, &len) == NULL)
        return false;
    return signature.len == len && CRYPTO_memcmp(mac, signature.ptr, len) == 0;
}

/* Returns r and s in DER, for OpenSSL to free, or NULL. */
static unsigned char *join(struct slice signature, int half, int *len) {
    unsigned char *der = NULL;
    ECDSA_SIG *sig = signature.len == 2 * (size_t)half ? ECDSA_SIG_new() : NULL;
    BIGNUM *r = sig != NULL ? BN_bin2bn(bytes_of(signature), half, NULL) : NULL;
    BIGNUM *s = r != NULL ? BN_bin2bn(bytes_of(signature) + half, half, NULL) : NULL;
    if (s != NULL && ECDSA_SIG_set0(sig, r, s) == 1)
        *len = i2d_ECDSA_SIG(sig, &der);
    else
        BN_free(r), BN_free(s);
    ECDSA_SIG_free(sig);
    return der;
}

static bool verify_public(const struct key *k, enum algorithm a, struct slice text,
                          const unsigned char *signature, size_t len) {
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL;
    bool good = md != NULL && EVP_DigestVerifyInit_ex(md, &context, algorithm_digest(a), NULL,
                                                      NULL, k->public, NULL) == 1;
    if (good && a == ALGORITHM_PS256)
        good = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    good = good && EVP_DigestVerify(md, signature, len, bytes_of(text), text.len) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

static bool verify_curve(const struct key *k, enum algorithm a, struct slice text,
                         struct slice signature) {
    int len = 0;
    unsigned char *der = join(signature, k->kind == KEY_P256 ? 32 : 48, &len);
    bool good = der != NULL && len > 0 && verify_public(k, a, text, der, (size_t)len);
    OPENSSL_free(der);
    return good;
}

bool key_verify(const struct key *k, enum algorithm a, struct slice text,
                struct slice signature) {
    bool good = k->kind == KEY_SECRET ? verify_secret(k, a, text, signature)
                : k->kind == KEY_P256 || k->kind == KEY_P384
                    ? verify_curve(k, a, text, signature)
                    : verify_public(k, a, text, bytes_of(signature), signature.len);
    ERR_clear_error(); /* of this thread: what TLS reads next must not find ours */
    return good;
}
