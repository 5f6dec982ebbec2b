#include "gateway/spaces.h"

#include "common/log.h"
#include "common/name.h"

struct entry {
    struct slice word;
    struct slice nsp;
};

static struct slice skip_blanks(struct slice s) {
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct slice){s.ptr + 1, s.len - 1};
    return s;
}

static struct slice take_word(struct slice *rest) {
    struct slice word = skip_blanks(*rest);
    size_t len = 0;
    while (len < word.len && word.ptr[len] != ' ' && word.ptr[len] != '\t')
        len++;
    *rest = skip_blanks((struct slice){word.ptr + len, word.len - len});
    word.len = len;
    return word;
}

/* Takes the first entry of a list. False: it has another form. */
static bool take_entry(struct slice *list, struct entry *e) {
    struct slice rest = slice_cut(list, '\n');
    *e = (struct entry){.word = take_word(&rest), .nsp = SLICE("/")};
    if (rest.len == 0)
        return e->word.len > 0;
    if (!slice_is(take_word(&rest), "in"))
        return false;
    e->nsp = take_word(&rest);
    return rest.len == 0 && e->nsp.len > 0 && e->nsp.ptr[0] == '/';
}

/* Empty: the list says nothing of the namespace. */
static struct slice word_for(const char *list, struct slice nsp) {
    struct slice rest = slice_of(list);
    struct entry e;
    while (rest.len > 0) {
        if (take_entry(&rest, &e) && slice_eq(e.nsp, nsp))
            return e.word;
    }
    return (struct slice){NULL, 0};
}

struct slice spaces_default_room(const struct options *o, struct slice nsp) {
    return word_for(o->default_room, nsp);
}

bool spaces_has_builtin(const struct options *o, struct slice nsp) {
    return !slice_is(word_for(o->builtin, nsp), "none");
}

/* wrong_word: what is wrong with a word, or NULL. */
static const char *check(const char *list, const char *(*wrong_word)(struct slice word)) {
    struct slice rest = slice_of(list);
    struct entry e;
    while (rest.len > 0) {
        const char *at = rest.ptr;
        bool good = take_entry(&rest, &e);
        struct slice before = {list, (size_t)(at - list)};
        const char *wrong = good ? wrong_word(e.word) : "an entry is NAME, or NAME in /nsp";
        struct entry other;
        while (wrong == NULL && before.len > 0) {
            if (take_entry(&before, &other) && slice_eq(other.nsp, e.nsp))
                wrong = log_text("%.*s is named twice", (int)e.nsp.len, e.nsp.ptr);
        }
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *wrong_room(struct slice word) {
    return name_valid(word) ? NULL
                            : "a room's name has at most 128 bytes, no control characters and "
                              "no braces";
}

static const char *wrong_builtin(struct slice word) {
    return slice_is(word, "all") || slice_is(word, "none") ? NULL : "all or none is wanted";
}

const char *spaces_check_default_room(const struct options *o) {
    return check(o->default_room, wrong_room);
}

const char *spaces_check_builtin(const struct options *o) {
    return check(o->builtin, wrong_builtin);
}
