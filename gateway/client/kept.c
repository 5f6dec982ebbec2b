#include "gateway/client/kept.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    bool good, several;
    struct failure failure;
    size_t len;
    char bytes[]; /* the answer's data; or the failure's field and message, each with its NUL */
};

static struct kept *make(struct slice bytes) {
    struct kept *k = malloc(sizeof *k + bytes.len);
    if (k == NULL)
        return NULL;
    *k = (struct kept){.good = true, .len = bytes.len};
    if (bytes.len > 0)
        memcpy(k->bytes, bytes.ptr, bytes.len);
    return k;
}

struct kept *kept_answer(struct slice data, bool several) {
    struct kept *k = make(data);
    if (k != NULL)
        k->several = several;
    return k;
}

static void put_text(struct buf *texts, const char *text) {
    buf_str(texts, text != NULL ? text : "");
    buf_char(texts, 0);
}

struct kept *kept_failure(const struct failure *failure) {
    struct buf texts;
    buf_init(&texts);
    put_text(&texts, failure->field);
    put_text(&texts, failure->message);
    struct kept *k = texts.failed ? NULL : make(buf_bytes(&texts));
    buf_deinit(&texts);
    if (k == NULL)
        return NULL;
    k->good = false;
    k->failure = *failure;
    k->failure.field = failure->field != NULL ? k->bytes : NULL;
    k->failure.message = failure->message != NULL ? k->bytes + strlen(k->bytes) + 1 : NULL;
    return k;
}

void kept_tell(struct kept *k, struct client *c, const struct ack *ack, const char *event) {
    if (!k->good)
        client_fail(c, ack, event, &k->failure);
    else if (ack->len != 0 && !c->as.gone)
        client_door(c)->answer(c, ack, (struct slice){k->bytes, k->len}, k->several);
}
