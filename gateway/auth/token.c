#include "gateway/auth/token.h"

#include "common/base64.h"
#include "common/json.h"
#include "common/utf8.h"
#include "gateway/auth/unique.h"

#define NO_MEMORY "there is no memory left to check the token"

/* Three parts, two dots. */
static bool split(struct slice text, struct slice parts[3]) {
    for (unsigned i = 0; i < 3; i++) {
        const char *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
        if ((dot == NULL) != (i == 2))
            return false;
        parts[i] = (struct slice){text.ptr, dot != NULL ? (size_t)(dot - text.ptr) : text.len};
        if (dot != NULL)
            text = (struct slice){dot + 1, text.len - parts[i].len - 1};
    }
    return true;
}

static const char *read_algorithm(struct token *t, struct json_value alg) {
    char text[16];
    ptrdiff_t len = json_decode(alg, text, sizeof text);
    t->algorithm = len < 0 ? ALGORITHM_NONE : algorithm_find((struct slice){text, (size_t)len});
    if (alg.type == JSON_NONE)
        return "the token's header has no alg";
    return t->algorithm == ALGORITHM_NONE ? "the token's alg is not accepted" : NULL;
}

static const char *read_kid(struct token *t, struct json_value kid) {
    if (kid.type == JSON_NONE)
        return NULL;
    if (!buf_reserve(&t->kid, kid.raw.len))
        return NO_MEMORY;
    ptrdiff_t len = json_decode(kid, t->kid.data, kid.raw.len);
    if (len < 0)
        return "the token's kid must be a string";
    t->kid.len = (size_t)len;
    t->has_kid = true;
    return NULL;
}

/* A jwk, jku, x5c or x5u in a header names a key of the sender's choice: they are not read. */
static const char *read_header(struct token *t, struct slice text) {
    enum { ALG, KID, CRIT, COUNT };
    static const char *const names[] = {"alg", "kid", "crit"};
    struct json_value header, fields[COUNT];
    if (!utf8_valid(text) || json_parse(text, &header) != JSON_OK || header.type != JSON_OBJECT)
        return "the token's header is not a JSON object";
    if (!unique_members(header))
        return "the token's header has a member twice";
    json_fields(header, names, fields, COUNT);
    if (fields[CRIT].type != JSON_NONE)
        return "the token's header has crit, of which nothing is understood here";
    const char *wrong = read_algorithm(t, fields[ALG]);
    return wrong != NULL ? wrong : read_kid(t, fields[KID]);
}

static const char *decode_header(struct token *t, struct slice part) {
    struct buf header = {0};
    const char *wrong = !base64url_decode(part, &header) ? "the token's header is not base64url"
                        : header.failed                  ? NO_MEMORY
                                                         : read_header(t, buf_bytes(&header));
    buf_deinit(&header);
    return wrong;
}

const char *token_read(struct token *t, struct slice text) {
    struct slice parts[3];
    *t = (struct token){.algorithm = ALGORITHM_NONE};
    if (text.len > TOKEN_LIMIT)
        return "the token is longer than 8 KiB";
    if (!split(text, parts))
        return "the token must have three parts with dots between";
    const char *wrong = decode_header(t, parts[0]);
    if (wrong != NULL)
        return wrong;
    if (!base64url_decode(parts[2], &t->signature))
        return "the token's signature is not base64url";
    t->signed_text = (struct slice){text.ptr, parts[0].len + 1 + parts[1].len};
    t->payload = parts[1];
    return t->signature.failed ? NO_MEMORY : NULL;
}

void token_deinit(struct token *t) {
    buf_deinit(&t->signature);
    buf_deinit(&t->kid);
}
