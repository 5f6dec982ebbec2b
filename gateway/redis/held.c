#include "gateway/redis/held.h"

#include "gateway/redis/eval.h"

void held_init(struct held_scripts *h) {
    *h = (struct held_scripts){.bytes = 0};
    list_init(&h->scripts);
}

bool held_push(struct held_scripts *h, uint64_t now, int script, unsigned argc,
               struct slice tail, redis_done done, void *arg) {
    struct held_script *s = malloc(sizeof *s + tail.len);
    if (s == NULL)
        return false;
    *s = (struct held_script){
        .script = script, .argc = argc, .done = done, .arg = arg, .len = tail.len};
    memcpy(s->tail, tail.ptr, tail.len);
    list_push(&h->scripts, &s->link);
    h->bytes += sizeof *s + tail.len;
    if (h->since == 0)
        h->since = now;
    return true;
}

struct held_script *held_pop(struct held_scripts *h) {
    if (list_empty(&h->scripts)) {
        h->since = 0;
        return NULL;
    }
    struct held_script *s = container_of(h->scripts.next, struct held_script, link);
    list_remove(&s->link);
    h->bytes -= sizeof *s + s->len;
    return s;
}

void held_fail(struct held_scripts *h) {
    struct held_scripts all = *h;
    list_init(&all.scripts);
    list_splice(&all.scripts, &h->scripts);
    held_init(h);
    for (struct held_script *s = held_pop(&all); s != NULL; s = held_pop(&all)) {
        if (s->done != NULL)
            s->done(s->arg, NULL, OUTCOME_REFUSED);
        free(s);
    }
}

/* --- the term -------------------------------------------------------------------------------
 */

bool held_tail(struct buf *out, struct slice tail, struct slice term) {
    struct slice rest = tail, word;
    size_t keys = 0;
    if (!eval_take_count(&rest, &keys))
        return false;
    for (size_t i = 0; i < keys; i++) {
        if (!eval_take(&rest, &word))
            return false;
    }
    buf_append(out, tail.ptr, (size_t)(rest.ptr - tail.ptr));
    if (!eval_take(&rest, &word))
        return false;
    resp_bulk(out, term);
    buf_slice(out, rest);
    return !out->failed;
}
