#include "gateway/doors/assets.h"

#define ASSET_TABLE(X)                                                                         \
    X(index, "index.html", "/", "text/html; charset=utf-8")                                    \
    X(chat_js, "chat.js", "/chat.js", "text/javascript; charset=utf-8")                        \
    X(chat_css, "chat.css", "/chat.css", "text/css; charset=utf-8")                            \
    X(console, "console.html", "/console", "text/html; charset=utf-8")                         \
    X(console_js, "console.js", "/console.js", "text/javascript; charset=utf-8")               \
    X(console_parts, "console-parts.js", "/console-parts.js",                                  \
      "text/javascript; charset=utf-8")                                                        \
    X(console_css, "console.css", "/console.css", "text/css; charset=utf-8")                   \
    X(icon, "icon.svg", "/favicon.ico", "image/svg+xml")

#define EMBED(name, file, path, type)                                                          \
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
};

#define ROW(name, file, path, type) {path, type, web_##name, web_##name##_end},
static const struct row rows[] = {ASSET_TABLE(ROW)};
#undef ROW
#define ROWS (sizeof rows / sizeof *rows)

const struct asset *asset_find(struct slice path) {
    static struct asset found[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        if (!slice_is(path, rows[i].path))
            continue;
        found[i] = (struct asset){
            rows[i].path, rows[i].type, {rows[i].begin, (size_t)(rows[i].end - rows[i].begin)}};
        return &found[i];
    }
    return NULL;
}
