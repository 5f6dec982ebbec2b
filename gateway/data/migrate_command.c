#include "gateway/data/migrate_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/data/migrate.h"
#include "gateway/node/secure.h"
#include "gateway/words.h"

#define USAGE 2 /* the exit status after wrong arguments */

/* The flags of this command. */
struct wish {
    const char *from, *to, *from_prefix, *to_prefix;
    bool dry;
};

static int complain(const char *why) {
    fprintf(stderr, "sluice: migrate: %s\n", why);
    return USAGE;
}

/* --- the command line -----------------------------------------------------------------------
 */

static const char *take_flags(struct wish *w, int *argc, char **argv) {
    const struct words_flag flags[] = {{"--from", &w->from, NULL},
                                       {"--to", &w->to, NULL},
                                       {"--from-prefix", &w->from_prefix, NULL},
                                       {"--to-prefix", &w->to_prefix, NULL},
                                       {"--dry-run", NULL, &w->dry}};
    const char *wrong = words_flags(flags, sizeof flags / sizeof *flags, argc, argv);
    if (wrong != NULL)
        return wrong;
    if (w->from == NULL)
        w->from = getenv("SLUICE_MIGRATE_FROM");
    if (w->to == NULL)
        w->to = getenv("SLUICE_MIGRATE_TO");
    if (w->from == NULL)
        return "--from is missing (see sluice migrate --help)";
    return w->to == NULL && !w->dry ? "--to is missing (see sluice migrate --help)" : NULL;
}

/* --- options --------------------------------------------------------------------------------
 */

/* The options as a node of that Redis would have them. */
static struct options options_for(const struct options *o, const char *url,
                                  const char *prefix) {
    struct options own = *o;
    own.redis_url = url;
    if (prefix != NULL)
        own.prefix = prefix;
    if (!redis_address_sentinels(url))
        own.redis_sentinel_user = own.redis_sentinel_password = "";
    if (!redis_address_secure(url))
        own.redis_ca = own.redis_cert = own.redis_key = "";
    return own;
}

static bool read_end(const struct options *o, const char *flag, const char *url,
                     const char *prefix, struct deployment *d, SSL_CTX **tls) {
    struct options own = options_for(o, url, prefix);
    struct deployment_fault f = {.flag = NULL};
    bool good = deployment_read(d, &own, &f);
    if (good)
        f.why = secure_redis(&own, tls, &f.flag, &f.value);
    if (good && f.why == NULL)
        return true;
    bool of_url = strcmp(f.flag, "redis-url") == 0;
    complain(log_text("%s: %s%s%s", flag, of_url ? "" : f.flag, of_url ? "" : ": ", f.why));
    return false;
}

/* What a Cluster writes in steps, one Redis does not understand. */
static const char *check_ends(const struct migration *m) {
    if (m->from.address.cluster && !m->to.address.cluster)
        return "the data of a Cluster cannot be moved to one Redis";
    return NULL;
}

/* The source without its login, and its prefix. */
static const char *name_of(const char *url, const struct deployment *d) {
    const char *at = strrchr(url, '@');
    const char *host = strstr(url, "://");
    host = at != NULL ? at + 1 : host != NULL ? host + 3 : url;
    return log_text("%.400s %s", host, d->prefix);
}

static int run_with(const struct options *o, const struct wish *w) {
    struct migration m = {.dry = w->dry, .lease_timeout_ms = o->lease_timeout};
    char name[512] = "";
    const char *wrong = NULL;
    int status = USAGE;
    log_open("migrate", LOG_ERROR, false); /* standard output is for the summary */
    bool good = read_end(o, "--from", w->from, w->from_prefix, &m.from, &m.from_tls) &&
                (w->dry || read_end(o, "--to", w->to, w->to_prefix, &m.to, &m.to_tls));
    if (good && !w->dry)
        wrong = check_ends(&m);
    if (wrong != NULL)
        complain(wrong);
    if (good && wrong == NULL) {
        snprintf(name, sizeof name, "%s", name_of(w->from, &m.from));
        m.from_name = name;
        status = migrate_run(&m);
    }
    SSL_CTX_free(m.from_tls);
    SSL_CTX_free(m.to_tls);
    return status;
}

/* --- the command ----------------------------------------------------------------------------
 */

int migrate_command_run(int argc, char **argv) {
    struct wish w = {.from = NULL};
    struct options o;
    const char *wrong = take_flags(&w, &argc, argv);
    if (wrong != NULL)
        return complain(wrong);
    int status = USAGE;
    enum options_result result = options_load(&o, argc, argv, stdout, stderr);
    if (result == OPTIONS_RUN)
        status = run_with(&o, &w);
    else if (result == OPTIONS_HEALTH_CHECK)
        complain("--health-check is another command");
    else if (result == OPTIONS_EXIT_OK)
        status = 0;
    options_deinit(&o);
    return status;
}
