#include "gateway/https.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS 5000

/* --- what may be asked ----------------------------------------------------------------------
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

static const char *check_parts(const char *scheme, const char *host, const char *user,
                               bool plain) {
    if (scheme == NULL || host == NULL)
        return "must be like https://service.example/path";
    if (user != NULL)
        return "must have no user and no password";
    if (strcmp(scheme, "https") == 0)
        return NULL;
    return strcmp(scheme, "http") == 0 && (plain || is_loopback(host))
               ? NULL
               : "must begin with https:// (http:// is for loopback only)";
}

const char *https_check_url(const char *url, bool plain) {
    CURLU *parts = curl_url();
    if (parts == NULL)
        return "there is no memory left";
    const char *wrong = "is not a URL";
    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        char *scheme = part_of(parts, CURLUPART_SCHEME), *host = part_of(parts, CURLUPART_HOST);
        char *user = part_of(parts, CURLUPART_USER);
        wrong = check_parts(scheme, host, user, plain);
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

/* --- libcurl on the loop --------------------------------------------------------------------
 */

/* `done` may close, so the multi is looked at each time. */
static void look(struct https *h) {
    int left;
    CURLMsg *message;
    while (h->multi != NULL && (message = curl_multi_info_read(h->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message goes with the handle */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(h->multi, easy);
        ERR_clear_error();
        h->done(h->owner, easy, code);
    }
}

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    struct https *h = poll->data;
    uv_os_fd_t fd;
    int left, what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                     (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                     (status < 0 ? CURL_CSELECT_ERR : 0);
    if (uv_fileno((uv_handle_t *)poll, &fd) != 0)
        return;
    curl_multi_socket_action(h->multi, fd, what, &left);
    look(h);
}

static void on_timer(uv_timer_t *timer) {
    struct https *h = timer->data;
    int left;
    curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &left);
    look(h);
}

static int on_timeout_set(CURLM *multi, long ms, void *owner) {
    struct https *h = owner;
    (void)multi;
    if (ms < 0)
        return uv_timer_stop(&h->timer);
    uv_update_time(h->loop);
    return uv_timer_start(&h->timer, on_timer, (uint64_t)ms, 0);
}

static uv_poll_t *watch(struct https *h, curl_socket_t fd) {
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (poll == NULL || uv_poll_init_socket(h->loop, poll, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->data = h;
    curl_multi_assign(h->multi, fd, poll);
    return poll;
}

/* libcurl closes the socket after CURL_POLL_REMOVE. Without memory it is not watched, and a
 * time limit ends the transfer. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *watched) {
    struct https *h = owner;
    uv_poll_t *poll = watched;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(h->multi, fd, NULL);
        if (poll != NULL)
            uv_close((uv_handle_t *)poll, on_closed);
        return 0;
    }
    if (poll == NULL)
        poll = watch(h, fd);
    if (poll == NULL)
        return 0;
    int events =
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(poll, events, on_ready);
}

/* --- a request ------------------------------------------------------------------------------
 */

/* All authorities of a system in one file take OpenSSL some 200 ms to read, at each connection.
 * Of a folder of them it reads the one that is needed. */
static bool set_authorities(CURL *c, const char *ca) {
    if (ca[0] != '\0')
        return curl_easy_setopt(c, CURLOPT_CAINFO, ca) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return curl_version_info(CURLVERSION_NOW)->capath == NULL ||
           curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK;
}

bool https_set_up(CURL *c, const char *url, const char *ca, enum https_proxy proxy) {
    bool good = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
    good = good && set_authorities(c, ca);
    /* A proxy that the environment names has another loopback. */
    if (proxy == HTTPS_NO_PROXY || at_loopback(url))
        good = good && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* The end of a transfer must not wait for a name that is still looked up. */
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#endif
    return good;
}

bool https_add(struct https *h, CURL *easy) {
    return curl_multi_add_handle(h->multi, easy) == CURLM_OK;
}

void https_remove(struct https *h, CURL *easy) {
    curl_multi_remove_handle(h->multi, easy);
    ERR_clear_error();
}

/* --- life -----------------------------------------------------------------------------------
 */

/* The first context takes OpenSSL some 10 ms, since it reads its configuration and makes its
 * tables. It is made before the node serves, and not in the turn of a request. */
static void warm_up(void) {
    SSL_CTX_free(SSL_CTX_new(TLS_client_method()));
    ERR_clear_error();
}

const char *https_init(struct https *h, uv_loop_t *loop,
                       void (*done)(void *owner, CURL *easy, CURLcode code), void *owner) {
    *h = (struct https){.loop = loop, .done = done, .owner = owner};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return "libcurl cannot be used";
    int features = curl_version_info(CURLVERSION_NOW)->features;
    h->multi = curl_multi_init();
    if (h->multi == NULL || (features & CURL_VERSION_ASYNCHDNS) == 0 ||
        (features & CURL_VERSION_SSL) == 0) {
        curl_multi_cleanup(h->multi);
        curl_global_cleanup();
        return "this libcurl has no TLS, or waits for names";
    }
    warm_up();
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout_set);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return NULL;
}

/* Connections that are kept end in here, and their sockets are not watched any more then. */
void https_close(struct https *h) {
    CURLM *multi = h->multi;
    curl_multi_cleanup(multi);
    h->multi = NULL;
    ERR_clear_error();
    curl_global_cleanup();
    uv_close((uv_handle_t *)&h->timer, NULL);
}
