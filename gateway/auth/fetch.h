#ifndef SLUICE_AUTH_FETCH_H
#define SLUICE_AUTH_FETCH_H

#include "common/buf.h"
#include "gateway/https.h"

/* Gets one small document at a time by https. Redirects are not followed; http is for loopback
 * only. */
#define FETCH_MOST       262144 /* bytes of a document */
#define FETCH_TIMEOUT_MS 10000

struct fetch {
    struct https https;
    CURL *easy; /* NULL: nothing is under way */
    struct curl_slist *headers;
    struct buf body;
    char reason[CURL_ERROR_SIZE];
    bool too_long;
    /* wrong: NULL, or why there is no body (valid until it returns). It may begin the next. */
    void (*done)(void *owner, struct slice body, const char *wrong);
    void *owner;
};

/* Returns NULL, or what is wrong with a URL to fetch from; needs no struct fetch. */
const char *fetch_check_url(const char *url);

/* Returns NULL, or why it cannot be used; then nothing needs an end. */
const char *fetch_init(struct fetch *f, uv_loop_t *loop,
                       void (*done)(void *owner, struct slice body, const char *wrong),
                       void *owner);
/*
 * Begins to fetch; nothing may be under way. ca: a file with the certificates to trust, in
 * place of the system's; empty: those. `done` is called in a later turn. Returns false without
 * memory; then it is not called.
 */
bool fetch_begin(struct fetch *f, const char *url, const char *ca);
/* Gives up what is under way, and closes all handles; `done` is not called any more. The memory
 * of *f is free when the loop has closed them. */
void fetch_close(struct fetch *f);

#endif
