#include "gateway/data/key_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/name.h"
#include "gateway/channel/name.h"
#include "gateway/data/finder.h"
#include "gateway/node/secure.h"
#include "gateway/redis/slots.h"
#include "gateway/words.h"

#define USAGE 2 /* the exit status after wrong arguments */

static int complain(const char *why) {
    fprintf(stderr, "sluice: key: %s\n", why);
    return 1;
}

/* --- names ----------------------------------------------------------------------------------
 */

static bool has_kind(struct slice name, const char *kind, struct slice *rest) {
    struct slice k = slice_of(kind);
    if (!slice_starts(name, k))
        return false;
    *rest = channel_rest(name, k);
    return true;
}

/* Appends the name as it is in Redis: the two users of a dm are sorted. */
static const char *read_name(const char *text, struct buf *out) {
    struct slice name = slice_of(text), rest;
    bool good = slice_is(name, "all");
    if (has_kind(name, "dm:", &rest)) {
        const char *colon = rest.len > 0 ? memchr(rest.ptr, ':', rest.len) : NULL;
        size_t first = colon != NULL ? (size_t)(colon - rest.ptr) : 0;
        struct slice a = {rest.ptr, first};
        struct slice b = {rest.ptr + first + 1, colon != NULL ? rest.len - first - 1 : 0};
        if (colon == NULL || !name_valid_user(a) || !name_valid_user(b))
            return log_text("\"%.300s\" is not dm:<id>:<id>", text);
        channel_dm_name(out, a, b);
        return NULL;
    }
    if (has_kind(name, "room:", &rest) || has_kind(name, "topic:", &rest))
        good = name_valid(rest);
    else if (has_kind(name, "user:", &rest))
        good = name_valid_user(rest);
    else if (!good)
        return log_text("\"%.300s\" is no channel: it must be room:<name>, user:<id>, "
                        "dm:<id>:<id>, topic:<name> or all",
                        text);
    buf_slice(out, name);
    return good ? NULL
                : log_text("\"%.300s\": a name has 1 to 128 bytes, without white space and "
                           "braces, and that of a user without colons",
                           text);
}

/* --- what is printed ------------------------------------------------------------------------
 */

static void print_one(const struct deployment *d, const struct found *found,
                      struct slice name) {
    struct buf base = {0};
    unsigned index = deployment_partition(d, name);
    const char *tag = deployment_tag(d, index);
    deployment_base(d, &base, name);
    printf("key        %.*s\n", (int)base.len, base.data);
    if (tag != NULL)
        printf("partition  %u\nslot       %u\n", index, slots_of_name(slice_of(tag)));
    if (found->known[index])
        printf("master     %s\n", d->address.path ? log_text("unix:%s", found->at[index].host)
                                                  : redis_place_text(&found->at[index]));
    buf_deinit(&base);
}

/* Keys of another number of partitions would be wrong. */
static const char *check_partitions(const struct deployment *d, const struct found *found) {
    if (found->partitions == 0 || found->partitions == d->partitions)
        return NULL;
    return log_text("the nodes of this Cluster use %u partitions, and redis-partitions says %u",
                    found->partitions, d->partitions);
}

static int print_all(const struct deployment *d, SSL_CTX *tls, struct buf names[], int count) {
    bool wanted[FINDER_MOST] = {false};
    struct found found;
    for (int i = 0; i < count; i++)
        wanted[deployment_partition(d, buf_bytes(&names[i]))] = true;
    finder_find(d, tls, wanted, &found);
    const char *wrong = check_partitions(d, &found);
    for (int i = 0; wrong == NULL && i < count; i++) {
        if (i > 0)
            putchar('\n');
        print_one(d, &found, buf_bytes(&names[i]));
    }
    if (wrong == NULL && (fflush(stdout) != 0 || ferror(stdout)))
        wrong = "standard output cannot be written";
    if (wrong == NULL && found.why[0] != '\0')
        wrong = log_text("the master is not known: %.400s", found.why);
    int status = wrong != NULL ? complain(wrong) : 0;
    if (found.stuck)
        _exit(status);
    return status;
}

/* --- the command ----------------------------------------------------------------------------
 */

static int option_wrong(const struct options *o, const char *flag, const char *value,
                        const char *why) {
    bool repeat = value[0] != '\0';
    fprintf(stderr, "sluice: %s: %s%s%s%s: %s\n", options_place(o, flag), flag,
            repeat ? " is \"" : "", value, repeat ? "\"" : "", why);
    return USAGE;
}

static int run_with(const struct options *o, struct buf names[], int count) {
    struct deployment d;
    struct deployment_fault f;
    SSL_CTX *tls;
    log_open("key", LOG_ERROR, false); /* standard output is for the answer */
    if (!deployment_read(&d, o, &f))
        return option_wrong(o, f.flag, f.value, f.why);
    const char *why = secure_redis(o, &tls, &f.flag, &f.value);
    if (why != NULL)
        return option_wrong(o, f.flag, f.value, why);
    int status = print_all(&d, tls, names, count);
    SSL_CTX_free(tls);
    return status;
}

static int load_and_run(int argc, char **argv, struct buf names[], int count) {
    struct options o;
    int status = USAGE;
    enum options_result result = options_load(&o, argc, argv, stdout, stderr);
    if (result == OPTIONS_RUN)
        status = run_with(&o, names, count);
    else if (result == OPTIONS_HEALTH_CHECK)
        complain("--health-check is another command");
    else if (result == OPTIONS_EXIT_OK)
        status = 0;
    options_deinit(&o);
    return status;
}

/* names: room for as many as there are words. */
static int read_and_run(int argc, char **argv, char **words, struct buf names[]) {
    const char *wrong = NULL;
    int count = words_take(&argc, argv, words);
    int status = USAGE;
    for (int i = 0; i < count && wrong == NULL; i++)
        wrong = read_name(words[i], &names[i]);
    if (count == 0)
        wrong = "a name is missing (see sluice key --help)";
    for (int i = 0; i < count && wrong == NULL; i++)
        wrong = names[i].failed ? "out of memory" : NULL;
    if (wrong != NULL)
        complain(wrong);
    else
        status = load_and_run(argc, argv, names, count);
    for (int i = 0; i < count; i++)
        buf_deinit(&names[i]);
    return status;
}

int key_command_run(int argc, char **argv) {
    char **words = calloc((size_t)argc, sizeof *words);
    struct buf *names = calloc((size_t)argc, sizeof *names);
    int status = words != NULL && names != NULL ? read_and_run(argc, argv, words, names)
                                                : complain("out of memory");
    free(words);
    free(names);
    return status;
}
