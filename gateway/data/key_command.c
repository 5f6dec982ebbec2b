#include "gateway/data/key_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
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

/* What is known of a channel's keys. */
struct place {
    struct slice name; /* as it was given, but that the users of a dm are sorted */
    struct buf base;
    const char *tag; /* NULL: no Cluster */
    unsigned partition;
    const char *master; /* NULL: it is not known */
};

static void place_init(struct place *p, const struct deployment *d, const struct found *found,
                       struct slice name) {
    unsigned index = deployment_partition(d, name);
    *p = (struct place){.name = name, .partition = index, .tag = deployment_tag(d, index)};
    deployment_base(d, &p->base, name);
    if (found->known[index])
        p->master = d->address.path ? log_text("unix:%s", found->at[index].host)
                                    : redis_place_text(&found->at[index]);
}

static void print_text(const struct place *p) {
    printf("key        %.*s\n", (int)p->base.len, p->base.data);
    if (p->tag != NULL)
        printf("partition  %u\nslot       %u\n", p->partition, slots_of_name(slice_of(p->tag)));
    if (p->master != NULL)
        printf("master     %s\n", p->master);
}

static void put_member(struct buf *out, const char *name, struct slice value) {
    buf_printf(out, "\"%s\":", name);
    json_escape_any(out, value);
}

static void print_json(const struct place *p) {
    struct buf out = {0};
    buf_char(&out, '{');
    put_member(&out, "name", p->name);
    buf_char(&out, ',');
    put_member(&out, "key", buf_bytes(&p->base));
    if (p->tag != NULL)
        buf_printf(&out, ",\"partition\":%u,\"slot\":%u", p->partition,
                   slots_of_name(slice_of(p->tag)));
    if (p->master != NULL) {
        buf_char(&out, ',');
        put_member(&out, "master", slice_of(p->master));
    }
    printf("%.*s}\n", (int)out.len, out.data);
    buf_deinit(&out);
}

static void print_one(const struct deployment *d, const struct found *found, struct slice name,
                      bool as_json) {
    struct place p;
    place_init(&p, d, found, name);
    if (as_json)
        print_json(&p);
    else
        print_text(&p);
    buf_deinit(&p.base);
}

/* Keys of another number of partitions would be wrong. */
static const char *check_partitions(const struct deployment *d, const struct found *found) {
    if (found->partitions == 0 || found->partitions == d->partitions)
        return NULL;
    return log_text("the nodes of this Cluster use %u partitions, and redis-partitions says %u",
                    found->partitions, d->partitions);
}

/* The channels that were asked for. */
struct wish {
    struct buf *names;
    int count;
    bool as_json;
};

static int print_all(const struct deployment *d, SSL_CTX *tls, const struct wish *w) {
    bool wanted[FINDER_MOST] = {false};
    struct found found;
    for (int i = 0; i < w->count; i++)
        wanted[deployment_partition(d, buf_bytes(&w->names[i]))] = true;
    finder_find(d, tls, wanted, &found);
    const char *wrong = check_partitions(d, &found);
    for (int i = 0; wrong == NULL && i < w->count; i++) {
        if (i > 0 && !w->as_json)
            putchar('\n');
        print_one(d, &found, buf_bytes(&w->names[i]), w->as_json);
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

static int run_with(const struct options *o, const struct wish *w) {
    struct deployment d;
    struct deployment_fault f;
    SSL_CTX *tls;
    log_open("key", LOG_ERROR, false); /* standard output is for the answer */
    if (!deployment_read(&d, o, &f))
        return option_wrong(o, f.flag, f.value, f.why);
    const char *why = secure_redis(o, &tls, &f.flag, &f.value);
    if (why != NULL)
        return option_wrong(o, f.flag, f.value, why);
    int status = print_all(&d, tls, w);
    SSL_CTX_free(tls);
    return status;
}

static int load_and_run(int argc, char **argv, const struct wish *w) {
    struct options o;
    int status = USAGE;
    enum options_result result = options_load(&o, argc, argv, stdout, stderr);
    if (result == OPTIONS_RUN)
        status = run_with(&o, w);
    else if (result == OPTIONS_HEALTH_CHECK)
        complain("--health-check is another command");
    else if (result == OPTIONS_EXIT_OK)
        status = 0;
    options_deinit(&o);
    return status;
}

/* w->names: room for as many as there are words. */
static int read_and_run(int argc, char **argv, char **words, struct wish *w) {
    const char *wrong = NULL;
    w->as_json = words_flag_alone("--json", &argc, argv);
    w->count = words_take(&argc, argv, words);
    int status = USAGE;
    for (int i = 0; i < w->count && wrong == NULL; i++)
        wrong = read_name(words[i], &w->names[i]);
    if (w->count == 0)
        wrong = "a name is missing (see sluice key --help)";
    for (int i = 0; i < w->count && wrong == NULL; i++)
        wrong = w->names[i].failed ? "out of memory" : NULL;
    if (wrong != NULL)
        complain(wrong);
    else
        status = load_and_run(argc, argv, w);
    for (int i = 0; i < w->count; i++)
        buf_deinit(&w->names[i]);
    return status;
}

int key_command_run(int argc, char **argv) {
    char **words = calloc((size_t)argc, sizeof *words);
    struct wish w = {.names = calloc((size_t)argc, sizeof *w.names)};
    int status = words != NULL && w.names != NULL ? read_and_run(argc, argv, words, &w)
                                                  : complain("out of memory");
    free(words);
    free(w.names);
    return status;
}
