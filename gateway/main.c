#include <signal.h>

#include "common/log_out.h"
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

int main(int argc, char **argv) {
    struct options options;
    int status = 0;
    tls_memory_watch();
    guard_signals();
    log_out_guard();
    if (token_command_asked(argc, argv))
        return token_command_run(argc, argv);
    if (key_command_asked(argc, argv))
        return key_command_run(argc, argv);
    if (migrate_command_asked(argc, argv))
        return migrate_command_run(argc, argv);
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
