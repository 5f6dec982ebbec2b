#include "gateway/pages/assets.h"

#include <openssl/evp.h>

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

/* The last column tells whether pages of other origins may load the file. */
#define ASSET_TABLE(X)                                                                         \
    X(index, "index.html", "/", HTML, false)                                                   \
    X(chat_js, "chat.js", "/chat.js", JS, false)                                               \
    X(session_js, "session.js", "/session.js", JS, false)                                      \
    X(people_js, "people.js", "/people.js", JS, false)                                         \
    X(store_js, "store.js", "/store.js", JS, false)                                            \
    X(sidebar_js, "sidebar.js", "/sidebar.js", JS, false)                                      \
    X(log_js, "log.js", "/log.js", JS, false)                                                  \
    X(composer_js, "composer.js", "/composer.js", JS, false)                                   \
    X(connection_js, "connection.js", "/connection.js", JS, false)                             \
    X(token_js, "token.js", "/token.js", JS, false)                                            \
    X(asks_js, "asks.js", "/asks.js", JS, false)                                               \
    X(asks_token, "asks-token.js", "/asks-token.js", JS, false)                                \
    X(dom_js, "dom.js", "/dom.js", JS, false)                                                  \
    X(chat_css, "chat.css", "/chat.css", CSS, false)                                           \
    X(sluice_js, "sluice.js", "/sluice.js", JS, true)                                          \
    X(sluice_types, "sluice.d.ts", "/sluice.d.ts", "text/plain; charset=utf-8", true)          \
    X(console, "console.html", "/console", HTML, false)                                        \
    X(console_js, "console.js", "/console.js", JS, false)                                      \
    X(console_parts, "console-parts.js", "/console-parts.js", JS, false)                       \
    X(console_css, "console.css", "/console.css", CSS, false)                                  \
    X(icon, "icon.svg", "/favicon.ico", "image/svg+xml", false)

#define EMBED(name, file, path, type, shared)                                                  \
    __asm__(".section .rodata\n"                                                               \
            ".global web_" #name "\n.global web_" #name "_end\n"                               \
            "web_" #name ":\n.incbin \"gateway/web/" file "\"\n"                               \
            "web_" #name "_end:\n.byte 0\n.previous\n");                                       \
    extern const char web_##name[], web_##name##_end[];
ASSET_TABLE(EMBED)
#undef EMBED

struct row {
    const char *path;
    const char *type;
    const char *begin;
    const char *end;
    bool shared;
};

#define ROW(name, file, path, type, shared) {path, type, web_##name, web_##name##_end, shared},
static const struct row rows[] = {ASSET_TABLE(ROW)};
#undef ROW
#define ROWS (sizeof rows / sizeof *rows)

void asset_init(struct asset *a, const char *path, const char *type, struct slice bytes,
                bool shared) {
    unsigned char sha[EVP_MAX_MD_SIZE];
    *a = (struct asset){path, type, bytes, shared, ""};
    if (EVP_Digest(bytes.ptr, bytes.len, sha, NULL, EVP_sha256(), NULL) != 1)
        return;
    char *at = a->etag;
    *at++ = '"';
    for (size_t i = 0; i < 10; i++)
        at += snprintf(at, 3, "%02x", sha[i]);
    snprintf(at, 2, "\"");
}

/* An etag has no quote inside, so a list that contains it in quotes has it as a member. */
bool asset_is_known(const struct asset *a, const char *if_none_match) {
    if (if_none_match == NULL || a->etag[0] == '\0')
        return false;
    return strcmp(if_none_match, "*") == 0 || strstr(if_none_match, a->etag) != NULL;
}

const struct asset *asset_find(struct slice path) {
    static struct asset found[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        if (!slice_is(path, row->path))
            continue;
        if (found[i].etag[0] == '\0')
            asset_init(&found[i], row->path, row->type,
                       (struct slice){row->begin, (size_t)(row->end - row->begin)},
                       row->shared);
        return &found[i];
    }
    return NULL;
}
