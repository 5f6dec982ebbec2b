/*
 * build/sluice-conformance: the modules of the Socket.IO door with an echo in place of the
 * chat, and no Redis, for test suites of the protocols to be run on.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/log.h"
#include "gateway/net/turn.h"
#include "gateway/node/port.h"
#include "tests/conformance/echo.h"

#define MAX_QUEUE     4194304
#define MAX_MESSAGE   1048576 /* of /ws */
#define MAX_PAYLOAD   1000000 /* of Engine.IO */
#define MAX_FRAGMENTS 16384

static const char usage[] =
    "usage: sluice-conformance [--listen HOST:PORT] [OPTION...]\n"
    "\n"
    "Serves, without Redis, what suites of the protocols ask for:\n"
    "  /engine.io/   Engine.IO v4: sends every message back\n"
    "  /socket.io/   Socket.IO v5, namespaces / and /custom: the event auth on connect,\n"
    "                message -> message-back, message-with-ack is acknowledged\n"
    "  /ws           WebSocket (RFC 6455): sends every message back\n"
    "  /status       {\"connections\":N,\"sessions\":N}\n"
    "\n"
    "  --listen HOST:PORT      an address; port 0 takes a free one   (127.0.0.1:3000)\n"
    "  --ping-interval MS      of Engine.IO                          (300)\n"
    "  --ping-timeout MS       of Engine.IO                          (200)\n"
    "  --connect-timeout MS    to join a first namespace             (1000)\n"
    "  --upgrade-timeout MS    from a probe to its end               (10000)\n"
    "  --origins LIST          pages that may use it: * or origins, separated by commas (*)\n"
    "  --max-sessions N        of each path; above: 503              (0: no limit)\n"
    "  --deflate               agree to permessage-deflate\n"
    "  --help\n"
    "\n"
    "The first line of its log has addr=HOST:PORT. SIGTERM and SIGINT end it.\n";

struct program {
    uv_loop_t loop;
    struct port port;
    uv_signal_t signals[2];
    struct net net;
    struct metrics metrics;
    struct http_router router;
    struct wsock_shared sockets;
    struct eio_server eio;
    struct sio_server sio;
    struct sio_config config;
    struct origins origins;
    struct echo echo;
    const char *listen;
    bool deflates;
    bool ending;
};

static int complain(const char *what, const char *why) {
    fprintf(stderr, "sluice-conformance: %s: %s\n", what, why);
    return 1;
}

/* --- the port -------------------------------------------------------------------------------
 */

static void status(struct program *p, const struct http_request *request) {
    char body[96];
    int len = snprintf(body, sizeof body, "{\"connections\":%u,\"sessions\":%u}\n",
                       p->net.count, p->eio.count + p->sio.eio.count);
    http_answer(request, 200, "application/json", (struct slice){body, (size_t)len}, NULL);
}

static struct eio_server *server_at(struct program *p, struct slice path) {
    if (slice_is(path, "/engine.io/"))
        return &p->eio;
    return slice_is(path, "/socket.io/") ? &p->sio.eio : NULL;
}

static void route(void *owner, const struct http_request *request) {
    struct program *p = owner;
    struct eio_server *e = server_at(p, request->path);
    if (e != NULL)
        eio_server_route(e, request);
    else if (slice_is(request->path, "/ws"))
        echo_ws_open(&p->sockets, request);
    else if (slice_is(request->path, "/status"))
        status(p, request);
    else
        http_answer(request, 404, "text/plain", SLICE("nothing is here\n"), NULL);
}

static size_t body(void *owner, const struct http_request *request) {
    struct eio_server *e = server_at(owner, request->path);
    return e != NULL ? eio_server_body(e, request) : 0;
}

static void lines(void *owner, const struct http_request *request, struct buf *out) {
    struct eio_server *e = server_at(owner, request->path);
    if (e != NULL)
        eio_server_lines(e, request, out);
}

static void on_connection(struct port *port, int fd, const struct sockaddr *from) {
    struct program *p = port->owner;
    struct conn *c = fd >= 0 ? http_accept(&p->net, fd, from, &p->router) : NULL;
    if (c != NULL && p->ending)
        conn_close(c, true);
}

static void before_flush(void *owner) {
    struct program *p = owner;
    eio_server_flush(&p->eio);
    sio_server_flush(&p->sio);
}

static void on_tick(void *owner, uint64_t now) {
    struct program *p = owner;
    eio_server_tick(&p->eio, now);
    eio_server_tick(&p->sio.eio, now);
    echo_tick(&p->echo, now);
}

/* --- its end: connections, then what they left, then the loop -------------------------------
 */

static void on_net_closed(void *owner) {
    (void)owner;
}

static void end_when_empty(struct program *p) {
    if (p->ending && p->net.count == 0)
        turn_close(&p->net, on_net_closed);
}

static void on_gone(void *owner, struct conn *c) {
    (void)c;
    end_when_empty(owner);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct program *p = handle->data;
    (void)number;
    if (p->ending)
        return;
    p->ending = true;
    port_close(&p->port);
    uv_close((uv_handle_t *)&p->signals[0], NULL);
    uv_close((uv_handle_t *)&p->signals[1], NULL);
    for (struct list *at = p->net.conns.next, *next; at != &p->net.conns; at = next) {
        next = at->next;
        conn_close(container_of(at, struct conn, link), true);
    }
    end_when_empty(p);
}

/* --- its beginning --------------------------------------------------------------------------
 */

static const char *listen_at(struct program *p) {
    struct sockaddr_storage at;
    const char *wrong = listen_resolve(p->listen, false, &at);
    p->port = (struct port){.owner = p, .loop = &p->loop, .on_connection = on_connection};
    if (wrong == NULL)
        wrong = port_open(&p->port, &at, p->listen, 0);
    if (wrong == NULL)
        log_write(LOG_INFO, "listening", "addr", p->port.address, NULL);
    return wrong;
}

static int start(struct program *p) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&p->loop);
    echo_init(&p->echo);
    net_init(&p->net, &p->loop, MAX_QUEUE, &p->metrics, p);
    p->net.before_flush = before_flush;
    p->net.on_gone = on_gone;
    p->net.on_tick = on_tick;
    int error = turn_open(&p->net);
    p->router = (struct http_router){.route = route,
                                     .body = body,
                                     .lines = lines,
                                     .owner = p,
                                     .timeout_ms = 10000,
                                     .body_ms = 300000,
                                     .idle_ms = 75000};
    p->sockets = (struct wsock_shared){.net = &p->net,
                                       .ping_interval_ms = 25000,
                                       .ping_timeout_ms = 20000,
                                       .close_timeout_ms = 5000};
    ws_pool_init(&p->sockets.pool, MAX_MESSAGE, MAX_FRAGMENTS);
    p->sockets.pool.deflate = &p->net.deflate;
    p->net.deflates = p->deflates;
    eio_server_init(&p->eio, &p->net, &p->config.eio, &echo_eio_ops, p);
    if (error != 0)
        return complain("start", uv_strerror(error));
    const char *wrong = sio_server_init(&p->sio, &p->net, &p->config, &echo_sio_app, &p->echo);
    if (wrong != NULL)
        return complain("start", wrong);
    wrong = listen_at(p);
    if (wrong != NULL)
        return complain("--listen", wrong);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, i == 0 ? SIGTERM : SIGINT);
    }
    return 0;
}

static bool read_number(const char *text, uint64_t *out) {
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *out = n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n > 0 && n <= 86400000;
}

/* Returns -1 to go on, or the exit status. */
static int read_options(struct program *p, int argc, char **argv) {
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"ping-interval", required_argument, NULL, 'i'},
        {"ping-timeout", required_argument, NULL, 't'},
        {"connect-timeout", required_argument, NULL, 'c'},
        {"upgrade-timeout", required_argument, NULL, 'u'},
        {"origins", required_argument, NULL, 'o'},
        {"max-sessions", required_argument, NULL, 'm'},
        {"deflate", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    uint64_t most = 0;
    int option, which = 0;
    while ((option = getopt_long(argc, argv, "", options, &which)) != -1) {
        bool good = true;
        if (option == 'l')
            p->listen = optarg;
        else if (option == 'i')
            good = read_number(optarg, &p->config.eio.ping_interval_ms);
        else if (option == 't')
            good = read_number(optarg, &p->config.eio.ping_timeout_ms);
        else if (option == 'c')
            good = read_number(optarg, &p->config.connect_timeout_ms);
        else if (option == 'u')
            good = read_number(optarg, &p->config.eio.upgrade_timeout_ms);
        else if (option == 'm')
            good = read_number(optarg, &most);
        else if (option == 'o')
            p->origins.list = optarg;
        else if (option == 'd')
            p->deflates = true;
        else if (option == 'h')
            return fputs(usage, stdout) < 0;
        else
            return complain("see", "sluice-conformance --help");
        if (!good)
            return complain(options[which].name, "must be a number from 1 to 86400000");
    }
    p->config.eio.max_sessions = (unsigned)most;
    return optind < argc ? complain(argv[optind], "is no option; see --help") : -1;
}

int main(int argc, char **argv) {
    static struct program program;
    struct program *p = &program;
    p->listen = "127.0.0.1:3000";
    p->config = (struct sio_config){.mark = "",
                                    .namespaces = "/custom",
                                    .connect_timeout_ms = 1000,
                                    .max_attachments = 256,
                                    .max_attached = 4 * MAX_PAYLOAD};
    p->config.eio = (struct eio_config){.ping_interval_ms = 300,
                                        .ping_timeout_ms = 200,
                                        .upgrade_timeout_ms = 10000,
                                        .close_timeout_ms = 5000,
                                        .max_payload = MAX_PAYLOAD,
                                        .origins = &p->origins};
    p->origins.list = "*";
    log_open("conformance", LOG_INFO, false);
    int status_code = read_options(p, argc, argv);
    if (status_code >= 0)
        return status_code;
    if (start(p) != 0)
        _Exit(1);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    eio_server_deinit(&p->eio);
    sio_server_deinit(&p->sio);
    net_deinit(&p->net);
    ws_pool_deinit(&p->sockets.pool);
    return uv_loop_close(&p->loop) == 0 ? 0 : complain("end", "handles are left");
}
