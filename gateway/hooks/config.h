#ifndef SLUICE_HOOKS_CONFIG_H
#define SLUICE_HOOKS_CONFIG_H

#include "common/slice.h"
#include "gateway/options.h"

/* The options about the back end: what may be in them, and which line is meant. */

/* Returns NULL, or what is wrong with a URL to call: https, or http to loopback (plain: to any
 * host). Valid for ever. */
const char *hooks_check_url(struct slice url, bool plain);

/* Each checks one option. They return NULL, or what is wrong (valid until four more texts are
 * made by log_text). */
const char *hooks_check_connect(const struct options *o);
const char *hooks_check_disconnect(const struct options *o);
const char *hooks_check_subscribe(const struct options *o);
const char *hooks_check_publish(const struct options *o);
const char *hooks_check_secrets(const struct options *o);
const char *hooks_check_ca(const struct options *o);
const char *hooks_check_headers(const struct options *o);

/*
 * Finds the URL for a channel in a list of lines `PATTERN URL`: that of the first pattern that
 * fits. A pattern is a whole name, or the beginning of names with a * at its end. Returns an
 * empty slice if none fits; the URL lies in the list.
 */
struct slice hooks_find(const char *list, struct slice channel);

/* Does hook-headers name this header (of a request, in any case)? */
bool hooks_pass_header(const struct options *o, struct slice name);

#endif
