#include "h2/headers.h"

#include "base/macro.h"

#include <stdlib.h>

#define FIELD_OVERHEAD 32 /* RFC 9113 6.5.2 */

struct span {
    uint32_t name_len, value_len;
};

void h2_block_init(struct h2_block *b, size_t max)
{
    *b = (struct h2_block){.max = max};
    buf_init(&b->bytes, max);
    buf_init(&b->spans, max / FIELD_OVERHEAD * sizeof(struct span));
}

void h2_block_deinit(struct h2_block *b)
{
    buf_deinit(&b->bytes);
    buf_deinit(&b->spans);
    free(b->fields);
    b->fields = NULL;
}

bool h2_block_too_big(const struct h2_block *b)
{
    return b->size > b->max;
}

bool h2_block_lost(const struct h2_block *b)
{
    return b->bytes.failed || b->spans.failed || (b->spans.len && !b->fields);
}

void h2_block_add(struct h2_block *b, str name, str value)
{
    struct span s = {(uint32_t)name.len, (uint32_t)value.len};
    b->size += name.len + value.len + FIELD_OVERHEAD;
    if (b->size > b->max)
        return;
    buf_add(&b->bytes, name);
    buf_add(&b->bytes, value);
    buf_add(&b->spans, str_of(&s, sizeof s));
}

static str next(const char **at, size_t len)
{
    str s = str_of(*at, len);
    *at += len;
    return s;
}

const struct h2_header *h2_block_fields(struct h2_block *b, size_t *ret_n)
{
    size_t n = b->spans.len / sizeof(struct span);
    const char *at = b->bytes.p;
    free(b->fields);
    *ret_n = 0;
    b->fields = n ? calloc(n, sizeof *b->fields) : NULL;
    if (!b->fields)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        struct span s;
        memcpy(&s, b->spans.p + i * sizeof s, sizeof s);
        b->fields[i].name = next(&at, s.name_len);
        b->fields[i].value = next(&at, s.value_len);
    }
    *ret_n = n;
    return b->fields;
}
