#include "gateway/socketio/sio_gather.h"

#include <stdlib.h>

struct sio_gather *sio_gather_begin(struct slice text, uint32_t attachments) {
    struct sio_gather *g = calloc(1, sizeof *g + attachments * sizeof g->ends[0]);
    if (g == NULL)
        return NULL;
    buf_init(&g->text);
    buf_init(&g->bytes);
    buf_slice(&g->text, text);
    if (g->text.failed) {
        sio_gather_free(g);
        return NULL;
    }
    sio_read(buf_bytes(&g->text), attachments, &g->packet); /* slices of the copy */
    return g;
}

void sio_gather_free(struct sio_gather *g) {
    if (g == NULL)
        return;
    buf_deinit(&g->text);
    buf_deinit(&g->bytes);
    free(g);
}

bool sio_gather_add(struct sio_gather *g, struct slice bytes) {
    buf_slice(&g->bytes, bytes);
    g->ends[g->count++] = g->bytes.len;
    return !g->bytes.failed;
}

struct slice *sio_gather_attachments(const struct sio_gather *g) {
    struct slice *attachments = calloc(g->count, sizeof *attachments);
    for (uint32_t i = 0; attachments != NULL && i < g->count; i++) {
        size_t from = i > 0 ? g->ends[i - 1] : 0;
        attachments[i] = (struct slice){g->bytes.data, g->ends[i] - from};
        if (attachments[i].len > 0)
            attachments[i].ptr += from;
    }
    return attachments;
}
