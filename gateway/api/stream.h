#ifndef SLUICE_API_STREAM_H
#define SLUICE_API_STREAM_H

#include "gateway/api/ask.h"

/*
 * Requests that come by Redis alone: entries of the stream `<prefix>api`, of which each
 * partition has one. Their fields are method, path and body. One node has the lease of a
 * stream, reads it at each tick, and does the requests in their order; another one takes over
 * when that one is gone. A request that sends takes effect once, since the log's meta has the
 * last entry of the stream that it has (applied.lua); what else there is can be done twice.
 * What is refused goes to `<prefix>api:refused`; what Redis does not answer is tried again.
 */
struct stream_part {
    struct api_stream *all;
    unsigned index;
    struct api_item item;
    bool busy;
    uint64_t due;        /* loop time of the next question */
    struct reply *taken; /* owned: the entries that are being done; NULL: none */
    size_t at;           /* the present one's first item */
    char entry[64];      /* its id */
};

struct api_stream {
    const struct api_source *source;
    struct api_key key; /* in whose name it is done */
    struct stream_part parts[PARTITIONS_MOST];
};

void api_stream_init(struct api_stream *s, const struct api_source *source);
/* No script may be under way. */
void api_stream_deinit(struct api_stream *s);
/* Asks the streams that are due. */
void api_stream_tick(struct api_stream *s, uint64_t now);

#endif
