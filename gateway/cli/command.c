#include "gateway/cli/command.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/https.h"

#define UNIX "unix:"

int command_wrong(const struct command *c, const char *why, int status) {
    fprintf(stderr, "sluice: %s: %s\n", c->name, why);
    return status;
}

bool command_flush(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* --- the command line -----------------------------------------------------------------------
 */

/* Cuts off what follows `--`, which becomes words. */
static void take_rest(struct command *c, int *argc, char **argv) {
    int at = 2;
    while (at < *argc && strcmp(argv[at], "--") != 0)
        at++;
    for (int i = at + 1; i < *argc; i++)
        c->words[c->count++] = argv[i];
    if (at < *argc)
        *argc = at;
    argv[*argc] = NULL;
}

/* Words before `--` come first. words_flags takes the name of the command out, which words_take
 * wants. */
static const char *take(struct command *c, const struct words_flag flags[], size_t count,
                        int *argc, char **argv) {
    char *name = argv[1];
    int room = *argc;
    c->all = calloc((size_t)room * 2, sizeof *c->all);
    if (c->all == NULL)
        return "there is no memory left";
    c->words = c->all + room;
    take_rest(c, argc, argv);
    const char *wrong = words_flags(flags, count, argc, argv);
    if (wrong != NULL)
        return wrong;
    memmove(argv + 2, argv + 1, (size_t)*argc * sizeof *argv);
    argv[1] = name;
    (*argc)++;
    int before = words_take(argc, argv, c->all);
    memmove(c->words - before, c->all, (size_t)before * sizeof *c->all);
    c->words -= before;
    c->count += before;
    return NULL;
}

bool command_read(struct command *c, const struct words_flag flags[], size_t count, int argc,
                  char **argv, int *status) {
    *status = COMMAND_USAGE;
    const char *wrong = take(c, flags, count, &argc, argv);
    if (wrong != NULL) {
        command_wrong(c, wrong, COMMAND_USAGE);
        return false;
    }
    enum options_result result = options_load(&c->options, argc, argv, stdout, stderr);
    if (result == OPTIONS_HEALTH_CHECK)
        command_wrong(c, "--health-check is another command", COMMAND_USAGE);
    else if (result == OPTIONS_EXIT_OK)
        *status = COMMAND_DONE;
    return result == OPTIONS_RUN;
}

void command_deinit(struct command *c) {
    options_deinit(&c->options);
    OPENSSL_cleanse(c->key, sizeof c->key);
    free(c->all);
    free(c->place);
}

/* --- where ----------------------------------------------------------------------------------
 */

static const char *host_of(struct slice host) {
    if (slice_is(host, "0.0.0.0"))
        return "127.0.0.1";
    if (slice_is(host, "[::]"))
        return "[::1]";
    return log_text("%.*s", (int)host.len, host.ptr);
}

/* A node can listen at "any address", but nothing can connect to that. */
static const char *place_of_port(struct command *c, const char *listen, bool tls,
                                 struct caller_place *p) {
    struct buf url = {0};
    const char *colon = strrchr(listen, ':');
    if (colon == NULL)
        return "must be HOST:PORT";
    if (strspn(colon + 1, "0") == strlen(colon + 1))
        return "port 0 tells nobody which port the node took: give --url";
    buf_printf(&url, "%s://%s%s", tls ? "https" : "http",
               host_of((struct slice){listen, (size_t)(colon - listen)}), colon);
    buf_char(&url, '\0');
    p->url = c->place = url.data;
    return url.failed ? "there is no memory left" : NULL;
}

/* The certificate is for the name by which clients reach the node, and perhaps from an
 * authority that this machine does not know. So it must be the very one that the options name.
 */
static const char *own_place(struct command *c, struct caller_place *p) {
    const struct options *o = &c->options;
    bool internal = o->internal_listen[0] != '\0';
    const char *listen = internal ? o->internal_listen : o->listen;
    bool tls = !internal && o->tls_cert[0] != '\0';
    const char *wrong = NULL;
    p->any_name = tls;
    if (p->ca[0] == '\0' && tls)
        p->ca = o->tls_cert;
    if (!internal && strncmp(listen, UNIX, strlen(UNIX)) == 0) {
        p->url = tls ? "https://localhost" : "http://localhost";
        p->path = listen + strlen(UNIX);
    } else {
        wrong = place_of_port(c, listen, tls, p);
    }
    if (wrong == NULL)
        wrong = https_check_url(p->url, true);
    return wrong != NULL ? log_text("%s: %s", internal ? "internal-listen" : "listen", wrong)
                         : NULL;
}

static const char *given_place(struct command *c, struct caller_place *p) {
    size_t len = strlen(c->url);
    if (strncmp(c->url, UNIX, strlen(UNIX)) == 0) {
        p->url = "http://localhost";
        p->path = c->url + strlen(UNIX);
        return p->path[0] == '/' ? NULL : "--url: after unix: there must be an absolute path";
    }
    while (len > 0 && c->url[len - 1] == '/')
        len--;
    c->place = strndup(c->url, len);
    if (c->place == NULL)
        return "there is no memory left";
    p->url = c->place;
    p->proxy = true;
    const char *wrong = https_check_url(p->url, true);
    if (wrong == NULL && (strstr(p->url, "://") == NULL || strpbrk(p->url, "?#") != NULL))
        wrong = "must be like http://HOST:PORT";
    return wrong != NULL ? log_text("--url %s", wrong) : NULL;
}

/* --- the key --------------------------------------------------------------------------------
 */

/* The first line of the file. */
static const char *read_key(char *key, int size, const char *path) {
    FILE *f = fopen(path, "r");
    const char *wrong = f == NULL ? strerror(errno) : NULL;
    if (f != NULL && fgets(key, size, f) == NULL)
        wrong = ferror(f) ? "cannot be read" : "is empty";
    if (f != NULL)
        fclose(f);
    key[strcspn(key, "\r\n")] = '\0';
    return wrong != NULL ? log_text("api-key-file: %s: %s", path, wrong) : NULL;
}

/* It goes into a header as it is. */
static bool is_visible(const char *key) {
    while (*key > ' ' && *key <= '~')
        key++;
    return *key == '\0';
}

static const char *find_key(struct command *c) {
    const struct options *o = &c->options;
    if (strlen(o->api_key) >= sizeof c->key)
        return "the key is too long";
    snprintf(c->key, sizeof c->key, "%s", o->api_key);
    if (c->key[0] == '\0' && o->api_key_file[0] != '\0') {
        const char *wrong = read_key(c->key, sizeof c->key, o->api_key_file);
        if (wrong != NULL)
            return wrong;
    }
    if (c->key[0] == '\0')
        return "there is no key: give SLUICE_API_KEY, or --api-key-file FILE";
    return is_visible(c->key) ? NULL
                              : "the key must be visible ASCII characters, without spaces";
}

int command_call(struct command *c, struct caller *caller, bool (*stopped)(void)) {
    struct caller_place p = {.ca = c->ca != NULL ? c->ca : "", .key = c->key};
    const char *wrong = c->url != NULL ? given_place(c, &p) : own_place(c, &p);
    if (wrong == NULL)
        wrong = find_key(c);
    if (wrong != NULL)
        return command_wrong(c, wrong, COMMAND_USAGE);
    wrong = caller_open(caller, &p, stopped);
    if (wrong == NULL)
        return COMMAND_DONE;
    caller_close(caller);
    return command_wrong(c, wrong, COMMAND_FAILED);
}
