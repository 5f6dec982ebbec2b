#include "gateway/words.h"

#include <string.h>

#include "common/log.h"
#include "gateway/options.h"

/* The options that stand alone, without a value. */
#define ALONE(field, flag, type, low, high, initial, value, help)                              \
    {flag, sizeof(OPTION_##type) == sizeof(bool)},
static const struct {
    const char *flag;
    bool alone;
} options[] = {OPTIONS_TABLE(ALONE){"health-check", true}, {"help", true}, {"version", true}};
#undef ALONE

static bool takes_value(const char *arg) {
    if (strncmp(arg, "--", 2) != 0 || strchr(arg, '=') != NULL)
        return false;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(arg + 2, options[i].flag) == 0)
            return !options[i].alone;
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

bool words_flag_alone(const char *flag, int *argc, char **argv) {
    int kept = 2;
    for (int i = 2; i < *argc; i++) {
        if (strcmp(argv[i], flag) != 0)
            argv[kept++] = argv[i];
    }
    if (*argc < 2 || kept == *argc)
        return false;
    *argc = kept;
    argv[kept] = NULL;
    return true;
}

/* The value of a flag, if it stands at *at, which is moved to the last argument of it. NULL: it
 * is another flag, or (*wrong is set then) the value is missing. */
static const char *value_of(const char *flag, char ***at, const char **wrong) {
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

static const char *take_flag(const struct words_flag *flag, char ***at, bool *taken) {
    const char *wrong = NULL;
    if (flag->value == NULL) {
        *taken = strcmp(**at, flag->name) == 0;
        *flag->alone = *flag->alone || *taken;
        return NULL;
    }
    const char *value = value_of(flag->name, at, &wrong);
    *taken = value != NULL;
    if (*taken && *flag->value != NULL)
        wrong = log_text("%s is given twice", flag->name);
    if (*taken)
        *flag->value = value;
    return wrong;
}

const char *words_flags(const struct words_flag flags[], size_t count, int *argc, char **argv) {
    char **to = argv + 1;
    for (char **at = argv + 2; *at != NULL; at++) {
        bool taken = false;
        for (size_t i = 0; i < count && !taken; i++) {
            const char *wrong = take_flag(&flags[i], &at, &taken);
            if (wrong != NULL)
                return wrong;
        }
        if (!taken)
            *to++ = *at;
    }
    *to = NULL;
    *argc = (int)(to - argv);
    return NULL;
}
