#ifndef SLUICE_GATEWAY_HTTPS_H
#define SLUICE_GATEWAY_HTTPS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

/*
 * Requests that this node sends to others: libcurl's multi interface on the loop, so no turn
 * waits for one. The user of it makes an easy handle for each request.
 */
struct https {
    uv_loop_t *loop;
    uv_timer_t timer; /* libcurl's */
    CURLM *multi;     /* NULL: closed */
    /* A transfer is over. The handle is not in the multi any more, and is the callee's to clean
     * up. The callee may add, remove and close. */
    void (*done)(void *owner, CURL *easy, CURLcode code);
    void *owner;
};

/* Returns NULL, or what is wrong with a URL to ask. plain: http is allowed to any host, and not
 * to loopback alone. Needs no struct https. */
const char *https_check_url(const char *url, bool plain);

/* Returns NULL, or why it cannot be used; then nothing needs an end. */
const char *https_init(struct https *h, uv_loop_t *loop,
                       void (*done)(void *owner, CURL *easy, CURLcode code), void *owner);

enum https_proxy { HTTPS_NO_PROXY, HTTPS_ENVIRONMENT_PROXY /* but for a URL at loopback */ };
/*
 * Sets what all requests have: the URL, TLS from 1.2 on, verified, no redirects, no netrc, no
 * signals. ca: a file with the certificates to trust, in place of the system's; empty: those.
 * libcurl copies the texts. Returns false if it cannot.
 */
bool https_set_up(CURL *easy, const char *url, const char *ca, enum https_proxy proxy);

/* Begins a transfer; `done` is called in a later turn. Returns false without memory; then it is
 * not called. */
bool https_add(struct https *h, CURL *easy);
/* Gives a transfer up: `done` is not called. The handle is still the caller's. Not from within
 * a callback of libcurl. */
void https_remove(struct https *h, CURL *easy);
/* All handles must be removed. The memory of *h is free when the loop has closed its own. */
void https_close(struct https *h);

#endif
