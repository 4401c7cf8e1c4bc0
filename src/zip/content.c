#include "zip/content.h"

#include "zip/inflate.h"
#include "zip/record.h"

#include <isa-l/crc.h>
#include <stdlib.h>

#define STRIDE KIB(64) /* stays in the processor's cache until it is inflated */

enum err content_meter_init(struct content_meter *m, int fd, uint64_t size,
                            struct content_budget *budget, struct error *e)
{
    *m = (struct content_meter){.budget = budget, .win.fd = -1};
    TRY(window_init(&m->win, fd, size, e));
    m->win.stride = MIN(m->win.cap, (size_t)STRIDE);
    return ERR_OK;
}

/* Made for the first entry that needs it. */
static enum err need_inflater(struct content_meter *m, struct error *e)
{
    if (m->inflater)
        return ERR_OK;
    m->inflater = malloc(sizeof *m->inflater);
    if (!m->inflater)
        return FAIL_NOMEM(e);
    inflate_init(m->inflater);
    return ERR_OK;
}

void content_meter_deinit(struct content_meter *m)
{
    free(m->inflater);
    window_deinit(&m->win);
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
    c->usize += piece.len;
    c->crc = crc32_gzip_refl(c->crc, (const unsigned char *)piece.p, piece.len);
    if (job->digest)
        TRY(sha256_update(m->sha256, piece.p, piece.len, e));
    return job->sink && piece.len ? job->sink(job->ctx, piece, e) : ERR_OK;
}

static enum err measure_stored(struct content_meter *m, const struct content_job *job,
                               struct content *c, struct error *e)
{
    uint64_t len = job->csize > job->max_out ? job->max_out + 1 : job->csize;
    while (c->usize < len) {
        str piece;
        TRY(window_some(&m->win, job->offset + c->usize, 1, len - c->usize, &piece, e));
        TRY(deliver(m, job, c, piece, e));
    }
    c->consumed = len;
    c->end = len > job->max_out ? CONTENT_OVER : CONTENT_WHOLE;
    return ERR_OK;
}

/* The input that comes next, long enough for the inflater or up to the end. */
static enum err next_piece(struct content_meter *m, const struct content_job *job,
                           const struct content *c, str *ret, struct error *e)
{
    uint64_t left = job->csize - c->consumed;
    *ret = STR("");
    if (left == 0)
        return ERR_OK;
    return window_some(&m->win, job->offset + c->consumed, MIN(left, (uint64_t)INFLATE_PIECE_MIN),
                       left, ret, e);
}

/* One call of the inflater: it stops soon after the first byte over the limit; what a match brought
 * beyond that byte is not counted. */
static enum err step(struct content_meter *m, const struct content_job *job, struct content *c,
                     enum inflate_end *ret_end, struct error *e)
{
    str in, out;
    size_t used;
    uint64_t left = job->max_out - c->usize;
    size_t room = left < INFLATE_ROOM ? (size_t)left + 1 : INFLATE_ROOM;
    TRY(next_piece(m, job, c, &in, e));
    bool last = c->consumed + in.len == job->csize;
    *ret_end = inflate_some(m->inflater, (const uint8_t *)in.p, in.len, last, room, &used);
    c->consumed += used;
    out = inflate_take(m->inflater);
    return deliver(m, job, c, left < out.len ? str_head(out, (size_t)left + 1) : out, e);
}

/* What the last step means for the run; false: go on. */
static bool ended(const struct content_meter *m, const struct content_job *job, struct content *c,
                  enum inflate_end end)
{
    static const enum content_end meaning[] = {
        [INFLATE_TRUNCATED] = CONTENT_TRUNCATED,
        [INFLATE_BAD] = CONTENT_BAD,
        [INFLATE_BUDGET] = CONTENT_BUDGET,
    };
    if (c->usize > job->max_out)
        c->end = CONTENT_OVER;
    else if (end == INFLATE_DONE)
        c->end = c->consumed < job->csize ? CONTENT_TRAILING : CONTENT_WHOLE;
    else if (end == INFLATE_MORE || end == INFLATE_FULL)
        return false;
    else
        c->end = meaning[end];
    c->problem = m->inflater->problem;
    c->no_distances = m->inflater->no_distances;
    return true;
}

static enum err measure_deflated(struct content_meter *m, const struct content_job *job,
                                 struct content *c, struct error *e)
{
    enum inflate_end end;
    uint64_t blocks = atomic_load(&m->budget->blocks), max = m->budget->max_blocks;
    TRY(need_inflater(m, e));
    inflate_start(m->inflater);
    m->inflater->max_blocks = blocks < max ? max - blocks : 0;
    do
        TRY(step(m, job, c, &end, e));
    while (!ended(m, job, c, end));
    atomic_fetch_add(&m->budget->blocks, m->inflater->n_blocks);
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
