#include "zip/content.h"

#include "zip/record.h"

#include <stdlib.h>
#include <zlib.h>

#define OUT_CAP          KIB(64) /* small enough for the cache: the CRC reads it right after zlib */
#define OUTPUT_PER_BLOCK 4096    /* zlib makes a block of 16,383 symbols, each a byte or more */

enum err content_meter_init(struct content_meter *m, struct window *win, uint32_t max_blocks,
                            struct error *e)
{
    *m = (struct content_meter){.win = win, .max_blocks = max_blocks};
    z_stream *zs = calloc(1, sizeof *zs);
    m->out = malloc(OUT_CAP);
    if (zs && inflateInit2(zs, -MAX_WBITS) == Z_OK)
        m->zs = STEAL(zs);
    free(zs);
    return m->zs && m->out ? ERR_OK : FAIL_NOMEM(e);
}

void content_meter_deinit(struct content_meter *m)
{
    if (m->zs)
        (void)inflateEnd(m->zs);
    free(m->zs);
    free(m->out);
    sha256_free(m->sha256);
    *m = (struct content_meter){0};
}

static enum err start_digest(struct content_meter *m, const struct content_job *job,
                             struct error *e)
{
    if (!job->digest)
        return ERR_OK;
    return m->sha256 ? sha256_reset(m->sha256, e) : sha256_new(&m->sha256, e);
}

static void keep_head(struct content *c, str piece)
{
    for (size_t i = 0; i < piece.len && c->usize + i < sizeof c->head; i++)
        c->head[c->usize + i] = piece.p[i];
}

/* The pieces of one run arrive here in order. */
static enum err deliver(struct content_meter *m, const struct content_job *job, struct content *c,
                        str piece, struct error *e)
{
    keep_head(c, piece);
    if (job->digest)
        TRY(sha256_update(m->sha256, piece.p, piece.len, e));
    c->usize += piece.len;
    m->produced += piece.len;
    c->crc = (uint32_t)crc32_z(c->crc, (const Bytef *)piece.p, piece.len);
    return job->sink && piece.len ? job->sink(job->ctx, piece, e) : ERR_OK;
}

static enum err measure_stored(struct content_meter *m, const struct content_job *job,
                               struct content *c, struct error *e)
{
    uint64_t len = job->csize > job->max_out ? job->max_out + 1 : job->csize;
    while (c->usize < len) {
        str piece;
        TRY(window_some(m->win, job->offset + c->usize, len - c->usize, &piece, e));
        TRY(deliver(m, job, c, piece, e));
    }
    c->consumed = len;
    c->end = len > job->max_out ? CONTENT_OVER : CONTENT_WHOLE;
    return ERR_OK;
}

/* Gives zlib the next input unless it still has some. */
static enum err feed(struct content_meter *m, const struct content_job *job, struct content *c,
                     struct error *e)
{
    str in;
    if (m->zs->avail_in || c->consumed == job->csize)
        return ERR_OK;
    TRY(window_some(m->win, job->offset + c->consumed, job->csize - c->consumed, &in, e));
    m->zs->next_in = (Bytef *)(uintptr_t)in.p;
    m->zs->avail_in = (uInt)in.len;
    c->consumed += in.len;
    return ERR_OK;
}

/* One call of inflate: at most to the next block boundary, at most one byte over the limit. */
static enum err step(struct content_meter *m, const struct content_job *job, struct content *c,
                     int *ret_z, struct error *e)
{
    z_stream *zs = m->zs;
    uint64_t left = job->max_out - c->usize;
    size_t room = left < OUT_CAP ? (size_t)left + 1 : OUT_CAP;
    zs->next_out = m->out;
    zs->avail_out = (uInt)room;
    *ret_z = inflate(zs, Z_BLOCK);
    return deliver(m, job, c, str_of(m->out, room - zs->avail_out), e);
}

static bool over_budget(struct content_meter *m)
{
    bool block_ended = m->zs->data_type & 128; /* zlib.h, inflate() */
    m->blocks += block_ended;
    return m->blocks > m->max_blocks + m->produced / OUTPUT_PER_BLOCK;
}

/* What the last step means for the run; false: go on. */
static bool ended(struct content_meter *m, const struct content_job *job, struct content *c, int z)
{
    if (c->usize > job->max_out)
        c->end = CONTENT_OVER;
    else if (z == Z_STREAM_END)
        c->end = m->zs->avail_in || c->consumed < job->csize ? CONTENT_TRAILING : CONTENT_WHOLE;
    else if (z == Z_BUF_ERROR)
        c->end = CONTENT_TRUNCATED; /* no progress: all input is used, there is room for output */
    else if (z != Z_OK)
        c->end = CONTENT_BAD;
    else if (over_budget(m))
        c->end = CONTENT_BUDGET;
    else
        return false;
    c->problem = m->zs->msg;
    c->consumed -= m->zs->avail_in;
    return true;
}

static enum err measure_deflated(struct content_meter *m, const struct content_job *job,
                                 struct content *c, struct error *e)
{
    int z;
    (void)inflateReset(m->zs);
    m->zs->avail_in = 0;
    do {
        TRY(feed(m, job, c, e));
        TRY(step(m, job, c, &z, e));
        if (z == Z_MEM_ERROR)
            return FAIL_NOMEM(e);
    } while (!ended(m, job, c, z));
    return ERR_OK;
}

enum err content_measure(struct content_meter *m, const struct content_job *job,
                         struct content *ret, struct error *e)
{
    *ret = (struct content){0};
    TRY(start_digest(m, job, e));
    if (job->method == METHOD_STORE)
        TRY(measure_stored(m, job, ret, e));
    else
        TRY(measure_deflated(m, job, ret, e));
    return job->digest ? sha256_finish(m->sha256, job->digest, e) : ERR_OK;
}
