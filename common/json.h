#ifndef SLUICE_COMMON_JSON_H
#define SLUICE_COMMON_JSON_H

#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

/*
 * A strict JSON scanner (RFC 8259) that never changes a byte. Values are slices of the text in
 * which they were found, so 9007199254740993, 1.0 and 1e400 leave as they came. It allocates
 * nothing. The form of a number is checked, not its range. An escaped lone surrogate is valid
 * in a text (the grammar allows it) but cannot be decoded. The text must be valid UTF-8 already
 * (utf8_valid); a NUL byte or another raw control character in a string is an error.
 */
enum json_type {
    JSON_NONE, /* not there */
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_type type;
    struct slice raw; /* a string has its quotes; there is no white space around */
};

enum { JSON_OK = 0, JSON_E_SYNTAX = -1, JSON_E_DEPTH = -2 };

#define JSON_MAX_DEPTH 128

/*
 * Checks that `text` is one JSON value, white space around it allowed, nested at most
 * JSON_MAX_DEPTH deep (a scalar is depth 0). Sets *out to it. Returns JSON_OK, JSON_E_SYNTAX or
 * JSON_E_DEPTH; then *out has the type JSON_NONE.
 */
int json_parse(struct slice text, struct json_value *out);

/*
 * Walks the members of an object or the elements of an array that json_parse accepted.
 *     struct json_iter it;
 *     json_iter_init(&it, value);
 *     while (json_iter_next(&it)) use(it.key, it.value);
 * key: the raw string with its quotes (empty for arrays). Any other type has no members.
 */
struct json_iter {
    struct slice key;
    struct json_value value;
    const char *at;
    const char *end;
    bool object;
};
void json_iter_init(struct json_iter *it, struct json_value container);
bool json_iter_next(struct json_iter *it);

/*
 * Looks up several members of a checked object in one pass: values[i] becomes the member called
 * names[i] (JSON_NONE if there is none or `object` is not an object). Keys are compared after
 * unescaping; of two equal keys the last counts, as in JSON.parse.
 */
void json_fields(struct json_value object, const char *const names[],
                 struct json_value values[], size_t count);

/*
 * Unescapes a checked string into out (no NUL added). Returns its length, or -1 if it is no
 * string, has a lone surrogate, or does not fit cap bytes.
 */
ptrdiff_t json_decode(struct json_value string, char *out, size_t cap);

/* Reads a number without sign, fraction or exponent that fits. Returns false for anything else.
 */
bool json_uint64(struct json_value value, uint64_t *out);

/* True for a number without fraction or exponent, of either sign and any length. */
bool json_is_integer(struct json_value value);

/* Appends `text` (valid UTF-8) as a JSON string with its quotes. Escapes ", \ and control
 * characters only. */
void json_escape(struct buf *b, struct slice text);
/* The same for text that was not checked: each invalid piece of UTF-8 becomes one U+FFFD. */
void json_escape_any(struct buf *b, struct slice text);

#endif
