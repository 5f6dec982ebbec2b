/*
 * libFuzzer on the lists of options that decide who may come in: origins, beside the headers
 * of a request that they are compared with, and raw channels. The first line is the list, the
 * second is Origin, the third is Host.
 */
#include "common/log.h"
#include "gateway/doors/raw_door.h"
#include "gateway/net/http_parse.h"
#include "gateway/net/origin.h"
#include "tests/fuzz/fuzz.h"

static void on_begin(struct http_parser *p) {
    (void)p;
}

static bool on_body_announced(struct http_parser *p) {
    (void)p;
    return true;
}

static bool on_body(struct http_parser *p, struct slice piece) {
    (void)p;
    (void)piece;
    return true;
}

static const struct http_parser_ops ops = {on_begin, on_body_announced, on_body};

static void ask(const char *list, const struct http_request *request) {
    struct origins o = {.list = list}, own = {.list = ""}, any = {.list = "*"};
    const char *origin = http_header(request, "origin");
    bool listed = origins_list(&o, request);
    bool refused = origins_refuse(&o, request);
    check(!refused || (origin != NULL && !listed));
    check(!origins_refuse(&any, request));
    /* The own page may come in whatever the list says. */
    check(origins_refuse(&own, request) || !refused);
    struct buf lines;
    buf_init(&lines);
    origins_put_lines(&o, request, &lines);
    check(lines.len == 0 || (lines.len > 2 && lines.data[lines.len - 1] == '\n'));
    buf_deinit(&lines);
}

static void request(const char *list, struct slice origin, struct slice host) {
    struct http_parser parser;
    struct buf text;
    bool whole = false;
    buf_init(&text);
    buf_str(&text, "GET / HTTP/1.1\r\nHost: ");
    buf_slice(&text, host);
    buf_str(&text, "\r\nOrigin: ");
    buf_slice(&text, origin);
    buf_str(&text, "\r\n\r\n");
    http_parser_init(&parser, &ops);
    if (http_parse(&parser, text.data, text.len, &whole) != SIZE_MAX && whole) {
        struct http_request read = http_request_of(&parser);
        ask(list, &read);
    }
    http_parser_deinit(&parser);
    buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = {(const char *)data, size};
    struct raw_door door = {.count = 0};
    char *list = fuzz_text(fuzz_line(&rest));
    struct slice origin = fuzz_line(&rest);
    log_open("fuzz", LOG_ERROR, false);
    if (origins_check(list) == NULL)
        request(list, origin, rest);
    const char *wrong = raw_door_init(&door, list, "sluice:");
    check(wrong != NULL || door.count > 0 || list[0] == '\0');
    raw_door_deinit(&door);
    free(list);
    return 0;
}
