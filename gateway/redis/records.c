#include "gateway/redis/records.h"

#include <string.h>

const char *records_begin(struct records *r, SSL_CTX *context, const char *host) {
    struct slice none = {NULL, 0};
    r->on = true;
    if (context == NULL)
        return "there are no certificates for TLS";
    if (!tls_init(&r->tls, context, false) || !tls_expect(&r->tls, host))
        return "out of memory";
    tls_read(&r->tls, none, &none);
    return r->tls.failed ? tls_why(&r->tls) : NULL;
}

int records_take(struct records *r, struct pipeline *p, uv_buf_t *bytes) {
    struct buf *from = &p->writing;
    bool good = true;
    bool takes = p->out.len > 0 && (!r->on || tls_is_open(&r->tls));
    if (takes)
        pipeline_take(p);
    if (r->on) {
        good = !takes || tls_write(&r->tls, buf_bytes(&p->writing));
        from = &r->writing;
        *from = r->tls.out;
        buf_init(&r->tls.out);
    }
    *bytes = uv_buf_init(from->data, (unsigned)from->len);
    return good && !from->failed ? 0 : UV_ENOMEM;
}

void records_written(struct records *r) {
    buf_deinit(&r->writing);
}

void records_forget(struct records *r) {
    if (!r->on)
        return;
    tls_deinit(&r->tls);
    buf_deinit(&r->writing);
    r->on = false;
}
