#ifndef SLUICE_COMMON_FIELDS_H
#define SLUICE_COMMON_FIELDS_H

#include "common/buf.h"

/*
 * The header fields of an HTTP request (RFC 9110, 5), put together from the pieces that a
 * parser reports, in the order in which they came. Fields may be read only after fields_end.
 * text.failed tells that memory ran out.
 */
struct fields {
    struct buf text; /* name NUL value NUL ... */
    unsigned count;
    size_t name_at; /* where the last name begins */
    bool in_value;
};

void fields_clear(struct fields *f);
void fields_deinit(struct fields *f);

/* Takes a piece of a name; ends the value before it. */
void fields_name(struct fields *f, struct slice piece);
/* Returns false if the name is not valid: empty, or with white space (RFC 9112, 5.1). */
bool fields_name_end(struct fields *f);
void fields_value(struct fields *f, struct slice piece);
/* All fields have come. */
void fields_end(struct fields *f);

/* The value of the first field of that name, in any case; NULL if there is none. */
const char *fields_get(const struct fields *f, const char *name);
/* Appends the values of all fields of that name, in order and with ", " between, and a NUL. */
void fields_join(const struct fields *f, const char *name, struct buf *out);
unsigned fields_count(const struct fields *f, const char *name);
/* True if `word`, in any case, is an element of the comma lists in the fields of that name. */
bool fields_have(const struct fields *f, const char *name, const char *word);

/* True if a Host field may have this value: a host, or nothing, and perhaps a port. */
bool fields_host_valid(const char *value);

#endif
