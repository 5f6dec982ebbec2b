#include "gateway/auth/jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "common/base64.h"
#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"
#include "gateway/auth/unique.h"

#define NO_MEMORY "there is no memory left"

enum { KTY, USE, KEY_OPS, ALG, KID, CRV, X, Y, N, E, D, COUNT };
static const char *const names[] = {"kty", "use", "key_ops", "alg", "kid", "crv",
                                    "x",   "y",   "n",       "e",   "d"};

/* One JWK while it is read. */
struct jwk {
    struct json_value fields[COUNT];
    struct key *key;      /* what came of it */
    const char *left_out; /* why it is not for us */
    const char *wrong;    /* why it is bad */
    bool quiet;           /* that it is left out is nothing to tell */
};

static bool text_is(struct json_value value, const char *text) {
    char decoded[32];
    ptrdiff_t len = json_decode(value, decoded, sizeof decoded);
    return len >= 0 && slice_is((struct slice){decoded, (size_t)len}, text);
}

/* --- numbers --------------------------------------------------------------------------------
 */

/* Appends the bytes of a member in base64url. */
static bool read_bytes(struct json_value value, struct buf *out) {
    struct buf text = {0};
    buf_reserve(&text, value.raw.len);
    ptrdiff_t len = text.failed ? -1 : json_decode(value, text.data, text.cap);
    bool good = len > 0 && base64url_decode((struct slice){text.data, (size_t)len}, out);
    buf_deinit(&text);
    return good && !out->failed;
}

static BIGNUM *read_number(struct json_value value) {
    struct buf bytes = {0};
    BIGNUM *n = NULL;
    if (read_bytes(value, &bytes))
        n = BN_bin2bn((const unsigned char *)bytes.data, (int)bytes.len, NULL);
    buf_deinit(&bytes);
    return n;
}

/* --- keys -----------------------------------------------------------------------------------
 */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build) {
    EVP_PKEY *public = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    bool good = params != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &public, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return good ? public : NULL;
}

static EVP_PKEY *read_rsa(const struct jwk *j) {
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = read_number(j->fields[N]), *e = read_number(j->fields[E]);
    bool good = build != NULL && n != NULL && e != NULL &&
                OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1;
    EVP_PKEY *public = good ? from_params("RSA", build) : NULL;
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return public;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *read_curve(const struct jwk *j, const char *group, size_t half) {
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    struct buf point = {0};
    buf_char(&point, 4); /* not compressed */
    bool good = read_bytes(j->fields[X], &point) && point.len == 1 + half &&
                read_bytes(j->fields[Y], &point) && point.len == 1 + 2 * half;
    good = good && build != NULL &&
           OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data,
                                            point.len) == 1;
    EVP_PKEY *public = good ? from_params("EC", build) : NULL;
    OSSL_PARAM_BLD_free(build);
    buf_deinit(&point);
    return public;
}

static EVP_PKEY *read_ed25519(const struct jwk *j) {
    struct buf point = {0};
    bool good = read_bytes(j->fields[X], &point);
    const unsigned char *bytes = (const unsigned char *)point.data;
    EVP_PKEY *public =
        good ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, point.len) : NULL;
    buf_deinit(&point);
    return public;
}

/* Returns NULL, too, if the key is not for us. */
static EVP_PKEY *read_public(struct jwk *j) {
    const struct json_value *f = j->fields;
    EVP_PKEY *public = NULL;
    bool ec = text_is(f[KTY], "EC"), okp = text_is(f[KTY], "OKP");
    if (text_is(f[KTY], "oct"))
        j->left_out = "secrets (oct) belong into jwt-secret";
    else if (f[D].type != JSON_NONE)
        j->wrong = "it has the private key (d), and only the public one belongs there";
    else if (text_is(f[KTY], "RSA"))
    public = read_rsa(j);
    else if (ec && text_is(f[CRV], "P-256")) public = read_curve(j, "P-256", 32);
    else if (ec && text_is(f[CRV], "P-384")) public = read_curve(j, "P-384", 48);
    else if (okp && text_is(f[CRV], "Ed25519")) public = read_ed25519(j);
    else if (f[KTY].type != JSON_STRING) j->wrong = "it has no kty";
    else j->left_out = "a key of this kty, or crv, is not used here";
    if (public == NULL && j->left_out == NULL && j->wrong == NULL)
        j->wrong = "its numbers are missing, or are no key";
    return public;
}

/* --- what it is for -------------------------------------------------------------------------
 */

static bool verifies(const struct jwk *j) {
    struct json_value use = j->fields[USE], ops = j->fields[KEY_OPS];
    struct json_iter it;
    bool found = ops.type == JSON_NONE;
    json_iter_init(&it, ops);
    while (ops.type == JSON_ARRAY && json_iter_next(&it))
        found = found || text_is(it.value, "verify");
    return found && (use.type == JSON_NONE || text_is(use, "sig"));
}

static enum algorithm read_algorithm(struct jwk *j) {
    char text[32];
    struct json_value alg = j->fields[ALG];
    if (alg.type == JSON_NONE)
        return ALGORITHM_NONE;
    ptrdiff_t len = json_decode(alg, text, sizeof text);
    enum algorithm a =
        len < 0 ? ALGORITHM_NONE : algorithm_find((struct slice){text, (size_t)len});
    if (alg.type != JSON_STRING)
        j->wrong = "its alg is not a string";
    else if (a == ALGORITHM_NONE)
        j->left_out = "its alg is not used here";
    return a;
}

static void read_kid(struct jwk *j, struct buf *out) {
    struct json_value kid = j->fields[KID];
    if (kid.type == JSON_NONE)
        return;
    buf_reserve(out, kid.raw.len);
    ptrdiff_t len = out->failed ? -1 : json_decode(kid, out->data, out->cap);
    if (len < 0)
        j->wrong = out->failed ? NO_MEMORY : "its kid is not a string";
    else
        out->len = (size_t)len;
}

static void read_one(struct jwk *j) {
    j->quiet = !verifies(j);
    if (j->quiet) {
        j->left_out = "it is for another use";
        return;
    }
    enum algorithm bound = read_algorithm(j);
    EVP_PKEY *public = j->wrong == NULL && j->left_out == NULL ? read_public(j) : NULL;
    if (public == NULL)
        return;
    j->key = key_from_public(public, &j->wrong);
    if (j->key == NULL)
        return;
    j->key->bound = bound;
    read_kid(j, &j->key->kid);
    if (bound != ALGORITHM_NONE && !key_fits(j->key, bound))
        j->wrong = "its alg is for another kty or crv";
}

/* --- sets -----------------------------------------------------------------------------------
 */

/* The kid for the log and for complaints: a set's author chose it. */
static const char *name_of(const struct jwk *j) {
    char text[65];
    ptrdiff_t len = json_decode(j->fields[KID], text, sizeof text - 1);
    return len < 0 ? "" : log_text("%.*s", (int)len, text);
}

static const char *read_member(struct keys *keys, struct json_value value, bool strict) {
    struct jwk j = {.key = NULL};
    json_fields(value, names, j.fields, COUNT);
    if (value.type == JSON_OBJECT)
        read_one(&j);
    else
        j.wrong = "it is not an object";
    ERR_clear_error();
    if (j.wrong == NULL && j.left_out == NULL)
        return keys_add(keys, j.key);
    if (j.key != NULL)
        key_free(j.key);
    if (j.wrong != NULL && strict)
        return log_text("the key \"%s\" in it: %s", name_of(&j), j.wrong);
    if (!j.quiet)
        LOG(LOG_WARN, "key_left_out", "kid", name_of(&j), "why",
            j.wrong != NULL ? j.wrong : j.left_out, NULL);
    return NULL;
}

static const char *read_set(struct keys *keys, struct json_value set, bool strict) {
    static const char *const members[] = {"keys", "kty"};
    struct json_value fields[2];
    const char *wrong = NULL;
    json_fields(set, members, fields, 2);
    if (fields[0].type == JSON_NONE && fields[1].type != JSON_NONE)
        return read_member(keys, set, strict);
    if (fields[0].type != JSON_ARRAY)
        return "it is no JWK set, an object with a list keys";
    struct json_iter it;
    json_iter_init(&it, fields[0]);
    while (wrong == NULL && json_iter_next(&it))
        wrong = read_member(keys, it.value, strict);
    return wrong;
}

const char *jwk_read(struct keys *keys, struct slice text, bool strict) {
    struct json_value set;
    if (!utf8_valid(text) || json_parse(text, &set) != JSON_OK)
        return "it is not valid JSON";
    if (!unique_members(set))
        return "an object in it has a member twice";
    return read_set(keys, set, strict);
}
