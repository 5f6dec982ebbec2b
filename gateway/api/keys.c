#include "gateway/api/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_OPTION, KEY_FILE, KEY_ADMIN };

/* --- reading --------------------------------------------------------------------------------
 */

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

static void set(struct api_keys *k, int which, struct slice key) {
    k->keys[which].given = key.len > 0 && digest(key, k->keys[which].digest);
}

/* Reads the file's key, without the newline at its end. */
static const char *read_file(const char *path, char text[API_KEY_MOST + 3], struct slice *key) {
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return strerror(errno);
    size_t len = fread(text, 1, API_KEY_MOST + 3, f);
    bool failed = ferror(f) != 0;
    fclose(f);
    if (failed)
        return "cannot be read";
    if (len > 0 && text[len - 1] == '\n')
        len--;
    *key = (struct slice){text, len};
    return check(*key);
}

const char *api_keys_read(struct api_keys *out, const struct options *o, const char **flag) {
    char text[API_KEY_MOST + 3];
    struct slice none = {NULL, 0};
    struct slice option = slice_of(o->api_key), file = none;
    const char *wrong = option.len > 0 ? check(option) : NULL;
    *flag = "api-key";
    if (wrong == NULL && o->api_key_file[0] != '\0') {
        *flag = "api-key-file";
        wrong = read_file(o->api_key_file, text, &file);
    }
    if (wrong == NULL && out != NULL) {
        set(out, KEY_OPTION, option);
        set(out, KEY_FILE, file);
        set(out, KEY_ADMIN, slice_of(o->admin_token));
    }
    OPENSSL_cleanse(text, sizeof text);
    return wrong;
}

/* --- asking ---------------------------------------------------------------------------------
 */

bool api_keys_given(const struct api_keys *k) {
    return k->keys[KEY_OPTION].given || k->keys[KEY_FILE].given || k->keys[KEY_ADMIN].given;
}

bool api_keys_allow(const struct api_keys *k, const struct http_request *request, bool writes) {
    const char *given = http_header(request, "authorization");
    unsigned char mine[32];
    bool good = false;
    if (http_header_count(request, "authorization") != 1 ||
        strncasecmp(given, "bearer ", 7) != 0)
        return false;
    given += 7 + strspn(given + 7, " ");
    if (!digest(slice_of(given), mine))
        return false;
    for (int i = 0; i <= KEY_ADMIN; i++) {
        bool same = CRYPTO_memcmp(mine, k->keys[i].digest, sizeof mine) == 0;
        good |= same & k->keys[i].given & (i != KEY_ADMIN || !writes);
    }
    return good;
}
