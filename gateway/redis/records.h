#ifndef SLUICE_REDIS_RECORDS_H
#define SLUICE_REDIS_RECORDS_H

#include <uv.h>

#include "gateway/redis/pipeline.h"
#include "gateway/tls.h"

/* TLS below one link. The link writes its bytes; reading.c decrypts what comes. */
struct records {
    struct tls tls;
    struct buf writing; /* what a running write has */
    bool on;            /* from records_begin to records_forget */
};

/* Begins: the first record is there to be written. host: for whom Redis's certificate must be.
 * context NULL: refused, since what should be encrypted must not go plain. Returns what is
 * wrong, or NULL. */
const char *records_begin(struct records *r, SSL_CTX *context, const char *host);

/*
 * Takes all that can be written now, which may be nothing: the commands that the pipeline has
 * gathered, as they are, or, if TLS is on, its records. With TLS commands wait until the
 * handshake is done. The bytes are valid until they are written, of which both are told
 * (pipeline_written, records_written). Returns 0 or a libuv error.
 */
int records_take(struct records *r, struct pipeline *p, uv_buf_t *bytes);
void records_written(struct records *r);
/* The stream is closed. Another one may begin. */
void records_forget(struct records *r);

#endif
