/*
 * A header block being received: fields are copied in one by one, then seen as an array.
 * Bounded: what does not fit in the limit is counted, not kept. One block per connection at a
 * time (RFC 9113 4.3), so a loop needs few.
 */
#ifndef STIGMER_H2_HEADERS_H
#define STIGMER_H2_HEADERS_H

#include "h2/h2.h"

#include "base/buf.h"

struct h2_block {
    struct buf bytes; /* names and values, one after the other */
    struct buf spans; /* struct span */
    size_t size;      /* as RFC 9113 6.5.2 counts, also of what was not kept */
    size_t max;
    struct h2_header *fields; /* after h2_block_fields */
};

void h2_block_init(struct h2_block *b, size_t max);
void h2_block_deinit(struct h2_block *b);
void h2_block_add(struct h2_block *b, str name, str value);
/* Larger than allowed: the fields are incomplete. */
bool h2_block_too_big(const struct h2_block *b);
/* There was no memory for it; known after h2_block_fields. */
bool h2_block_lost(const struct h2_block *b);
/* The fields, valid until the block changes; NULL when memory is out or the block is empty. */
const struct h2_header *h2_block_fields(struct h2_block *b, size_t *ret_n);

#endif
