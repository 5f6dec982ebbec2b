#include "gateway/auth/fetch.h"

#include <string.h>

const char *fetch_check_url(const char *url) {
    return https_check_url(url, false);
}

/* --- the end of one -------------------------------------------------------------------------
 */

static void forget(struct fetch *f) {
    curl_easy_cleanup(f->easy);
    f->easy = NULL;
    curl_slist_free_all(f->headers);
    f->headers = NULL;
}

static const char *explain(const struct fetch *f, CURLcode code) {
    if (f->too_long)
        return "the answer is longer than 256 KiB";
    if (f->body.failed)
        return "there is no memory left";
    return f->reason[0] != '\0' ? f->reason : curl_easy_strerror(code);
}

static void on_done(void *owner, CURL *easy, CURLcode code) {
    struct fetch *f = owner;
    long status = 0;
    char text[48];
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    forget(f);
    const char *wrong = code == CURLE_OK ? NULL : explain(f, code);
    if (wrong == NULL && status != 200) {
        snprintf(text, sizeof text, "the answer has the status %ld", status);
        wrong = text;
    }
    struct buf body = f->body; /* f may begin the next one in `done` */
    buf_init(&f->body);
    f->done(f->owner, buf_bytes(&body), wrong);
    buf_deinit(&body);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *owner) {
    struct fetch *f = owner;
    f->too_long = f->body.len + size * count > FETCH_MOST;
    if (!f->too_long)
        buf_append(&f->body, bytes, size * count);
    return f->too_long || f->body.failed ? 0 : size * count;
}

/* --- begun ----------------------------------------------------------------------------------
 */

static bool set_up(struct fetch *f, const char *url, const char *ca) {
    CURL *c = f->easy;
    bool good = https_set_up(c, url, ca, HTTPS_ENVIRONMENT_PROXY) &&
                curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK;
    f->headers = curl_slist_append(NULL, "Accept: application/json");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->reason);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)FETCH_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L); /* the next one is minutes away */
    return good;
}

bool fetch_begin(struct fetch *f, const char *url, const char *ca) {
    f->reason[0] = '\0';
    f->too_long = false;
    buf_deinit(&f->body);
    f->easy = curl_easy_init();
    if (f->easy == NULL)
        return false;
    if (set_up(f, url, ca) && https_add(&f->https, f->easy))
        return true;
    forget(f);
    return false;
}

/* --- life -----------------------------------------------------------------------------------
 */

const char *fetch_init(struct fetch *f, uv_loop_t *loop,
                       void (*done)(void *owner, struct slice body, const char *wrong),
                       void *owner) {
    *f = (struct fetch){.done = done, .owner = owner};
    return https_init(&f->https, loop, on_done, f);
}

void fetch_close(struct fetch *f) {
    if (f->easy != NULL) {
        https_remove(&f->https, f->easy);
        forget(f);
    }
    https_close(&f->https);
    buf_deinit(&f->body);
}
