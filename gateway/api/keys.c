#include "gateway/api/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"

/* --- a list of keys -------------------------------------------------------------------------
 */

void api_key_unref(struct api_key *key) {
    if (key == NULL || --key->refs > 0)
        return;
    OPENSSL_cleanse(key->digest, sizeof key->digest);
    free(key);
}

void api_keys_deinit(struct api_keys *k) {
    for (size_t i = 0; i < k->count; i++)
        api_key_unref(k->all[i]);
    free(k->all);
    *k = (struct api_keys){0};
}

/* Keys go into a header as they are. */
static bool is_visible(struct slice key) {
    bool good = true;
    for (size_t i = 0; i < key.len; i++)
        good = good && key.ptr[i] > ' ' && key.ptr[i] <= '~';
    return good;
}

static const char *check(struct slice key) {
    return key.len >= API_KEY_LEAST && key.len <= API_KEY_MOST && is_visible(key)
               ? NULL
               : "must be 32 to 1023 visible ASCII characters, without spaces";
}

static bool digest(struct slice text, unsigned char out[32]) {
    return EVP_Digest(text.ptr, text.len, out, NULL, EVP_sha256(), NULL) == 1;
}

static const char *add(struct api_keys *k, struct slice name, struct slice key,
                       unsigned rights) {
    struct api_key **grown = realloc(k->all, (k->count + 1) * sizeof(void *));
    struct api_key *one = grown != NULL ? calloc(1, sizeof *one) : NULL;
    if (grown != NULL)
        k->all = grown;
    if (one == NULL || !digest(key, one->digest)) {
        free(one);
        return "there is no memory left";
    }
    memcpy(one->name, name.ptr, name.len);
    one->rights = rights;
    one->refs = 1;
    k->all[k->count++] = one;
    return NULL;
}

/* --- the files ------------------------------------------------------------------------------
 */

/* Reads a file of at most so many bytes; *len is one more if it is longer. */
static const char *read_file(const char *path, char *text, size_t most, size_t *len) {
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return strerror(errno);
    *len = fread(text, 1, most + 1, f);
    bool failed = ferror(f) != 0;
    fclose(f);
    return failed ? "cannot be read" : NULL;
}

/* The file's key, without the newline at its end. */
static const char *read_one(struct api_keys *k, const char *path) {
    char text[API_KEY_MOST + 3];
    size_t len = 0;
    const char *wrong = read_file(path, text, sizeof text - 1, &len);
    if (wrong == NULL && len > 0 && text[len - 1] == '\n')
        len--;
    struct slice key = {text, len};
    if (wrong == NULL)
        wrong = check(key);
    if (wrong == NULL)
        wrong = add(k, SLICE("default"), key, API_ALL);
    OPENSSL_cleanse(text, sizeof text);
    return wrong;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice next_word(struct slice *line) {
    size_t at = 0, end;
    while (at < line->len && is_blank(line->ptr[at]))
        at++;
    for (end = at; end < line->len && !is_blank(line->ptr[end]);)
        end++;
    struct slice word = {line->ptr + at, end - at};
    *line = (struct slice){line->ptr + end, line->len - end};
    return word;
}

static bool is_name(struct slice name) {
    bool good = name.len > 0 && name.len <= API_NAME_MOST;
    for (size_t i = 0; i < name.len && good; i++) {
        char c = name.ptr[i];
        good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_' || c == '.' || c == '-';
    }
    return good;
}

/* 0: one of them is none. */
static unsigned rights_of(struct slice list) {
    static const struct {
        const char *name;
        unsigned right;
    } known[] = {
        {"publish", API_PUBLISH}, {"read", API_READ}, {"users", API_USERS}, {"all", API_ALL}};
    unsigned rights = 0;
    while (list.len > 0) {
        bool ends = list.ptr[list.len - 1] == ',';
        struct slice word = slice_cut(&list, ',');
        unsigned right = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            right |= slice_is(word, known[i].name) ? known[i].right : 0;
        if (right == 0 || (ends && list.len == 0))
            return 0;
        rights |= right;
    }
    return rights;
}

static const char *add_line(struct api_keys *k, struct slice line) {
    struct slice name = next_word(&line), key = next_word(&line), list = next_word(&line);
    unsigned rights = rights_of(list);
    if (name.len == 0 || name.ptr[0] == '#')
        return NULL;
    if (!is_name(name))
        return "a name has 1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-'";
    if (check(key) != NULL)
        return "a key must be 32 to 1023 visible ASCII characters";
    if (rights == 0 || next_word(&line).len > 0)
        return "NAME KEY RIGHT[,RIGHT...]: the rights are publish, read, users and all";
    return add(k, name, key, rights);
}

static const char *add_lines(struct api_keys *k, struct slice text) {
    for (unsigned number = 1; text.len > 0; number++) {
        const char *wrong = add_line(k, slice_cut(&text, '\n'));
        if (wrong != NULL)
            return log_text("line %u: %s", number, wrong);
    }
    return NULL;
}

static const char *read_many(struct api_keys *k, const char *path) {
    size_t len = 0;
    char *text = malloc(API_KEYS_BYTES + 1);
    if (text == NULL)
        return "there is no memory left";
    const char *wrong = read_file(path, text, API_KEYS_BYTES, &len);
    if (wrong == NULL && len > API_KEYS_BYTES)
        wrong = "is longer than 256 KiB";
    if (wrong == NULL)
        wrong = add_lines(k, (struct slice){text, len});
    OPENSSL_cleanse(text, len);
    free(text);
    return wrong;
}

/* --- the options ----------------------------------------------------------------------------
 */

/* A name tells who did something, and a key has one name. `api-key` and `api-key-file` are one
 * name with two keys, so that one can be changed while the other is in use. */
static const char *find_twice(const struct api_keys *k, size_t file) {
    for (size_t i = file; i < k->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(k->all[i]->name, k->all[j]->name) == 0)
                return log_text("two keys are called %s", k->all[i]->name);
            if (CRYPTO_memcmp(k->all[i]->digest, k->all[j]->digest, 32) == 0)
                return log_text("%s has the key of %s", k->all[i]->name, k->all[j]->name);
        }
    }
    return NULL;
}

static const char *read_options(struct api_keys *k, const struct options *o,
                                const char **flag) {
    struct slice key = slice_of(o->api_key), admin = slice_of(o->admin_token);
    const char *wrong = key.len > 0 ? check(key) : NULL;
    *flag = "api-key";
    if (wrong == NULL && key.len > 0)
        wrong = add(k, SLICE("default"), key, API_ALL);
    if (wrong == NULL && o->api_key_file[0] != '\0') {
        *flag = "api-key-file";
        wrong = read_one(k, o->api_key_file);
    }
    if (wrong == NULL && o->api_keys[0] != '\0') {
        size_t before = k->count;
        *flag = "api-keys";
        wrong = read_many(k, o->api_keys);
        if (wrong == NULL)
            wrong = find_twice(k, before);
    }
    if (wrong == NULL && admin.len > 0)
        wrong = add(k, SLICE(""), admin, API_ADMIN);
    return wrong;
}

const char *api_keys_read(struct api_keys *out, const struct options *o, const char **flag) {
    struct api_keys fresh = {0};
    const char *wrong = read_options(&fresh, o, flag);
    if (wrong == NULL && out != NULL) {
        struct api_keys old = *out;
        *out = fresh;
        fresh = old;
    }
    api_keys_deinit(&fresh);
    return wrong;
}

/* --- asking ---------------------------------------------------------------------------------
 */

struct api_key *api_keys_find(const struct api_keys *k, const struct http_request *request) {
    const char *given = http_header(request, "authorization");
    unsigned char mine[32];
    struct api_key *found = NULL;
    if (http_header_count(request, "authorization") != 1 ||
        strncasecmp(given, "bearer ", 7) != 0)
        return NULL;
    given += 7 + strspn(given + 7, " ");
    if (!digest(slice_of(given), mine))
        return NULL;
    for (size_t i = 0; i < k->count; i++) {
        if (CRYPTO_memcmp(mine, k->all[i]->digest, sizeof mine) == 0)
            found = k->all[i];
    }
    return found;
}
