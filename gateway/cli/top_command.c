#include "gateway/cli/top_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "gateway/cli/follow.h"
#include "gateway/cli/line.h"
#include "gateway/cli/top_table.h"

/* The API reads the view from Redis at most so often. */
#define EVERY_MS 1000

#define CLEAR    "\033[2J"
#define HOME     "\033[H"
#define CUT_LINE "\033[K" /* what the line had before */
#define CUT_ALL  "\033[J"
#define NO_WRAP  "\033[?7l"
#define WRAP     "\033[?7h"

struct top {
    struct command command;
    struct caller caller;
    struct follow follow;
    bool once;
    bool screen; /* standard output is a terminal, and the table stays where it is */
    unsigned count;
};

/* --- a table --------------------------------------------------------------------------------
 */

/* A terminal shows as many lines as it has, less one in which the cursor stands. */
static size_t lines_of_screen(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row - 1U
                                                                           : 23;
}

static void put_screen(struct buf *out, struct slice table, bool first) {
    buf_str(out, first ? CLEAR : "");
    buf_str(out, NO_WRAP HOME);
    for (size_t left = lines_of_screen(); table.len > 0 && left > 0; left--) {
        buf_slice(out, slice_cut(&table, '\n'));
        buf_str(out, CUT_LINE "\n");
    }
    buf_str(out, CUT_ALL WRAP);
}

static void put_view(struct top *t, struct buf *out) {
    struct buf table = {0};
    if (t->command.as_json) {
        line_json(out, t->caller.said.raw);
        buf_char(out, '\n');
        return;
    }
    top_table_put(&table, t->caller.said);
    if (t->screen) {
        put_screen(out, buf_bytes(&table), t->count == 0);
    } else {
        buf_str(out, t->count > 0 ? "\n" : "");
        buf_slice(out, buf_bytes(&table));
    }
    out->failed = out->failed || table.failed;
    buf_deinit(&table);
}

/* --- the command ----------------------------------------------------------------------------
 */

static bool show(struct top *t, int *status) {
    struct buf out = {0};
    put_view(t, &out);
    bool good = follow_write(&t->command, &out, status);
    buf_deinit(&out);
    t->count++;
    return good;
}

/* Returns whether to go on; else the exit code is in *status. */
static bool step(struct top *t, int *status) {
    enum caller_result result = caller_ask(&t->caller, "/cluster", NULL);
    if (!follow_answered(&t->follow, &t->command, &t->caller, result, status))
        return false;
    if (result == CALLER_GOOD && !show(t, status))
        return false;
    *status = COMMAND_DONE;
    return !t->once;
}

static int run(struct top *t) {
    if (t->command.count > 0)
        return command_wrong(&t->command, "it takes no words (see sluice top --help)",
                             COMMAND_USAGE);
    int status = command_call(&t->command, &t->caller, follow_stopped);
    if (status != COMMAND_DONE)
        return status;
    t->screen = !t->once && !t->command.as_json && isatty(STDOUT_FILENO);
    follow_begin(&t->follow);
    while (step(t, &status) && follow_wait(EVERY_MS))
        ;
    caller_close(&t->caller);
    return status;
}

int top_command_run(int argc, char **argv) {
    struct top t = {.command = {.name = "top"}};
    const struct words_flag flags[] = {COMMAND_FLAGS(&t.command), {"--once", NULL, &t.once}};
    int status;
    if (command_read(&t.command, flags, sizeof flags / sizeof *flags, argc, argv, &status))
        status = run(&t);
    command_deinit(&t.command);
    return status;
}
