#include "gateway/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/log.h"

/* What one tls_read can give: OpenSSL may hold a part of a record from before. */
#define PLAIN_MOST (TLS_READ_MOST + TLS_RECORD + 512)

/* --- the BIO --------------------------------------------------------------------------------
 * It reads from `in` and writes to `out`.
 */

static int bio_read(BIO *bio, char *into, int size) {
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (t->in.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = (size_t)size < t->in.len ? (size_t)size : t->in.len;
    memcpy(into, t->in.ptr, len);
    t->in.ptr += len;
    t->in.len -= len;
    return (int)len;
}

static int bio_write(BIO *bio, const char *bytes, int len) {
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_append(&t->out, bytes, (size_t)len);
    return t->out.failed ? -1 : len;
}

static long bio_control(BIO *bio, int command, long number, void *arg) {
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *bio_make(struct tls *t) {
    static BIO_METHOD *method;
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slices");
        if (method == NULL)
            return NULL;
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
    BIO *bio = BIO_new(method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- life -----------------------------------------------------------------------------------
 */

bool tls_init(struct tls *t, SSL_CTX *context, bool server) {
    memset(t, 0, sizeof *t);
    buf_init(&t->out);
    t->ssl = SSL_new(context);
    BIO *bio = t->ssl != NULL ? bio_make(t) : NULL;
    if (bio == NULL) {
        tls_deinit(t);
        return false;
    }
    SSL_set_bio(t->ssl, bio, bio);
    if (server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    return true;
}

void tls_deinit(struct tls *t) {
    SSL_free(t->ssl);
    t->ssl = NULL;
    buf_deinit(&t->out);
}

bool tls_expect(struct tls *t, const char *host) {
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(t->ssl, host) == 1 && SSL_set_tlsext_host_name(t->ssl, host) == 1;
}

/* --- failures -------------------------------------------------------------------------------
 */

static enum tls_handshake kind_of(unsigned long error) {
    switch (ERR_GET_REASON(error)) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return TLS_HTTP;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
        return TLS_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return TLS_NOTHING_SHARED;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return TLS_CERTIFICATE;
    case ERR_R_MALLOC_FAILURE:
        return TLS_NO_MEMORY;
    default:
        return ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET ? TLS_ALERT : TLS_BROKEN;
    }
}

const char *tls_why(const struct tls *t) {
    if (t->trouble == TLS_NO_MEMORY)
        return "no memory for it, or it announced too much";
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return log_text("the certificate was refused: %s",
                        X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
    return t->trouble == TLS_ALERT ? log_text("the peer gave up: %s",
                                              reason != NULL ? reason : "it does not say why")
           : reason != NULL        ? reason
                                   : "not the TLS protocol";
}

/* `n` was returned by a function of OpenSSL that could not go on. */
static void look_why(struct tls *t, int n) {
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_ZERO_RETURN:
        t->ended = true;
        break;
    default:
        t->failed = true;
        t->trouble = t->out.failed ? TLS_NO_MEMORY : kind_of(ERR_peek_error());
    }
}

/* --- bytes ----------------------------------------------------------------------------------
 */

void tls_read(struct tls *t, struct slice in, struct slice *plain) {
    static char bytes[PLAIN_MOST];
    size_t len = 0;
    assert(in.len <= TLS_READ_MOST);
    *plain = (struct slice){bytes, 0};
    if (t->ended || t->failed)
        return;
    t->in = in;
    ERR_clear_error(); /* SSL_get_error looks at what is left there */
    int n = tls_is_open(t) ? 1 : SSL_do_handshake(t->ssl);
    while (n > 0) {
        assert(len < sizeof bytes);
        n = SSL_read(t->ssl, bytes + len, (int)(sizeof bytes - len));
        if (n > 0)
            len += (size_t)n;
    }
    look_why(t, n);
    t->in = (struct slice){NULL, 0};
    plain->len = len;
}

bool tls_write(struct tls *t, struct slice plain) {
    if (t->failed)
        return false;
    ERR_clear_error();
    return plain.len == 0 || SSL_write(t->ssl, plain.ptr, (int)plain.len) == (int)plain.len;
}

void tls_end(struct tls *t) {
    if (t->failed || !tls_is_open(t) || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
}
