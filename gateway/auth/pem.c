#include "gateway/auth/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/log.h"

/* One block, as OpenSSL gives it. */
struct block {
    char *name;
    char *header;
    unsigned char *bytes;
    long len;
};

static EVP_PKEY *decode(const struct block *b) {
    const unsigned char *at = b->bytes;
    EVP_PKEY *public = strcmp(b->name, PEM_STRING_PUBLIC) == 0
                           ? d2i_PUBKEY(NULL, &at, b->len)
                           : d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, b->len);
    if (public == NULL || at == b->bytes + b->len)
        return public;
    EVP_PKEY_free(public); /* something stands after the key */
    return NULL;
}

static const char *add(struct keys *keys, const struct block *b) {
    const char *wrong;
    if (strstr(b->name, "PRIVATE KEY") != NULL)
        return "there is a private key in it, and only public keys belong there";
    if (strcmp(b->name, PEM_STRING_PUBLIC) != 0 && strcmp(b->name, PEM_STRING_RSA_PUBLIC) != 0)
        return log_text("there is a %s in it, and only public keys belong there", b->name);
    EVP_PKEY *public = decode(b);
    if (public == NULL)
        return log_text("the %s in it cannot be read", b->name);
    struct key *k = key_from_public(public, &wrong);
    return k != NULL ? keys_add(keys, k) : wrong;
}

static const char *read_blocks(struct keys *keys, BIO *in) {
    unsigned count = 0;
    const char *wrong = NULL;
    struct block b;
    while (wrong == NULL && PEM_read_bio(in, &b.name, &b.header, &b.bytes, &b.len) == 1) {
        wrong = add(keys, &b);
        OPENSSL_free(b.name);
        OPENSSL_free(b.header);
        OPENSSL_free(b.bytes);
        count++;
    }
    if (wrong != NULL)
        return wrong;
    bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return !ended      ? "it is not whole PEM"
           : count > 0 ? NULL
                       : "there is no public key in it, as PEM or as a JWK set";
}

const char *pem_read(struct keys *keys, struct slice text) {
    ERR_clear_error();
    BIO *in = text.len <= INT_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
    const char *wrong = in != NULL ? read_blocks(keys, in) : "there is no memory left";
    BIO_free(in);
    ERR_clear_error();
    return wrong;
}
