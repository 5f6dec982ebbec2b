#include "gateway/node/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/node/config.h"

static void log_failure(const char *why) {
    LOG(LOG_ERROR, "reload_failed", "why", why, "means", "all options stay as they were", NULL);
}

/* Complaints are lines for standard error, "sluice: PLACE: what is wrong". */
static void log_complaints(char *lines) {
    char *rest = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        log_failure(strncmp(line, "sluice: ", 8) == 0 ? line + 8 : line);
}

/* Keys are read from their files in any case; as the last check, since it takes them. */
static bool is_good(struct node *n, const struct options *fresh) {
    struct config_fault f = {.value = ""};
    if (!config_is_wrong(fresh, &f))
        f.why = auth_reload(&n->auth, fresh, &f.flag);
    if (f.why == NULL)
        return true;
    log_failure(log_text("%s: %s%s%s%s: %s", options_place(fresh, f.flag), f.flag,
                         f.value[0] != '\0' ? " is \"" : "", f.value,
                         f.value[0] != '\0' ? "\"" : "", f.why));
    return false;
}

/* Does not log values, since some are secret. */
static void on_changed(void *owner, const char *flag, const char *place, bool taken) {
    unsigned *taken_count = owner;
    *taken_count += taken;
    LOG(taken ? LOG_INFO : LOG_WARN, taken ? "option_changed" : "option_needs_restart",
        "option", flag, "place", place, NULL);
}

static void load_and_take(struct node *n, FILE *complaints) {
    struct options *o = n->options;
    struct options fresh;
    unsigned taken = 0;
    enum options_result result = options_load(&fresh, o->argc, o->argv, complaints, complaints);
    if (result == OPTIONS_RUN && is_good(n, &fresh)) {
        options_take(o, &fresh, on_changed, &taken);
        config_apply(n);
        secure_tell(&n->secure, o);
        LOG(LOG_INFO, "reloaded", "changed", log_text("%u", taken), NULL);
    }
    options_deinit(&fresh);
}

void node_reload(struct node *n) {
    char *lines = NULL;
    size_t size = 0;
    FILE *complaints = open_memstream(&lines, &size);
    if (complaints == NULL) {
        log_failure("out of memory");
        return;
    }
    load_and_take(n, complaints);
    fclose(complaints);
    log_complaints(lines);
    free(lines);
}
