#include "gateway/socketio/sio_agent.h"

#include <string.h>

/* True for npm's `ws`, which sends no User-Agent. Libraries of other languages that send none
 * either send an Origin (Python, Swift), or no extension (Rust, .NET, Go). */
static bool is_ws_of_node(const struct http_request *request) {
    const char *extensions = http_header(request, "sec-websocket-extensions");
    return request->upgrade && http_header(request, "origin") == NULL && extensions != NULL &&
           strcmp(extensions, "permessage-deflate; client_max_window_bits") == 0;
}

bool sio_agent_is_official(const struct http_request *request) {
    const char *agent = http_header(request, "user-agent");
    if (agent == NULL)
        return is_ws_of_node(request);
    return strncmp(agent, "Mozilla/", strlen("Mozilla/")) == 0 ||
           strcmp(agent, "node-XMLHttpRequest") == 0;
}
