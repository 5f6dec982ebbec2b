#include "gateway/auth/fetch.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS 5000

/* --- what may be fetched --------------------------------------------------------------------
 */

static bool is_loopback(const char *host) {
    struct in_addr ip4;
    if (inet_pton(AF_INET, host, &ip4) == 1)
        return ntohl(ip4.s_addr) >> 24 == 127;
    return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}

static char *part_of(CURLU *parts, CURLUPart which) {
    char *text = NULL;
    return curl_url_get(parts, which, &text, 0) == CURLUE_OK ? text : NULL;
}

static const char *check_parts(const char *scheme, const char *host, const char *user) {
    if (scheme == NULL || host == NULL)
        return "must be like https://issuer.example/keys.json";
    if (user != NULL)
        return "must have no user and no password";
    if (strcmp(scheme, "https") == 0)
        return NULL;
    return strcmp(scheme, "http") == 0 && is_loopback(host)
               ? NULL
               : "must begin with https:// (http:// is for loopback only)";
}

const char *fetch_check_url(const char *url) {
    CURLU *parts = curl_url();
    if (parts == NULL)
        return "there is no memory left";
    const char *wrong = "is not a URL";
    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        char *scheme = part_of(parts, CURLUPART_SCHEME), *host = part_of(parts, CURLUPART_HOST);
        char *user = part_of(parts, CURLUPART_USER);
        wrong = check_parts(scheme, host, user);
        curl_free(scheme);
        curl_free(host);
        curl_free(user);
    }
    curl_url_cleanup(parts);
    return wrong;
}

static bool at_loopback(const char *url) {
    CURLU *parts = curl_url();
    char *host = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK
                     ? part_of(parts, CURLUPART_HOST)
                     : NULL;
    bool yes = host != NULL && is_loopback(host);
    curl_free(host);
    curl_url_cleanup(parts);
    return yes;
}

/* --- the end of one -------------------------------------------------------------------------
 */

static void forget(struct fetch *f) {
    if (f->easy != NULL) {
        curl_multi_remove_handle(f->multi, f->easy);
        curl_easy_cleanup(f->easy);
        f->easy = NULL;
    }
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

static void finish(struct fetch *f, CURLcode code) {
    long status = 0;
    char text[48];
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    forget(f);
    ERR_clear_error();
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

/* There is one transfer at most, so there is one message at most. */
static void look(struct fetch *f) {
    int left;
    CURLMsg *message = curl_multi_info_read(f->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE)
        finish(f, message->data.result);
}

/* --- libcurl on the loop --------------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    struct fetch *f = poll->data;
    uv_os_fd_t fd;
    int left, what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                     (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                     (status < 0 ? CURL_CSELECT_ERR : 0);
    if (uv_fileno((uv_handle_t *)poll, &fd) != 0)
        return;
    curl_multi_socket_action(f->multi, fd, what, &left);
    look(f);
}

static void on_timer(uv_timer_t *timer) {
    struct fetch *f = timer->data;
    int left;
    curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &left);
    look(f);
}

static int on_timeout_set(CURLM *multi, long ms, void *owner) {
    struct fetch *f = owner;
    (void)multi;
    if (ms < 0)
        return uv_timer_stop(&f->timer);
    uv_update_time(f->loop);
    return uv_timer_start(&f->timer, on_timer, (uint64_t)ms, 0);
}

static uv_poll_t *watch(struct fetch *f, curl_socket_t fd) {
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (poll == NULL || uv_poll_init_socket(f->loop, poll, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->data = f;
    curl_multi_assign(f->multi, fd, poll);
    return poll;
}

/* libcurl closes the socket after CURL_POLL_REMOVE. Without memory it is not watched, and
 * libcurl's time limit ends the transfer. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *watched) {
    struct fetch *f = owner;
    uv_poll_t *poll = watched;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(f->multi, fd, NULL);
        if (poll != NULL)
            uv_close((uv_handle_t *)poll, on_closed);
        return 0;
    }
    if (poll == NULL)
        poll = watch(f, fd);
    if (poll == NULL)
        return 0;
    int events =
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(poll, events, on_ready);
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

/* The first context takes OpenSSL some 10 ms, since it reads its configuration and makes its
 * tables. It is made before the node serves, and not in the turn of a fetch. */
static void warm_up(void) {
    SSL_CTX_free(SSL_CTX_new(TLS_client_method()));
    ERR_clear_error();
}

/* All authorities of a system in one file take OpenSSL some 200 ms to read, at each fetch. Of a
 * folder of them it reads the one that is needed. */
static bool set_authorities(CURL *c, const char *ca) {
    if (ca[0] != '\0')
        return curl_easy_setopt(c, CURLOPT_CAINFO, ca) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return curl_version_info(CURLVERSION_NOW)->capath == NULL ||
           curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK;
}

static bool set_up(struct fetch *f, const char *url, const char *ca) {
    CURL *c = f->easy;
    bool good = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    good = good && set_authorities(c, ca);
    if (at_loopback(url)) /* a proxy that the environment names has another loopback */
        good = good && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
    f->headers = curl_slist_append(NULL, "Accept: application/json");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->reason);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)FETCH_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L); /* the next one is minutes away */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* The end of a transfer must not wait for a name that is still looked up. */
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#endif
    return good;
}

bool fetch_begin(struct fetch *f, const char *url, const char *ca) {
    f->reason[0] = '\0';
    f->too_long = false;
    buf_deinit(&f->body);
    f->easy = curl_easy_init();
    if (f->easy == NULL)
        return false;
    if (set_up(f, url, ca) && curl_multi_add_handle(f->multi, f->easy) == CURLM_OK)
        return true;
    curl_easy_cleanup(f->easy);
    f->easy = NULL;
    forget(f);
    return false;
}

/* --- life -----------------------------------------------------------------------------------
 */

const char *fetch_init(struct fetch *f, uv_loop_t *loop,
                       void (*done)(void *owner, struct slice body, const char *wrong),
                       void *owner) {
    *f = (struct fetch){.loop = loop, .done = done, .owner = owner};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return "libcurl cannot be used";
    int features = curl_version_info(CURLVERSION_NOW)->features;
    f->multi = curl_multi_init();
    if (f->multi == NULL || (features & CURL_VERSION_ASYNCHDNS) == 0 ||
        (features & CURL_VERSION_SSL) == 0) {
        curl_multi_cleanup(f->multi);
        curl_global_cleanup();
        return "this libcurl has no TLS, or waits for names";
    }
    warm_up();
    uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timeout_set);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    return NULL;
}

void fetch_close(struct fetch *f) {
    forget(f);
    curl_multi_cleanup(f->multi);
    f->multi = NULL;
    curl_global_cleanup();
    buf_deinit(&f->body);
    uv_close((uv_handle_t *)&f->timer, NULL);
}
