#include "told.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static char text[65536];
static bool taken; /* the next one begins the text again */

void tell(const char *format, ...) {
    va_list args;
    size_t len = taken ? 0 : strlen(text);
    taken = false;
    va_start(args, format);
    vsnprintf(text + len, sizeof text - len, format, args);
    va_end(args);
}

const char *told(void) {
    if (taken)
        text[0] = '\0';
    taken = true;
    return text;
}

void told_forget(void) {
    text[0] = '\0';
}
