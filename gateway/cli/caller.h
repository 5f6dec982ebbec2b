#ifndef SLUICE_CLI_CALLER_H
#define SLUICE_CLI_CALLER_H

#include <curl/curl.h>

#include "common/buf.h"
#include "common/json.h"

/*
 * Calls the API of a node: one request after the other, on one connection, each of which blocks
 * until it is answered.
 */
struct caller_place {
    const char *url;  /* without a path: http://HOST:PORT */
    const char *path; /* of a socket that listens there; NULL: the URL's host does */
    /* A file with the certificates to trust, in place of the system's; "": those. */
    const char *ca;
    bool any_name; /* the certificate may be for another name than the URL's */
    bool proxy;    /* that of the environment may be used */
    const char *key;
};

struct caller {
    CURL *easy;
    struct curl_slist *headers;
    char *url;
    bool (*stopped)(void);
    struct buf answer;
    struct json_value said; /* the answer, if it is JSON; its text is in `answer` */
    long status;            /* 0: none came */
    CURLcode code;
    char detail[CURL_ERROR_SIZE];
};

/* stopped: asked during a request, which is given up once it returns true; NULL: never. Returns
 * NULL, or what is wrong; then, too, caller_close is due. */
const char *caller_open(struct caller *c, const struct caller_place *place,
                        bool (*stopped)(void));
/* A further header for all requests. Returns false without memory. */
bool caller_header(struct caller *c, const char *name, const char *value);

enum caller_result {
    CALLER_GOOD,    /* c->said is an object */
    CALLER_REFUSED, /* as it is, the request will always be refused */
    CALLER_AWAY,    /* no answer came, or one that says that another may come later */
    CALLER_STOPPED
};
/* Asks for a path below /api/v1. body: what is posted; NULL: GET. */
enum caller_result caller_ask(struct caller *c, const char *path, const struct buf *body);
/* Why the last request was refused, or not answered: a sentence in a static buffer
 * (log_text). */
const char *caller_why(const struct caller *c);
/* False: it is certain that the last request did not reach a node. */
bool caller_reached(const struct caller *c);
void caller_close(struct caller *c);

#endif
