#include "gateway/auth/sign.h"

#include <openssl/evp.h>

#include "common/base64.h"

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

void sign_token(struct slice secret, struct slice claims, struct buf *out) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len = 0, before = out->len;
    base64url_encode(SLICE(HEADER), out);
    buf_char(out, '.');
    base64url_encode(claims, out);
    if (out->failed)
        return;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.ptr, secret.len,
                  (unsigned char *)out->data + before, out->len - before, mac, sizeof mac,
                  &len) == NULL) {
        out->failed = true;
        return;
    }
    buf_char(out, '.');
    base64url_encode((struct slice){(char *)mac, len}, out);
}
