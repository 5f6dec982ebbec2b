#include "gateway/redis/info.h"

#include <stdbool.h>
#include <string.h>

void info_field(struct slice info, const char *field, char *out, size_t size) {
    size_t len = strlen(field);
    out[0] = '\0';
    for (size_t at = 0; at + len < info.len; at++) {
        bool line_start = at == 0 || info.ptr[at - 1] == '\n';
        if (!line_start || memcmp(info.ptr + at, field, len) != 0 || info.ptr[at + len] != ':')
            continue;
        size_t n = 0;
        for (at += len + 1; at < info.len && info.ptr[at] != '\r' && n + 1 < size; at++)
            out[n++] = info.ptr[at];
        out[n] = '\0';
        return;
    }
}
