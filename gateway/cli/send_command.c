#include "gateway/cli/send_command.h"

#include <string.h>

#include "common/log.h"
#include "common/utf8.h"
#include "gateway/cli/command.h"
#include "gateway/cli/line.h"

#define ID_MOST 128

struct send {
    struct command command;
    const char *event;
    const char *data;
    const char *id;
    bool ephemeral;
};

/* --- what is sent ---------------------------------------------------------------------------
 */

static const char *check_words(const struct send *s) {
    int wanted = s->data != NULL ? 1 : 2, count = s->command.count;
    if (count == 0)
        return "a channel is missing (see sluice send --help)";
    if (count < wanted)
        return "TEXT or --data is missing (see sluice send --help)";
    if (count > wanted)
        return s->data != NULL ? "there must be one of TEXT and --data"
                               : "TEXT is one argument: put it in quotes";
    for (int i = 0; i < count; i++) {
        if (!utf8_valid(slice_of(s->command.words[i])))
            return "the arguments must be UTF-8";
    }
    return NULL;
}

static bool is_id(const char *id) {
    size_t len = strlen(id);
    for (size_t i = 0; i < len; i++) {
        if (id[i] <= ' ' || id[i] > '~')
            return false;
    }
    return len > 0 && len <= ID_MOST;
}

static const char *check_flags(const struct send *s) {
    struct json_value value;
    if (s->event != NULL && !utf8_valid(slice_of(s->event)))
        return "--event must be UTF-8";
    if (s->data != NULL &&
        (!utf8_valid(slice_of(s->data)) || json_parse(slice_of(s->data), &value) != JSON_OK))
        return "--data must be JSON; a text has quotes there";
    if (s->id != NULL && !is_id(s->id))
        return "--id must be 1 to 128 visible ASCII characters, without spaces";
    if (s->id != NULL && s->ephemeral)
        return "--id cannot be with --ephemeral: nothing is kept of the message";
    return NULL;
}

static void put_body(const struct send *s, struct buf *body) {
    buf_str(body, "{\"channel\":");
    json_escape(body, slice_of(s->command.words[0]));
    if (s->event != NULL) {
        buf_str(body, ",\"event\":");
        json_escape(body, slice_of(s->event));
    }
    if (s->ephemeral)
        buf_str(body, ",\"ephemeral\":true");
    buf_str(body, ",\"data\":");
    if (s->data != NULL)
        buf_str(body, s->data);
    else
        json_escape(body, slice_of(s->command.words[1]));
    buf_char(body, '}');
}

/* --- what is printed ------------------------------------------------------------------------
 */

static bool put_place(struct buf *out, struct json_value said) {
    static const char *const names[] = {"seq", "timestamp", "epoch"};
    struct json_value part[3];
    uint64_t seq, time;
    char epoch[64];
    json_fields(said, names, part, 3);
    ptrdiff_t len = json_decode(part[2], epoch, sizeof epoch);
    if (!json_uint64(part[0], &seq) || !json_uint64(part[1], &time) || len < 0)
        return false;
    buf_printf(out, "seq    %llu\ntime   ", (unsigned long long)seq);
    line_time(out, time);
    buf_printf(out, "\nepoch  %.*s\n", (int)len, epoch);
    return true;
}

static int print(const struct send *s, const struct caller *caller) {
    struct buf out = {0};
    bool good = true;
    if (s->command.as_json) {
        line_json(&out, caller->said.raw);
        buf_char(&out, '\n');
    } else if (s->ephemeral) {
        buf_str(&out, "sent\n");
    } else {
        good = put_place(&out, caller->said);
    }
    good = good && !out.failed;
    if (good)
        fwrite(out.data, 1, out.len, stdout);
    buf_deinit(&out);
    if (!good)
        return command_wrong(&s->command, "it was sent, but the answer is not understood",
                             COMMAND_FAILED);
    return command_flush() ? COMMAND_DONE
                           : command_wrong(&s->command,
                                           "it was sent, but standard output cannot be written",
                                           COMMAND_FAILED);
}

/* --- the command ----------------------------------------------------------------------------
 */

/* A request whose answer was lost may have had its effect. */
static int not_sent(const struct send *s, const struct caller *caller) {
    bool unknown = caller->code != CURLE_OK && caller_reached(caller);
    const char *why = caller_why(caller);
    return command_wrong(&s->command,
                         unknown ? log_text("%s; it may have been sent%s", why,
                                            s->id != NULL ? ": try again with this --id" : "")
                                 : why,
                         COMMAND_FAILED);
}

static int send_it(const struct send *s, struct caller *caller) {
    struct buf body = {0};
    put_body(s, &body);
    int status;
    if (body.failed || (s->id != NULL && !caller_header(caller, "Idempotency-Key", s->id)))
        status = command_wrong(&s->command, "there is no memory left", COMMAND_FAILED);
    else if (caller_ask(caller, "/publish", &body) != CALLER_GOOD)
        status = not_sent(s, caller);
    else
        status = print(s, caller);
    buf_deinit(&body);
    return status;
}

static int run(struct send *s) {
    struct caller caller;
    const char *wrong = check_words(s);
    if (wrong == NULL)
        wrong = check_flags(s);
    if (wrong != NULL)
        return command_wrong(&s->command, wrong, COMMAND_USAGE);
    int status = command_call(&s->command, &caller, NULL);
    if (status != COMMAND_DONE)
        return status;
    status = send_it(s, &caller);
    caller_close(&caller);
    return status;
}

int send_command_run(int argc, char **argv) {
    struct send s = {.command = {.name = "send"}};
    const struct words_flag flags[] = {COMMAND_FLAGS(&s.command),
                                       {"--event", &s.event, NULL},
                                       {"--data", &s.data, NULL},
                                       {"--id", &s.id, NULL},
                                       {"--ephemeral", NULL, &s.ephemeral}};
    int status;
    if (command_read(&s.command, flags, sizeof flags / sizeof *flags, argc, argv, &status))
        status = run(&s);
    command_deinit(&s.command);
    return status;
}
