#include "gateway/options.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

#define DEFAULT "default" /* as a place */

enum type { TEXT, CHOICE, LIST, COUNT, SIZE, TIME, SWITCH, IS_LIVE = 8 };

/* The strongest comes first. */
enum source { BY_NOBODY, BY_FLAG, BY_ENVIRONMENT, BY_FILE, BY_DEFAULT };

struct row {
    const char *flag;
    enum type type;
    bool live;
    uint64_t low;
    uint64_t high;
    const char *initial;
    const char *value;
    const char *help;
    size_t offset;
};

#define LIVE(of) ((of) | IS_LIVE)
#define ROW(field, flag, of, low, high, initial, value, help)                                  \
    {flag, (enum type)((of) & ~IS_LIVE),   ((of)&IS_LIVE) != 0, low, high, initial, value,     \
     help, offsetof(struct options, field)},
static const struct row rows[] = {OPTIONS_TABLE(ROW)};
#undef ROW
#undef LIVE
#define ROWS (sizeof rows / sizeof *rows)
_Static_assert(ROWS <= 160, "options.places, and twice as many texts");

struct loader {
    struct options *options;
    FILE *errors;
    enum source source; /* what is read just now */
    enum source set[ROWS];
    bool in_file[ROWS];
};

static void env_name(const struct row *row, char *out, size_t size) {
    size_t n = (size_t)snprintf(out, size, "SLUICE_%s", row->flag);
    for (size_t i = 0; i < n; i++) {
        int upper = toupper((unsigned char)out[i]);
        out[i] = (char)(upper == '-' ? '_' : upper);
    }
}

static const struct row *row_find(const char *flag, size_t len) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].flag) == len && memcmp(rows[i].flag, flag, len) == 0)
            return &rows[i];
    }
    return NULL;
}

static const char *type_hint(enum type type) {
    switch (type) {
    case TEXT:
    case LIST:
        return "text of a length";
    case CHOICE:
    case COUNT:
        return "a number";
    case SIZE:
        return "a number of bytes (K, M or G may follow)";
    case TIME:
        return "a time (with ms, s, m, h or d; here in ms)";
    case SWITCH:
    case IS_LIVE:
        break;
    }
    return "true or false";
}

static bool fail(struct loader *l, const char *place, const struct row *row,
                 const char *value) {
    if (row->type == CHOICE)
        fprintf(l->errors, "sluice: %s: %s is \"%s\": must be one of %s\n", place, row->flag,
                value, row->value);
    else if (row->type == SWITCH)
        fprintf(l->errors, "sluice: %s: %s is \"%s\": must be true or false\n", place,
                row->flag, value);
    else if (row->type == LIST)
        fprintf(l->errors, "sluice: %s: %s: must be at most %d entries of %llu to %llu bytes\n",
                place, row->flag, LIST_MOST, (unsigned long long)row->low,
                (unsigned long long)row->high);
    else if (row->type == TEXT && strlen(value) > 1000) /* and it may be a secret */
        fprintf(l->errors, "sluice: %s: %s is too long: must be %s from %llu to %llu\n", place,
                row->flag, type_hint(row->type), (unsigned long long)row->low,
                (unsigned long long)row->high);
    else
        fprintf(l->errors, "sluice: %s: %s is \"%s\": must be %s from %llu to %llu\n", place,
                row->flag, value, type_hint(row->type), (unsigned long long)row->low,
                (unsigned long long)row->high);
    return false;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};
static const struct unit time_units[] = {{"ms", 1},      {"s", 1000},    {"m", 60000},
                                         {"h", 3600000}, {"d", DAYS(1)}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1},          {"K", 1024},       {"KiB", 1024},       {"M", 1048576},
    {"MiB", 1048576}, {"G", 1073741824}, {"GiB", 1073741824}, {NULL, 0}};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};

static bool parse_number(const char *text, const struct unit *units, uint64_t *out) {
    if (!isdigit((unsigned char)*text))
        return false;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (n == 0 && *end == '\0') {
        *out = 0; /* zero needs no unit */
        return true;
    }
    for (; units->suffix != NULL; units++) {
        if (strcmp(end, units->suffix) == 0) {
            *out = n * units->factor;
            return n <= UINT64_MAX / units->factor;
        }
    }
    return false;
}

static bool parse_switch(const char *text, bool *out) {
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static char **owner_of(struct options *o, const char *text) {
    unsigned i = 0;
    while (o->texts[i] != text)
        i++;
    return &o->texts[i];
}

static const char *keep(struct loader *l, const char *text) {
    char *copy = strdup(text);
    if (copy != NULL)
        l->options->texts[l->options->text_count++] = copy;
    return copy;
}

static bool is_choice(const struct row *row, const char *text) {
    size_t len = strlen(text);
    for (const char *at = row->value; *at != '\0';) {
        size_t word = strcspn(at, "|");
        if (word == len && memcmp(at, text, len) == 0)
            return true;
        at += word + (at[word] == '|');
    }
    return false;
}

static bool set_number(const struct row *row, const char *text, uint64_t *at) {
    const struct unit *units = row->type == TIME   ? time_units
                               : row->type == SIZE ? size_units
                                                   : count_units;
    uint64_t n;
    if (!parse_number(text, units, &n) || n < row->low || n > row->high)
        return false;
    *at = n;
    return true;
}

/* The entry, without a comment and white space around it. */
static struct slice entry_of(struct slice line) {
    bool quoted = false;
    size_t len = 0;
    for (; len < line.len; len++) {
        char c = line.ptr[len];
        quoted = quoted != (c == '"');
        if (!quoted && c == '#' && (len == 0 || isspace((unsigned char)line.ptr[len - 1])))
            break;
    }
    line.len = len;
    while (line.len > 0 && isspace((unsigned char)line.ptr[0]))
        line = (struct slice){line.ptr + 1, line.len - 1};
    while (line.len > 0 && isspace((unsigned char)line.ptr[line.len - 1]))
        line.len--;
    return line;
}

/* Adds the entries of `text`, one a line, to a list. */
static bool put_entries(const struct row *row, const char *text, struct buf *list) {
    struct slice rest = slice_of(text), all;
    unsigned count = 0;
    bool good = true;
    while (rest.len > 0) {
        struct slice entry = entry_of(slice_cut(&rest, '\n'));
        if (entry.len == 0)
            continue;
        good = good && entry.len >= row->low && entry.len <= row->high;
        if (list->len > 0)
            buf_char(list, '\n');
        buf_slice(list, entry);
    }
    for (all = buf_bytes(list); all.len > 0; count++)
        slice_cut(&all, '\n');
    buf_char(list, '\0');
    return good && count <= LIST_MOST && !list->failed;
}

static bool is_good_list(const struct row *row, const char *text) {
    struct buf list;
    buf_init(&list);
    bool good = put_entries(row, text, &list);
    buf_deinit(&list);
    return good;
}

/* before: what the same source has given already, or NULL. */
static bool set_list(struct loader *l, const struct row *row, const char *text, const char **at,
                     const char *before) {
    struct buf list;
    buf_init(&list);
    buf_str(&list, before != NULL ? before : "");
    bool good = put_entries(row, text, &list);
    const char *all = good ? keep(l, list.data) : NULL;
    if (all != NULL && before != NULL) { /* in its place */
        char **slot = owner_of(l->options, before);
        free(*slot);
        *slot = l->options->texts[--l->options->text_count];
    }
    if (all != NULL)
        *at = all;
    buf_deinit(&list);
    return all != NULL;
}

static bool is_good(const struct row *row, const char *text) {
    bool yes;
    uint64_t n;
    if (row->type == CHOICE)
        return is_choice(row, text);
    if (row->type == TEXT)
        return strlen(text) >= row->low && strlen(text) <= row->high;
    if (row->type == LIST)
        return is_good_list(row, text);
    return row->type == SWITCH ? parse_switch(text, &yes) : set_number(row, text, &n);
}

static bool set_text(struct loader *l, const struct row *row, const char *text,
                     const char **at) {
    *at = is_good(row, text) ? keep(l, text) : NULL;
    return *at != NULL;
}

/* Sets one option, unless a stronger source has set it. A bad value is an error in any case. */
static bool set(struct loader *l, const struct row *row, const char *text, const char *place) {
    char *base = (char *)l->options;
    size_t index = (size_t)(row - rows);
    bool adds = row->type == LIST && l->set[index] == l->source;
    if (l->set[index] != BY_NOBODY && !adds)
        return is_good(row, text) || fail(l, place, row, text);
    void *at = base + row->offset;
    if (!adds)
        l->options->places[index] = keep(l, place);
    bool good =
        row->type == LIST ? set_list(l, row, text, (const char **)at, *(const char *const *)at)
        : row->type == TEXT || row->type == CHOICE ? set_text(l, row, text, (const char **)at)
        : row->type == SWITCH                      ? parse_switch(text, (bool *)at)
                                                   : set_number(row, text, (uint64_t *)at);
    if (!good)
        return fail(l, place, row, text);
    l->set[index] = l->source;
    return true;
}

static char *trim(char *text) {
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

static bool load_line(struct loader *l, char *line, const char *place) {
    char *text = trim(line);
    if (*text == '\0' || *text == '#')
        return true;
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        fprintf(l->errors, "sluice: %s: a line is `option = value`\n", place);
        return false;
    }
    *equals = '\0';
    char *flag = trim(text);
    const struct row *row = row_find(flag, strlen(flag));
    if (row == NULL) {
        fprintf(l->errors, "sluice: %s: there is no option %s\n", place, flag);
        return false;
    }
    if (l->in_file[row - rows] && row->type != LIST) {
        fprintf(l->errors, "sluice: %s: %s is given twice\n", place, flag);
        return false;
    }
    l->in_file[row - rows] = true;
    return set(l, row, trim(equals + 1), place);
}

static bool load_file(struct loader *l, const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(l->errors, "sluice: --config %s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = true;
    char *line = NULL;
    size_t size = 0;
    l->source = BY_FILE;
    for (unsigned number = 1; good && getline(&line, &size, file) >= 0; number++) {
        char place[600];
        snprintf(place, sizeof place, "%s line %u", path, number);
        good = load_line(l, line, place);
    }
    if (ferror(file)) {
        fprintf(l->errors, "sluice: %s: cannot be read\n", path);
        good = false;
    }
    free(line);
    fclose(file);
    return good;
}

static bool load_flag(struct loader *l, const char ***at, const char **config) {
    const char *flag = **at;
    const char *equals = strchr(flag, '=');
    size_t len = equals != NULL ? (size_t)(equals - flag) : strlen(flag);
    bool dashes = strncmp(flag, "--", 2) == 0;
    bool is_config = len == 8 && memcmp(flag, "--config", 8) == 0;
    const struct row *row = dashes ? row_find(flag + 2, len - 2) : NULL;
    if (row == NULL && !is_config) {
        fprintf(l->errors, "sluice: there is no option %s (see --help)\n", flag);
        return false;
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && row != NULL && row->type == SWITCH)
        value = "true";
    else if (value == NULL)
        value = *++*at;
    if (value == NULL) {
        fprintf(l->errors, "sluice: %s wants a value\n", flag);
        return false;
    }
    if (is_config) {
        *config = value;
        return true;
    }
    if (l->set[row - rows] != BY_NOBODY && row->type != LIST) {
        fprintf(l->errors, "sluice: command line: --%s is given twice\n", row->flag);
        return false;
    }
    return set(l, row, value, "command line");
}

static bool load_environment(struct loader *l) {
    l->source = BY_ENVIRONMENT;
    for (size_t i = 0; i < ROWS; i++) {
        char name[80];
        env_name(&rows[i], name, sizeof name);
        const char *value = getenv(name);
        if (value != NULL && !set(l, &rows[i], value, name))
            return false;
    }
    return true;
}

static bool is_number(const struct row *row) {
    return row->type == COUNT || row->type == SIZE || row->type == TIME;
}

static bool load_defaults(struct loader *l) {
    l->source = BY_DEFAULT;
    for (size_t i = 0; i < ROWS; i++) {
        if (l->set[i] != BY_NOBODY)
            continue;
        if (is_number(&rows[i]) && rows[i].initial[0] == '\0')
            l->options->places[i] = keep(l, DEFAULT); /* the number is 0 */
        else if (!set(l, &rows[i], rows[i].initial, DEFAULT))
            return false;
    }
    return true;
}

enum options_result options_load(struct options *o, int argc, char **argv, FILE *out,
                                 FILE *errors) {
    struct loader l = {.options = o, .errors = errors, .source = BY_FLAG};
    const char *config = NULL;
    enum options_result result = OPTIONS_RUN;
    memset(o, 0, sizeof *o);
    o->argc = argc;
    o->argv = argv;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            fprintf(out, "sluice %s\n", SLUICE_VERSION);
            return OPTIONS_EXIT_OK;
        }
    }
    const char **end = (const char **)argv + argc;
    for (const char **at = (const char **)argv + 1; at < end; at++) {
        if (strcmp(*at, "--health-check") == 0)
            result = OPTIONS_HEALTH_CHECK;
        else if (!load_flag(&l, &at, &config))
            return OPTIONS_EXIT_FAILED;
    }
    if (!load_environment(&l))
        return OPTIONS_EXIT_FAILED;
    config = config != NULL ? config : getenv("SLUICE_CONFIG");
    if ((config != NULL && !load_file(&l, config)) || !load_defaults(&l))
        return OPTIONS_EXIT_FAILED;
    return result;
}

bool options_time(const char *text, uint64_t *ms) {
    return parse_number(text, time_units, ms);
}

const char *options_place(const struct options *o, const char *flag) {
    const struct row *row = row_find(flag, strlen(flag));
    return row != NULL && o->places[row - rows] != NULL ? o->places[row - rows] : "?";
}

bool options_given(const struct options *o, const char *flag) {
    return row_find(flag, strlen(flag)) != NULL && strcmp(options_place(o, flag), DEFAULT) != 0;
}

/* --- loading again --------------------------------------------------------------------------
 */

static bool is_text(const struct row *row) {
    return row->type <= LIST;
}

static size_t row_size(const struct row *row) {
    return is_text(row)          ? sizeof(char *)
           : row->type == SWITCH ? sizeof(bool)
                                 : sizeof(uint64_t);
}

static bool is_same(const struct row *row, const struct options *a, const struct options *b) {
    const char *at_a = (const char *)a + row->offset;
    const char *at_b = (const char *)b + row->offset;
    if (is_text(row))
        return strcmp(*(const char *const *)(const void *)at_a,
                      *(const char *const *)(const void *)at_b) == 0;
    return memcmp(at_a, at_b, row_size(row)) == 0;
}

/* Each text moves with the pointer to it. */
static void swap_texts(struct options *a, struct options *b, const char **in_a,
                       const char **in_b) {
    char **from_a = owner_of(a, *in_a), **from_b = owner_of(b, *in_b);
    char *text = *from_a;
    *in_a = *from_a = *from_b;
    *in_b = *from_b = text;
}

static void take_row(const struct row *row, struct options *o, struct options *fresh) {
    void *to = (char *)o + row->offset, *from = (char *)fresh + row->offset;
    if (is_text(row))
        swap_texts(o, fresh, to, from);
    else
        memcpy(to, from, row_size(row));
    swap_texts(o, fresh, &o->places[row - rows], &fresh->places[row - rows]);
}

void options_take(struct options *o, struct options *fresh,
                  void (*changed)(void *owner, const char *flag, const char *place, bool taken),
                  void *owner) {
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        if (is_same(row, o, fresh))
            continue;
        changed(owner, row->flag, fresh->places[row - rows], row->live);
        if (row->live)
            take_row(row, o, fresh);
    }
}

void options_deinit(struct options *o) {
    while (o->text_count > 0)
        free(o->texts[--o->text_count]);
}
