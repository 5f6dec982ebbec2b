#include "gateway/hooks/config.h"

#include <ctype.h>
#include <strings.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/hooks/signature.h"
#include "gateway/https.h"

#define URL_MOST 2047

/* --- URLs -----------------------------------------------------------------------------------
 */

const char *hooks_check_url(struct slice url, bool plain) {
    char text[URL_MOST + 1];
    if (url.len > URL_MOST)
        return "a URL has at most 2047 bytes";
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~')
            return "a URL has visible ASCII characters alone";
    snprintf(text, sizeof text, "%.*s", (int)url.len, url.ptr);
    const char *wrong = https_check_url(text, plain);
    if (wrong != NULL && !plain && https_check_url(text, true) == NULL)
        return "must begin with https:// (http:// is for loopback, or with hook-plain = true)";
    return wrong;
}

const char *hooks_check_connect(const struct options *o) {
    return o->connect_hook[0] == '\0'
               ? NULL
               : hooks_check_url(slice_of(o->connect_hook), o->hook_plain);
}

const char *hooks_check_disconnect(const struct options *o) {
    return o->disconnect_hook[0] == '\0'
               ? NULL
               : hooks_check_url(slice_of(o->disconnect_hook), o->hook_plain);
}

/* --- lines with a pattern -------------------------------------------------------------------
 */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Cuts the first word off. */
static struct slice cut_word(struct slice *text) {
    size_t at = 0, len;
    while (at < text->len && is_blank(text->ptr[at]))
        at++;
    for (len = at; len < text->len && !is_blank(text->ptr[len]);)
        len++;
    struct slice word = {text->ptr + at, len - at};
    *text = (struct slice){text->ptr + len, text->len - len};
    return word;
}

static bool pattern_fits(struct slice pattern, struct slice name) {
    if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*')
        return slice_starts(name, (struct slice){pattern.ptr, pattern.len - 1});
    return slice_eq(pattern, name);
}

struct slice hooks_find(const char *list, struct slice channel) {
    struct slice rest = slice_of(list);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (pattern_fits(cut_word(&line), channel))
            return cut_word(&line);
    }
    return (struct slice){NULL, 0};
}

/* What names of channels begin with, as patterns name them. */
static bool begins_well(struct slice pattern, const char *const begins[]) {
    bool any = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';
    struct slice fixed = {pattern.ptr, pattern.len - (any ? 1 : 0)};
    for (; *begins != NULL; begins++) {
        struct slice begin = slice_of(*begins);
        if (slice_starts(fixed, begin) || (any && slice_starts(begin, fixed)))
            return true;
    }
    return false;
}

static const char *check_lines(const char *list, const char *const begins[], bool plain) {
    struct slice rest = slice_of(list);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice whole = line, pattern = cut_word(&line), url = cut_word(&line);
        const char *wrong = url.len == 0              ? "must be PATTERN URL"
                            : cut_word(&line).len > 0 ? "there is more behind the URL"
                            : !begins_well(pattern, begins)
                                ? "no channel has such a name (whole names: room:vip-*)"
                                : hooks_check_url(url, plain);
        if (wrong != NULL)
            return log_text("\"%.*s\": %s", (int)whole.len, whole.ptr, wrong);
    }
    return NULL;
}

const char *hooks_check_subscribe(const struct options *o) {
    static const char *const begins[] = {"room:", "topic:", NULL};
    return check_lines(o->subscribe_hook, begins, o->hook_plain);
}

const char *hooks_check_publish(const struct options *o) {
    static const char *const begins[] = {"room:", "topic:", "user:", "socket:", "all", NULL};
    return check_lines(o->publish_hook, begins, o->hook_plain);
}

/* --- secrets, certificates ------------------------------------------------------------------
 */

const char *hooks_check_secrets(const struct options *o) {
    struct slice rest = slice_of(o->hook_secret);
    while (rest.len > 0)
        if (slice_cut(&rest, '\n').len < HOOK_SECRET_LEAST)
            return "each must have 32 bytes or more (openssl rand -base64 48 makes one)";
    return NULL;
}

const char *hooks_check_ca(const struct options *o) {
    return o->hook_ca[0] == '\0' || access(o->hook_ca, R_OK) == 0 ? NULL : "cannot be read";
}

/* --- headers --------------------------------------------------------------------------------
 */

static struct slice trim(struct slice s) {
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static bool is_same(struct slice a, const char *b) {
    return a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0;
}

/* Those that are ours to set, or are about the connection. */
static bool is_refused(struct slice name) {
    static const char *const whole[] = {
        "host", "connection", "transfer-encoding", "expect", "te", "trailer", "upgrade"};
    static const char *const begins[] = {"content-", "proxy-", "sluice-"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (is_same(name, whole[i]))
            return true;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (name.len >= strlen(begins[i]) &&
            strncasecmp(name.ptr, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static bool is_token(struct slice name) {
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) &&
            (name.ptr[i] == '\0' || strchr("!#$%&'*+-.^_`|~", name.ptr[i]) == NULL))
            return false;
    return name.len > 0;
}

bool hooks_pass_header(const struct options *o, struct slice name) {
    struct slice rest = slice_of(o->hook_headers);
    while (rest.len > 0) {
        struct slice one = trim(slice_cut(&rest, ','));
        if (one.len == name.len && strncasecmp(one.ptr, name.ptr, one.len) == 0)
            return true;
    }
    return false;
}

/* Any page could have a browser send its cookies, and act as whom they name. */
static bool lets_any_page(const struct options *o) {
    const char *list = o->allowed_origins[0] != '\0' ? o->allowed_origins : o->cors_origins;
    struct slice rest = slice_of(list);
    while (rest.len > 0) {
        struct slice one = trim(slice_cut(&rest, ','));
        if (slice_is(one, "*") || is_same(one, "null"))
            return true;
    }
    return false;
}

const char *hooks_check_headers(const struct options *o) {
    struct slice rest = slice_of(o->hook_headers);
    while (rest.len > 0) {
        struct slice one = trim(slice_cut(&rest, ','));
        if (!is_token(one))
            return "must be names of headers, with commas between them";
        if (is_refused(one))
            return log_text("%.*s cannot be passed on", (int)one.len, one.ptr);
    }
    if (o->connect_hook[0] != '\0' && hooks_pass_header(o, SLICE("cookie")) && lets_any_page(o))
        return "with cookie, allowed-origins must name origins: with * or null, any page could "
               "connect as whom the browser's cookies name";
    return NULL;
}
