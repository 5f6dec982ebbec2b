#include "common/ws_extension.h"

#include <stdio.h>
#include <string.h>

#define NAME     "permessage-deflate"
#define NO_TAKEN "server_no_context_takeover; client_no_context_takeover"

struct cursor {
    const char *at;
    const char *end;
};

/* A parameter's value, unescaped. Longer ones than any that is allowed are cut. */
struct value {
    bool given;
    unsigned len;
    char text[4];
};

enum param { SERVER_NO_TAKEOVER, CLIENT_NO_TAKEOVER, SERVER_WINDOW, CLIENT_WINDOW, PARAMS };

struct offer {
    bool ours;
    bool good;
    bool seen[PARAMS];
    unsigned window;
};

/* --- the grammar ----------------------------------------------------------------------------
 */

/* RFC 9110, 5.6.2. */
static bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip_blanks(struct cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

/* Takes the character, and the blanks round it. */
static bool take(struct cursor *c, char wanted) {
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    skip_blanks(c);
    return true;
}

static struct slice take_token(struct cursor *c) {
    struct slice token = {c->at, 0};
    while (c->at < c->end && is_token_char(*c->at))
        c->at++;
    token.len = (size_t)(c->at - token.ptr);
    return token;
}

static void put(struct value *v, char c) {
    if (v->len < sizeof v->text)
        v->text[v->len++] = c;
}

/* What is in the quotes must be a token, too (RFC 6455, 9.1). */
static bool take_quoted(struct cursor *c, struct value *v) {
    for (c->at++; c->at < c->end && *c->at != '"'; c->at++) {
        if (*c->at == '\\' && ++c->at == c->end)
            return false;
        if (!is_token_char(*c->at))
            return false;
        put(v, *c->at);
    }
    if (c->at == c->end)
        return false;
    c->at++;
    return v->len > 0;
}

static bool take_value(struct cursor *c, struct value *v) {
    v->given = true;
    if (c->at < c->end && *c->at == '"')
        return take_quoted(c, v);
    struct slice token = take_token(c);
    for (size_t i = 0; i < token.len; i++)
        put(v, token.ptr[i]);
    return token.len > 0;
}

/* --- an offer -------------------------------------------------------------------------------
 */

/* 8 to 15, without a zero before it (RFC 7692, 7.1.2); 0: it is not. */
static unsigned window_of(const struct value *v) {
    if (v->len == 1 && (v->text[0] == '8' || v->text[0] == '9'))
        return (unsigned)(v->text[0] - '0');
    if (v->len == 2 && v->text[0] == '1' && v->text[1] >= '0' && v->text[1] <= '5')
        return 10 + (unsigned)(v->text[1] - '0');
    return 0;
}

static void take_param(struct offer *o, struct slice name, const struct value *v) {
    static const char *const names[PARAMS] = {
        "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits",
        "client_max_window_bits"};
    unsigned which = 0;
    while (which < PARAMS && !slice_is(name, names[which]))
        which++;
    if (which == PARAMS || o->seen[which]) {
        o->good = false;
        return;
    }
    o->seen[which] = true;
    unsigned window = window_of(v);
    if (which == SERVER_WINDOW)
        o->window = window;
    bool wants_value = which == SERVER_WINDOW || (which == CLIENT_WINDOW && v->given);
    if (wants_value ? window == 0 : v->given)
        o->good = false;
}

/* Returns false if this is no extension. */
static bool take_offer(struct cursor *c, struct offer *o) {
    struct slice name = take_token(c);
    *o = (struct offer){.ours = slice_is(name, NAME), .good = true, .window = WS_WINDOW_ANY};
    if (name.len == 0)
        return false;
    while (take(c, ';')) {
        struct value v = {.given = false};
        struct slice param = take_token(c);
        if (param.len == 0 || (take(c, '=') && !take_value(c, &v)))
            return false;
        take_param(o, param, &v);
    }
    return true;
}

unsigned ws_extension_choose(struct slice offers) {
    struct cursor c = {offers.ptr, offers.ptr + offers.len};
    struct offer o;
    unsigned chosen = 0;
    bool more = true;
    while (more) {
        while (take(&c, ',')) {
        }
        if (c.at == c.end)
            return chosen;
        if (!take_offer(&c, &o))
            return 0;
        if (chosen == 0 && o.ours && o.good)
            chosen = o.window;
        more = take(&c, ',');
    }
    return c.at == c.end ? chosen : 0;
}

void ws_extension_answer(char out[WS_EXTENSION_SIZE], unsigned window) {
    int len = snprintf(out, WS_EXTENSION_SIZE, "%s", NAME "; " NO_TAKEN);
    if (window < WS_WINDOW_ANY)
        snprintf(out + len, WS_EXTENSION_SIZE - (size_t)len, "; server_max_window_bits=%u",
                 window);
}
