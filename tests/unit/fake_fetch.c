#include "tests/unit/fake_fetch.h"

static struct fetch *open_one;
static unsigned begun;

unsigned fake_fetch_begun(void) {
    return begun;
}

bool fake_fetch_is_open(void) {
    return open_one != NULL;
}

void fake_fetch_answer(const char *text, const char *wrong) {
    struct fetch *f = open_one;
    open_one = NULL;
    f->done(f->owner, wrong == NULL ? slice_of(text) : (struct slice){NULL, 0}, wrong);
}

void fake_fetch_reset(void) {
    open_one = NULL;
    begun = 0;
}

const char *fetch_check_url(const char *url) {
    return url[0] == 'h' ? NULL : "is not a URL";
}

const char *fetch_init(struct fetch *f, uv_loop_t *loop,
                       void (*done)(void *owner, struct slice body, const char *wrong),
                       void *owner) {
    (void)loop;
    *f = (struct fetch){.done = done, .owner = owner};
    return NULL;
}

bool fetch_begin(struct fetch *f, const char *url, const char *ca) {
    (void)url;
    (void)ca;
    if (open_one != NULL)
        return false; /* there is to be one at a time */
    open_one = f;
    begun++;
    return true;
}

void fetch_close(struct fetch *f) {
    (void)f;
    open_one = NULL;
}
