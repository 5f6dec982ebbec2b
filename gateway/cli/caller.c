#include "gateway/cli/caller.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/utf8.h"
#include "gateway/https.h"

#define ANSWER_MOST ((size_t)64 << 20)
#define ANSWER_MS   15000L

/* --- libcurl --------------------------------------------------------------------------------
 */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg) {
    struct caller *c = arg;
    size_t len = size * count;
    if (len > ANSWER_MOST - c->answer.len)
        return 0;
    buf_append(&c->answer, bytes, len);
    return c->answer.failed ? 0 : len;
}

/* It is called about once a second, and after a signal. */
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t to_send,
                       curl_off_t sent) {
    const struct caller *c = arg;
    (void)total, (void)now, (void)to_send, (void)sent;
    return c->stopped != NULL && c->stopped();
}

static bool set_up(struct caller *c, const struct caller_place *p) {
    enum https_proxy proxy = p->proxy ? HTTPS_ENVIRONMENT_PROXY : HTTPS_NO_PROXY;
    bool good = https_set_up(c->easy, c->url, p->ca, proxy);
    if (p->path != NULL)
        good = good && curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, p->path) == CURLE_OK;
    if (p->any_name)
        good = good && curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->detail);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->easy, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(c->easy, CURLOPT_NOPROGRESS, 0L);
    return good;
}

static bool add_header(struct caller *c, const char *line) {
    struct curl_slist *longer = curl_slist_append(c->headers, line);
    if (longer != NULL)
        c->headers = longer;
    return longer != NULL;
}

bool caller_header(struct caller *c, const char *name, const char *value) {
    struct buf line = {0};
    buf_printf(&line, "%s: %s", name, value);
    buf_char(&line, '\0');
    bool good = !line.failed && add_header(c, line.data);
    if (!line.failed)
        OPENSSL_cleanse(line.data, line.len);
    buf_deinit(&line);
    return good;
}

static bool add_headers(struct caller *c, const char *key) {
    struct buf value = {0};
    buf_printf(&value, "Bearer %s", key);
    buf_char(&value, '\0');
    bool good = !value.failed && caller_header(c, "Authorization", value.data) &&
                add_header(c, "Content-Type: application/json") && add_header(c, "Expect:");
    if (!value.failed)
        OPENSSL_cleanse(value.data, value.len);
    buf_deinit(&value);
    return good;
}

const char *caller_open(struct caller *c, const struct caller_place *place,
                        bool (*stopped)(void)) {
    *c = (struct caller){.stopped = stopped};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return "libcurl cannot be used";
    c->easy = curl_easy_init();
    c->url = strdup(place->url);
    return c->easy != NULL && c->url != NULL && set_up(c, place) && add_headers(c, place->key)
               ? NULL
               : "there is no memory left";
}

void caller_close(struct caller *c) {
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    curl_global_cleanup();
    buf_deinit(&c->answer);
    free(c->url);
    *c = (struct caller){0};
}

/* --- a request ------------------------------------------------------------------------------
 */

static bool set_request(struct caller *c, const char *path, const struct buf *body) {
    struct buf url = {0};
    buf_printf(&url, "%s/api/v1%s", c->url, path);
    buf_char(&url, '\0');
    bool good = !url.failed && curl_easy_setopt(c->easy, CURLOPT_URL, url.data) == CURLE_OK &&
                curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK;
    buf_deinit(&url);
    if (body == NULL)
        return good && curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return good && curl_easy_setopt(c->easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, body->data) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len) ==
               CURLE_OK;
}

/* An answer that is no JSON leaves the type JSON_NONE. */
static void read_answer(struct caller *c) {
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->status);
    if (utf8_valid(buf_bytes(&c->answer)))
        (void)json_parse(buf_bytes(&c->answer), &c->said);
}

enum caller_result caller_ask(struct caller *c, const char *path, const struct buf *body) {
    buf_clear(&c->answer);
    c->said = (struct json_value){0};
    c->status = 0;
    c->detail[0] = '\0';
    c->code = set_request(c, path, body) ? curl_easy_perform(c->easy) : CURLE_OUT_OF_MEMORY;
    if (c->code == CURLE_ABORTED_BY_CALLBACK)
        return CALLER_STOPPED;
    if (c->code != CURLE_OK)
        return CALLER_AWAY;
    read_answer(c);
    if (c->status == 200 && c->said.type == JSON_OBJECT)
        return CALLER_GOOD;
    return c->status >= 500 || c->status == 429 ? CALLER_AWAY : CALLER_REFUSED;
}

/* --- why not --------------------------------------------------------------------------------
 */

static const char *text_of(struct json_value value, char *out, size_t size) {
    ptrdiff_t len = json_decode(value, out, size - 1);
    out[len > 0 ? len : 0] = '\0';
    return out;
}

/* What is no JSON comes from a port without the API, or from something between. */
static const char *refusal(const struct caller *c) {
    static const char *const names[] = {"error"};
    static const char *const parts[] = {"code", "message", "field"};
    struct json_value error, part[3];
    char code[64], message[512], field[64];
    json_fields(c->said, names, &error, 1);
    json_fields(error, parts, part, 3);
    text_of(part[0], code, sizeof code);
    text_of(part[1], message, sizeof message);
    text_of(part[2], field, sizeof field);
    if (code[0] == '\0' || message[0] == '\0')
        return log_text("%s answered %ld, and not as the API does: is this the port that has "
                        "it, and has the node a key?",
                        c->url, c->status);
    return log_text("refused by %s: %s%s%s: %s", c->url, code, field[0] != '\0' ? ": " : "",
                    field, message);
}

const char *caller_why(const struct caller *c) {
    if (c->code == CURLE_OK)
        return refusal(c);
    return log_text("%s %s: %s", c->url,
                    caller_reached(c) ? "did not answer" : "is not reached",
                    c->detail[0] != '\0' ? c->detail : curl_easy_strerror(c->code));
}

bool caller_reached(const struct caller *c) {
    curl_off_t sent = 0;
    return c->code == CURLE_OK || c->status != 0 ||
           curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &sent) != CURLE_OK ||
           sent > 0;
}
