#include "gateway/health_check.h"
#include "gateway/node.h"

int main(int argc, char **argv) {
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
