#include <signal.h>
#include <string.h>

#include "common/log_out.h"
#include "gateway/cli/send_command.h"
#include "gateway/cli/tail_command.h"
#include "gateway/cli/top_command.h"
#include "gateway/commands.h"
#include "gateway/data/key_command.h"
#include "gateway/data/migrate_command.h"
#include "gateway/health_check.h"
#include "gateway/node/run.h"
#include "gateway/tls_memory.h"
#include "gateway/token_command.h"

/* To be called first. SIGHUP makes a node read its options again; it is held until the node can
 * take it. The other signals mean nothing, but would end the process by default. */
static void guard_signals(void) {
    sigset_t later;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&later);
    sigaddset(&later, SIGHUP);
    sigprocmask(SIG_BLOCK, &later, NULL);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, ...) {#name, name##_command_run},
    COMMANDS_TABLE(COMMAND)
#undef COMMAND
};

/* Help goes before mistakes, wherever it stands. */
static bool asks_help(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run_node(int argc, char **argv) {
    struct options options;
    int status = 0;
    switch (options_load(&options, argc, argv, stdout, stderr)) {
    case OPTIONS_RUN:
        status = node_run(&options);
        break;
    case OPTIONS_HEALTH_CHECK:
        status = health_check_run(&options);
        break;
    case OPTIONS_EXIT_OK:
        break;
    case OPTIONS_EXIT_FAILED:
        status = 1;
        break;
    }
    options_deinit(&options);
    return status;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    tls_memory_watch();
    guard_signals();
    log_out_guard();
    if (strcmp(name, "--help=man") == 0) /* for make */
        return commands_man(stdout) ? 0 : 1;
    if (asks_help(argc, argv))
        return commands_help(stdout, name) ? 0 : 1;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc, argv);
    }
    return run_node(argc, argv);
}
