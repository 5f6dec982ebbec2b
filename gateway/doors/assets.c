#include "gateway/doors/assets.h"

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

/* The last column: may pages of other origins load it? */
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

const struct asset *asset_find(struct slice path) {
    static struct asset found[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        if (!slice_is(path, rows[i].path))
            continue;
        found[i] = (struct asset){rows[i].path,
                                  rows[i].type,
                                  {rows[i].begin, (size_t)(rows[i].end - rows[i].begin)},
                                  rows[i].shared};
        return &found[i];
    }
    return NULL;
}
