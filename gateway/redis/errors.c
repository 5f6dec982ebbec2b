#include "gateway/redis/errors.h"

#include <string.h>

static bool is_code(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static struct slice first_word(struct slice text) {
    size_t n = 0;
    while (n < text.len && is_code(text.ptr[n]))
        n++;
    return (struct slice){text.ptr, n};
}

static ptrdiff_t find(struct slice text, struct slice what) {
    for (size_t at = 0; at + what.len <= text.len; at++) {
        if (memcmp(text.ptr + at, what.ptr, what.len) == 0)
            return (ptrdiff_t)at;
    }
    return -1;
}

struct slice redis_error_code(struct slice text) {
    ptrdiff_t at = find(text, SLICE(": -"));
    if (at < 0 || !slice_starts(text, SLICE("ERR Error running script")))
        return first_word(text);
    struct slice inside = {text.ptr + at + 3, text.len - (size_t)at - 3};
    struct slice code = first_word(inside);
    return code.len > 1 ? code : first_word(text);
}

bool redis_error_moves(struct slice text) {
    struct slice code = first_word(text);
    return slice_is(code, "MOVED") || slice_is(code, "ASK") || slice_is(code, "TRYAGAIN") ||
           slice_is(code, "CLUSTERDOWN");
}

bool redis_error_unread(struct slice text) {
    static const char *const codes[] = {"LOADING", "MASTERDOWN", "BUSY",
                                        "NOAUTH",  "NOPERM",     "CROSSSLOT"};
    struct slice code = first_word(text);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (slice_is(code, codes[i]))
            return true;
    }
    return redis_error_moves(text);
}

bool redis_error_moved(struct slice text, struct redis_place *at, unsigned *slot) {
    if (!slice_starts(text, SLICE("MOVED ")))
        return false;
    size_t host = text.len, colon = text.len, port = 0;
    while (host > 0 && text.ptr[host - 1] != ' ')
        host--;
    while (colon > host && text.ptr[colon - 1] != ':')
        colon--;
    for (size_t i = colon; i < text.len && port <= 65535; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (size_t)(text.ptr[i] - '0');
    }
    *slot = 0;
    for (size_t i = 6; i + 1 < host; i++)
        *slot = *slot * 10 + (unsigned)(text.ptr[i] - '0');
    size_t len = colon > host ? colon - 1 - host : 0;
    if (port == 0 || port > 65535 || len >= sizeof at->host || host < 8 ||
        (len == 1 && text.ptr[host] == '?'))
        return false;
    at->port = (int)port;
    if (len > 0) {
        memcpy(at->host, text.ptr + host, len);
        at->host[len] = '\0';
    }
    return true;
}

bool redis_error_waits(struct slice text) {
    return redis_error_moves(text) || slice_is(redis_error_code(text), "STALE");
}

enum outcome redis_error_outcome(struct slice text) {
    /* The errors that Redis answers in place of a command, or of the first write of a script.
     */
    static const char *const refused[] = {"OOM",         "READONLY", "MISCONF", "NOREPLICAS",
                                          "MASTERDOWN",  "LOADING",  "NOAUTH",  "BUSY",
                                          "CLUSTERDOWN", "MOVED",    "ASK",     "TRYAGAIN",
                                          "CROSSSLOT",   "NOSCRIPT", "STALE"};
    struct slice code = redis_error_code(text);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (slice_is(code, refused[i]))
            return OUTCOME_REFUSED;
    }
    bool inside = find(text, SLICE("script")) >= 0;
    return slice_is(code, "NOPERM") && !inside ? OUTCOME_REFUSED : OUTCOME_UNKNOWN;
}
