#include "gateway/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/log.h"
#include "gateway/options.h"

/* The options that stand alone, without a value. */
#define ALONE(field, flag, type, low, high, initial, value, help)                              \
    {flag, sizeof(OPTION_##type) == sizeof(bool)},
static const struct {
    const char *flag;
    bool alone;
} flags[] = {OPTIONS_TABLE(ALONE){"health-check", true}, {"help", true}, {"version", true}};
#undef ALONE

static bool takes_value(const char *arg) {
    if (strncmp(arg, "--", 2) != 0 || strchr(arg, '=') != NULL)
        return false;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(arg + 2, flags[i].flag) == 0)
            return !flags[i].alone;
    }
    return strcmp(arg, "--config") == 0;
}

int words_take(int *argc, char **argv, char **words) {
    int count = 0, kept = 1;
    for (int i = 2; i < *argc; i++) {
        if (argv[i][0] != '-')
            words[count++] = argv[i];
        else
            argv[kept++] = argv[i];
        if (takes_value(argv[i]) && i + 1 < *argc)
            argv[kept++] = argv[++i];
    }
    *argc = kept;
    argv[kept] = NULL;
    return count;
}

const char *words_value(const char *flag, char ***at, const char **wrong) {
    size_t len = strlen(flag);
    if (strncmp(**at, flag, len) != 0)
        return NULL;
    if ((**at)[len] == '=')
        return **at + len + 1;
    if ((**at)[len] != '\0')
        return NULL;
    if ((*at)[1] == NULL) {
        *wrong = log_text("%s wants a value", flag);
        return NULL;
    }
    return *++*at;
}
