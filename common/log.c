#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/log_out.h"
#include "common/utf8.h"

static struct {
    char node[129];
    enum log_level level;
    bool json;
    uint64_t told; /* lost lines that were already reported */
} the_log = {.level = LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(const char *node, enum log_level level, bool json) {
    snprintf(the_log.node, sizeof the_log.node, "%s", node);
    the_log.level = level;
    the_log.json = json;
}

bool log_enabled(enum log_level level) {
    return level >= the_log.level;
}

const char *log_text(const char *format, ...) {
    static char ring[4][512];
    static unsigned at;
    char *out = ring[at++ % 4];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(out, sizeof ring[0], format, args);
    va_end(args);
    if (len >= (int)sizeof ring[0]) { /* cut before a character, not inside of it */
        size_t end = sizeof ring[0] - 1;
        while (end > 0 && ((unsigned char)out[end - 1] & 0xc0U) == 0x80)
            end--;
        if (end > 0 && ((unsigned char)out[end - 1] & 0xc0U) == 0xc0)
            end--;
        out[end] = '\0';
    }
    return out;
}

static bool needs_quotes(const char *text) {
    if (*text == '\0')
        return true;
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f)
            return true;
    }
    return false;
}

static void put_pair(struct buf *line, const char *key, const char *text) {
    struct slice value = slice_of(text);
    if (!utf8_valid(value))
        value = SLICE("(invalid UTF-8)");
    if (the_log.json) {
        buf_printf(line, ",\"%s\":", key);
        json_escape(line, value);
        return;
    }
    buf_printf(line, " %s=", key);
    if (needs_quotes(value.ptr))
        json_escape(line, value);
    else
        buf_slice(line, value);
}

static void put_head(struct buf *line, enum log_level level, const char *event) {
    struct timespec now;
    struct tm parts;
    char stamp[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp + n, sizeof stamp - n, ".%03ldZ", now.tv_nsec / 1000000);
    if (the_log.json)
        buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\"", stamp, level_names[level]);
    else
        buf_printf(line, "time=%s level=%s", stamp, level_names[level]);
    put_pair(line, "event", event);
    put_pair(line, "node", the_log.node);
}

static void put_end(struct buf *line) {
    buf_str(line, the_log.json ? "}\n" : "\n");
    if (line->failed)
        log_out_lose();
    else
        log_out(buf_bytes(line));
    buf_deinit(line);
}

void log_flush(void) {
    log_out_flush();
    uint64_t lost = log_out_lost();
    if (lost == the_log.told || !log_out_flows())
        return;
    struct buf line;
    buf_init(&line);
    put_head(&line, LOG_WARN, "log_lines_lost");
    put_pair(&line, "lines", log_text("%llu", (unsigned long long)(lost - the_log.told)));
    the_log.told = lost;
    put_end(&line);
}

void log_write(enum log_level level, const char *event, ...) {
    struct buf line;
    log_flush();
    buf_init(&line);
    put_head(&line, level, event);
    va_list args;
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key != NULL;
         key = va_arg(args, const char *)) {
        const char *text = va_arg(args, const char *);
        if (text != NULL)
            put_pair(&line, key, text);
    }
    va_end(args);
    put_end(&line);
}
