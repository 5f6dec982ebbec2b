#include "gateway/client/kept.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    bool good, several;
    struct failure failure;
    size_t len;
    char bytes[]; /* the answer's data; or the failure's texts, each with a NUL */
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

static void put_text(struct buf *texts, struct slice text) {
    buf_slice(texts, text);
    buf_char(texts, 0);
}

static struct slice or_empty(const char *text) {
    return slice_of(text != NULL ? text : "");
}

/* The next one of those texts. */
static struct slice take_text(const char **at) {
    struct slice text = slice_of(*at);
    *at += text.len + 1;
    return text;
}

struct kept *kept_failure(const struct failure *failure) {
    struct buf texts;
    buf_init(&texts);
    put_text(&texts, or_empty(failure->field));
    put_text(&texts, or_empty(failure->message));
    put_text(&texts, or_empty(failure->code));
    put_text(&texts, failure->data);
    struct kept *k = texts.failed ? NULL : make(buf_bytes(&texts));
    buf_deinit(&texts);
    if (k == NULL)
        return NULL;
    k->good = false;
    k->failure = *failure;
    const char *at = k->bytes;
    const char *field = take_text(&at).ptr, *message = take_text(&at).ptr;
    const char *code = take_text(&at).ptr;
    k->failure.field = failure->field != NULL ? field : NULL;
    k->failure.message = failure->message != NULL ? message : NULL;
    k->failure.code = failure->code != NULL ? code : NULL;
    k->failure.data = take_text(&at);
    return k;
}

void kept_tell(struct kept *k, struct client *c, const struct ack *ack, const char *event) {
    if (!k->good)
        client_fail(c, ack, event, &k->failure);
    else if (ack->len != 0 && !c->as.gone)
        client_door(c)->answer(c, ack, (struct slice){k->bytes, k->len}, k->several);
}
