#include "gateway/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

/* For TLS 1.2: forward secrecy and authenticated encryption. TLS 1.3 has nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Bytes of certificates that a client may send in its handshake. */
#define CLIENT_CHAIN_MOST 16384
/* How long a session may be resumed. */
#define TICKET_SECONDS 7200
#define TICKET_KEY     80 /* what SSL_CTX_set_tlsext_ticket_keys wants */

/* --- reading files --------------------------------------------------------------------------
 */

static bool fail(struct tls_fault *fault, enum tls_file file, const char *why) {
    *fault = (struct tls_fault){file, why};
    return false;
}

/* OpenSSL's reason for the last failure. */
static const char *reason(void) {
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text != NULL ? text : "OpenSSL refuses it";
}

static BIO *open_file(const char *path, enum tls_file which, struct tls_fault *fault) {
    BIO *file = BIO_new_file(path, "r");
    if (file == NULL)
        fail(fault, which, log_text("cannot be read: %s", strerror(errno)));
    return file;
}

/* A key that is encrypted is refused, since nobody could be asked for its password. */
static int no_password(char *buf, int size, int writing, void *arg) {
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool load_cert(SSL_CTX *context, const char *path, struct tls_fault *fault) {
    BIO *file = open_file(path, TLS_FILE_CERT, fault);
    if (file == NULL)
        return false;
    BIO_free(file);
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1)
        return true;
    return fail(fault, TLS_FILE_CERT,
                ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE
                    ? "holds no certificate in PEM"
                    : reason());
}

static bool load_key(SSL_CTX *context, const char *path, struct tls_fault *fault) {
    BIO *file = open_file(path, TLS_FILE_KEY, fault);
    if (file == NULL)
        return false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, no_password, NULL);
    BIO_free(file);
    if (key == NULL)
        return fail(fault, TLS_FILE_KEY,
                    "holds no private key in PEM that can be read without a password");
    bool good =
        SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return good || fail(fault, TLS_FILE_KEY, "is not the key of the certificate");
}

static bool load_ca(SSL_CTX *context, const char *path, struct tls_fault *fault) {
    BIO *file = open_file(path, TLS_FILE_CA, fault);
    if (file == NULL)
        return false;
    BIO_free(file);
    return SSL_CTX_load_verify_file(context, path) == 1 ||
           fail(fault, TLS_FILE_CA, "holds no certificate in PEM");
}

static bool load_own(SSL_CTX *context, const struct tls_files *files, struct tls_fault *fault) {
    return files->cert[0] == '\0' ||
           (load_cert(context, files->cert, fault) && load_key(context, files->key, fault));
}

/* --- contexts -------------------------------------------------------------------------------
 */

static SSL_CTX *context_make(const SSL_METHOD *method) {
    SSL_CTX *context = SSL_CTX_new(method);
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, CIPHERS) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* no buffers while it is idle */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

/* A client that names protocols must name ours: it would take our bytes for another one. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *offered, unsigned len, void *arg) {
    static const unsigned char http[] = "http/1.1";
    (void)ssl;
    (void)arg;
    for (unsigned at = 0; at < len; at += 1U + offered[at]) {
        if (offered[at] == sizeof http - 1 &&
            memcmp(offered + at + 1, http, sizeof http - 1) == 0) {
            *out = offered + at + 1;
            *out_len = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Sessions are in the clients' tickets alone, so that they take no memory here. */
static bool configure_server(SSL_CTX *context, const struct tls_files *files,
                             struct tls_fault *fault) {
    static const unsigned char name[] = "sluice";
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_timeout(context, TICKET_SECONDS);
    SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
    SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_MOST);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (files->ca[0] == '\0')
        return true;
    if (!load_ca(context, files->ca, fault))
        return false;
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files->ca));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

static bool configure_client(SSL_CTX *context, const struct tls_files *files,
                             struct tls_fault *fault) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (files->ca[0] != '\0')
        return load_ca(context, files->ca, fault);
    return SSL_CTX_set_default_verify_paths(context) == 1 ||
           fail(fault, TLS_FILE_CA, "is needed: the system's authorities cannot be read");
}

static SSL_CTX *
context_of(const SSL_METHOD *method, const struct tls_files *files, struct tls_fault *fault,
           bool (*configure)(SSL_CTX *, const struct tls_files *, struct tls_fault *)) {
    SSL_CTX *context = context_make(method);
    ERR_clear_error();
    if (context == NULL)
        fail(fault, TLS_FILE_CERT, "out of memory");
    else if (load_own(context, files, fault) && configure(context, files, fault))
        return context;
    SSL_CTX_free(context);
    ERR_clear_error();
    return NULL;
}

SSL_CTX *tls_context_server(const struct tls_files *files, struct tls_fault *fault) {
    return context_of(TLS_server_method(), files, fault, configure_server);
}

SSL_CTX *tls_context_client(const struct tls_files *files, struct tls_fault *fault) {
    return context_of(TLS_client_method(), files, fault, configure_client);
}

/* --- about a context ------------------------------------------------------------------------
 */

static int64_t expiry_of(const X509 *cert) {
    struct tm when;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &when) != 1)
        return 0;
    int64_t seconds = timegm(&when);
    return seconds > 1 ? seconds : 1;
}

int64_t tls_context_expires(SSL_CTX *context) {
    STACK_OF(X509) *chain = NULL;
    const X509 *own = SSL_CTX_get0_certificate(context);
    if (own == NULL)
        return 0;
    int64_t first = expiry_of(own);
    SSL_CTX_get0_chain_certs(context, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t one = expiry_of(sk_X509_value(chain, i));
        first = one < first ? one : first;
    }
    return first;
}

void tls_context_renew(SSL_CTX *context) {
    unsigned char keys[TICKET_KEY];
    if (RAND_bytes(keys, sizeof keys) == 1)
        SSL_CTX_set_tlsext_ticket_keys(context, keys, sizeof keys);
    OPENSSL_cleanse(keys, sizeof keys);
}
