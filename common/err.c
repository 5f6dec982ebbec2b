#include "common/err.h"

#include <stddef.h>

struct err_row {
    const char *code;
    const char *message;
};

#define ERR_ROW(symbol, code, message) [symbol] = {code, message},
static const struct err_row rows[ERR_COUNT] = {ERR_TABLE(ERR_ROW)};
#undef ERR_ROW

const char *err_code(enum err e) {
    return rows[e].code;
}

const char *err_message(enum err e) {
    return rows[e].message;
}

const char *err_outcome(enum outcome o) {
    switch (o) {
    case OUTCOME_REFUSED:
        return "refused";
    case OUTCOME_UNKNOWN:
        return "unknown";
    case OUTCOME_NONE:
        break;
    }
    return NULL;
}
