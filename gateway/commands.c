#include "gateway/commands.h"

#include <string.h>

#include "gateway/options.h"

#define WIDTH 100 /* columns of a page of help */
#define TEXTS 34  /* the column where the text of a flag begins */

struct line {
    const char *head; /* NULL ends a list */
    const char *text;
};

struct page {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *about;
    const struct line *flags;
    const char *further;
    const struct line *exits;
};

#define EACH(...) __VA_ARGS__
#define LINES(name, arguments, summary, about, flags, further, exits)                          \
    static const struct line name##_flags[] = {flags, {NULL, NULL}};                           \
    static const struct line name##_exits[] = {exits, {NULL, NULL}};
#define PAGE(name, arguments, summary, about, flags, further, exits)                           \
    {#name, arguments, summary, about, name##_flags, further, name##_exits},

#define NODE(X)                                                                                \
    X(node, "[options]", "a WebSocket gateway node",                                           \
      "A WebSocket gateway node: sockets here, everything else in Redis.\n"                    \
      "Each option may also be an environment variable (--redis-url: SLUICE_REDIS_URL) or a "  \
      "line `redis-url = ...` of the file named by --config or SLUICE_CONFIG. A flag goes "    \
      "before the environment, that before the file. Times take ms, s, m, h or d; bytes may "  \
      "take K, M or G. SIGHUP reads the file again: options marked (live) change at once, "    \
      "the others need a restart.",                                                            \
      EACH({"--config FILE", "options from a file"},                                           \
           {"--health-check",                                                                  \
            "ask the node that runs with these options: exits 0 if it is healthy"},            \
           {"--help", "this text; after the name of a command, the page of that"},             \
           {"--version", "the version"}),                                                      \
      "SIGTERM drains a node: it closes its connections over the time of --drain, and ends. "  \
      "SIGINT ends it at once.",                                                               \
      EACH({"0", "it was told to end; --health-check: it is healthy"},                         \
           {"1", "it could not start; --health-check: no healthy answer came"}))

NODE(LINES)
COMMANDS_TABLE(LINES)
static const struct page node[] = {NODE(PAGE)};
static const struct page commands[] = {COMMANDS_TABLE(PAGE)};
#define COMMANDS (sizeof commands / sizeof *commands)

struct option {
    const char *flag;
    const char *value;
    const char *help;
    const char *initial;
    const char *type; /* LIVE(…) if SIGHUP changes it */
};
#define OPTION(field, flag, type, low, high, initial, value, help)                             \
    {flag, value, help, initial, #type},
static const struct option options[] = {OPTIONS_TABLE(OPTION)};
#define OPTIONS (sizeof options / sizeof *options)

static const struct page *find(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++) {
        if (name != NULL && strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return node;
}

static bool is_live(const struct option *o) {
    return strncmp(o->type, "LIVE", 4) == 0;
}

static bool written(FILE *out) {
    return fflush(out) == 0 && !ferror(out);
}

/* --- --help ---------------------------------------------------------------------------------
 */

struct cursor {
    FILE *out;
    size_t indent;
    size_t column;
};

static void put_break(struct cursor *c) {
    fprintf(c->out, "\n%*s", (int)c->indent, "");
    c->column = c->indent;
}

static void put_words(struct cursor *c, const char *text) {
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        if (c->column > c->indent && c->column + 1 + len > WIDTH)
            put_break(c);
        bool blank = c->column > c->indent;
        fprintf(c->out, "%s%.*s", blank ? " " : "", (int)len, text);
        c->column += len + blank;
        text += len;
        if (*text == '\n') {
            fputc('\n', c->out);
            put_break(c);
        }
        text += *text != '\0';
    }
}

static void put_paragraphs(FILE *out, const char *text) {
    struct cursor c = {.out = out};
    put_words(&c, text);
    fputs("\n\n", out);
}

/* Up to the first word of the text, which stands on a line of its own if the head is long. */
static struct cursor put_head(FILE *out, const char *head) {
    struct cursor c = {.out = out, .indent = TEXTS, .column = TEXTS};
    bool is_long = strlen(head) > TEXTS - 4;
    fprintf(out, "  %-*s", is_long ? 0 : TEXTS - 2, head);
    if (is_long)
        put_break(&c);
    return c;
}

static void put_lines(FILE *out, const struct line *line) {
    for (; line->head != NULL; line++) {
        struct cursor c = put_head(out, line->head);
        put_words(&c, line->text);
        fputc('\n', out);
    }
}

static void put_option(FILE *out, const struct option *o) {
    char head[80], initial[300];
    snprintf(head, sizeof head, "--%s %s", o->flag, o->value);
    snprintf(initial, sizeof initial, "[%s]", o->initial);
    struct cursor c = put_head(out, head);
    put_words(&c, o->help);
    put_words(&c, is_live(o) ? "(live)" : "");
    put_words(&c, o->initial[0] != '\0' ? initial : "");
    fputc('\n', out);
}

static void put_exits(FILE *out, const struct page *page) {
    fputs("Exit code:\n", out);
    for (const struct line *exit = page->exits; exit->head != NULL; exit++)
        fprintf(out, "  %s  %s\n", exit->head, exit->text);
}

static void help_node(FILE *out) {
    fprintf(out, "Usage: sluice %s\n       sluice COMMAND ...\n\n", node->arguments);
    put_paragraphs(out, node->about);
    fputs("Commands (sluice COMMAND --help says more):\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-*s%s\n", TEXTS - 2, commands[i].name, commands[i].summary);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < OPTIONS; i++)
        put_option(out, &options[i]);
    put_lines(out, node->flags);
    fputc('\n', out);
    put_paragraphs(out, node->further);
}

static void help_command(FILE *out, const struct page *page) {
    fprintf(out, "Usage: sluice %s %s\n\n", page->name, page->arguments);
    put_paragraphs(out, page->about);
    put_lines(out, page->flags);
    put_lines(out, (const struct line[]){{"--help", "this text"}, {NULL, NULL}});
    fputc('\n', out);
    put_paragraphs(out, page->further);
    put_exits(out, page);
}

bool commands_help(FILE *out, const char *name) {
    const struct page *page = find(name);
    if (page == node)
        help_node(out);
    else
        help_command(out, page);
    return written(out);
}

/* --- the man page ---------------------------------------------------------------------------
 */

/* A character as roff takes it, if that is not itself: it would become a sign of typography, or
 * at the beginning of a line a request. */
static const char *roff(char c, bool begins) {
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '`':
        return "\\(ga";
    case '\'':
        return "\\(aq";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    case '.':
        return begins ? "\\&." : NULL;
    default:
        return NULL;
    }
}

/* roff may break a line after a comma or semicolon, too: long defaults have no blanks. */
static void man_char(FILE *out, const char *at, bool begins) {
    const char *as = roff(*at, begins);
    if (as != NULL)
        fputs(as, out);
    else
        fputc(*at, out);
    if ((*at == ',' || *at == ';') && at[1] != ' ' && at[1] != '\0')
        fputs("\\:", out);
}

static void man_text(FILE *out, const char *text) {
    size_t column = 0;
    for (; *text != '\0'; text++) {
        bool ends = *text == '\n' || (*text == ' ' && column + strcspn(text + 1, " ") > 60);
        if (*text == '\n')
            fputs("\n.PP\n", out);
        else if (ends)
            fputc('\n', out);
        else
            man_char(out, text, column == 0);
        column = ends ? 0 : column + 1;
    }
}

/* The flag is bold, the name of its value in italics. */
static void man_head(FILE *out, const char *head) {
    size_t flag = head[0] == '-' ? strcspn(head, " ") : 0;
    char bold[80];
    snprintf(bold, sizeof bold, "%.*s", (int)flag, head);
    fputs(".TP\n\\fB", out);
    man_text(out, bold);
    fputs("\\fR", out);
    for (head += flag; *head == ' '; head++)
        fputs(" ", out);
    if (*head != '\0') {
        fputs("\\fI", out);
        man_text(out, head);
        fputs("\\fR", out);
    }
    fputc('\n', out);
}

static void man_lines(FILE *out, const struct line *line) {
    for (; line->head != NULL; line++) {
        man_head(out, line->head);
        man_text(out, line->text);
        fputc('\n', out);
    }
}

static void man_paragraphs(FILE *out, const char *text) {
    fputs(".PP\n", out);
    man_text(out, text);
    fputc('\n', out);
}

static void man_option(FILE *out, const struct option *o) {
    char head[80];
    snprintf(head, sizeof head, "--%s%s%s", o->flag, o->value[0] != '\0' ? " " : "", o->value);
    man_head(out, head);
    man_text(out, o->help);
    fputs(is_live(o) ? "\n(live)" : "", out);
    if (o->initial[0] != '\0') {
        fputs("\n[", out);
        man_text(out, o->initial);
        fputs("]", out);
    }
    fputc('\n', out);
}

static void man_synopsis(FILE *out, const char *name, const char *arguments) {
    bool first = name[0] == '\0';
    fprintf(out, "%s.B sluice%s%s\n", first ? "" : ".br\n", first ? "" : " ", name);
    man_text(out, arguments);
    fputc('\n', out);
}

static void man_command(FILE *out, const struct page *page) {
    fprintf(out, ".SS sluice %s\n", page->name);
    man_text(out, page->about);
    fputc('\n', out);
    man_lines(out, page->flags);
    man_paragraphs(out, page->further);
    man_paragraphs(out, "Exit code:");
    man_lines(out, page->exits);
}

static void man_files(FILE *out) {
    static const struct line files[] = {
        {"/etc/sluice/sluice.conf", "the options of the node that systemd starts"},
        {NULL, NULL},
    };
    static const struct line variables[] = {
        {"SLUICE_CONFIG", "the file of options, if there is no --config"},
        {"SLUICE_REDIS_URL", "--redis-url; and so each option of a node"},
        {"SLUICE_API_KEY", "--api-key: that of a node, and of the commands that call one"},
        {NULL, NULL},
    };
    fputs(".SH ENVIRONMENT\n", out);
    man_lines(out, variables);
    fputs(".SH FILES\n", out);
    man_lines(out, files);
}

bool commands_man(FILE *out) {
    fprintf(out, ".TH SLUICE 1 \"\" \"sluice %s\"\n.ad l\n.nh\n.SH NAME\n", SLUICE_VERSION);
    fprintf(out, "sluice \\- %s\n.SH SYNOPSIS\n", node->summary);
    man_synopsis(out, "", node->arguments);
    for (size_t i = 0; i < COMMANDS; i++)
        man_synopsis(out, commands[i].name, commands[i].arguments);
    fputs(".SH DESCRIPTION\n", out);
    man_text(out, node->about);
    fputc('\n', out);
    man_paragraphs(out, node->further);
    fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; i < OPTIONS; i++)
        man_option(out, &options[i]);
    man_lines(out, node->flags);
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        man_command(out, &commands[i]);
    fputs(".SH EXIT STATUS\nThat of a node, and of --health-check:\n", out);
    man_lines(out, node->exits);
    man_files(out);
    return written(out);
}
