#include "gateway/hooks/signature.h"

#include <openssl/evp.h>
#include <openssl/params.h>

#define DIGEST_SIZE 32

static bool digest(EVP_MAC *mac, struct slice secret, struct slice time, struct slice body,
                   unsigned char out[DIGEST_SIZE]) {
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string("digest", name, sizeof name - 1),
                           OSSL_PARAM_END};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    size_t len = 0;
    bool good = ctx != NULL &&
                EVP_MAC_init(ctx, (const unsigned char *)secret.ptr, secret.len, params) == 1 &&
                EVP_MAC_update(ctx, (const unsigned char *)time.ptr, time.len) == 1 &&
                EVP_MAC_update(ctx, (const unsigned char *)".", 1) == 1 &&
                EVP_MAC_update(ctx, (const unsigned char *)body.ptr, body.len) == 1 &&
                EVP_MAC_final(ctx, out, &len, DIGEST_SIZE) == 1;
    EVP_MAC_CTX_free(ctx);
    return good && len == DIGEST_SIZE;
}

static void put_hex(struct buf *out, const unsigned char *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buf_char(out, digits[bytes[i] >> 4]);
        buf_char(out, digits[bytes[i] & 15]);
    }
}

bool hook_sign(struct buf *out, const char *secrets, uint64_t seconds, struct slice body) {
    struct slice rest = slice_of(secrets);
    unsigned char bytes[DIGEST_SIZE];
    char text[DIGITS_SIZE];
    struct slice time = slice_digits(seconds, text);
    EVP_MAC *mac = rest.len > 0 ? EVP_MAC_fetch(NULL, "HMAC", NULL) : NULL;
    bool good = rest.len == 0 || mac != NULL;
    if (rest.len > 0)
        buf_printf(out, "t=%s", text);
    while (good && rest.len > 0) {
        good = digest(mac, slice_cut(&rest, '\n'), time, body, bytes);
        if (good) {
            buf_str(out, ",v1=");
            put_hex(out, bytes, sizeof bytes);
        }
    }
    EVP_MAC_free(mac);
    return good && !out->failed;
}
