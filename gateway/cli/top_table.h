#ifndef SLUICE_CLI_TOP_TABLE_H
#define SLUICE_CLI_TOP_TABLE_H

#include "common/buf.h"
#include "common/json.h"

/* Appends lines for people: what the API says of the cluster (GET /api/v1/cluster). What it
 * does not say is "-". */
void top_table_put(struct buf *out, struct json_value view);

#endif
