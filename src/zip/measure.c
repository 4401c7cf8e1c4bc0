/*
 * Measuring: every entry that was walked is inflated, by one thread or by several.
 *
 * What an entry measures does not depend on the others, nor on who measures it: a limit that they
 * share is either out of reach for all of them together, or they are measured one after the other.
 * So the report is the same however many threads there are.
 */
#include "zip/audit.h"

#include "base/macro.h"
#include "zip/unpack.h"

#include <pthread.h>
#include <stdlib.h>

/* Honest writers make blocks of many thousand symbols, each a byte or more: zlib 16,383, unless a
 * file ends before. */
#define OUTPUT_PER_BLOCK 8192

/* A thread needs half a MiB, and a moment to wake up. */
#define HELPERS_MAX  3
#define PARALLEL_MIN MIB(1) /* bytes of content */

/* --- one entry --- */

/* What the bytes of one entry flow into. */
struct sink {
    struct buf *skill_md; /* or NULL */
    bool scan;            /* look for signatures */
    bool signature_found;
    uint32_t tail; /* the last bytes of the piece before */
};

/* A signature may lie across two pieces: the few bytes around the seam are looked at one by one. */
static void scan_piece(struct sink *s, str piece)
{
    static const uint32_t sigs[] = {SIG_DESCRIPTOR, SIG_LFH, SIG_CDH};
    const uint8_t *p = (const uint8_t *)piece.p;
    for (size_t i = 0; i < piece.len && i < 3; i++) {
        s->tail = s->tail >> 8 | (uint32_t)p[i] << 24;
        for (size_t k = 0; k < ARRAY_SIZE(sigs); k++)
            s->signature_found |= s->tail == sigs[k];
    }
    s->signature_found |= sig_find(p, piece.len, 0, sigs, ARRAY_SIZE(sigs)) < piece.len;
    for (size_t i = piece.len > 7 ? piece.len - 4 : 3; i < piece.len; i++)
        s->tail = s->tail >> 8 | (uint32_t)p[i] << 24;
}

/* Too long a text is refused by its measured size; one that memory cannot hold is an error. */
static enum err keep_text(struct buf *text, str piece, struct error *e)
{
    bool fits = !text->failed && piece.len <= text->max - text->len;
    buf_add(text, piece);
    return fits ? buf_status(text, e) : ERR_OK;
}

static enum err sink_piece(void *ctx, str piece, struct error *e)
{
    struct sink *s = ctx;
    if (s->skill_md)
        TRY(keep_text(s->skill_md, piece, e));
    if (s->scan)
        scan_piece(s, piece);
    return ERR_OK;
}

/* The first byte beyond any of the limits ends the inflating. */
static uint64_t max_out(const struct audit *a, const struct entry *en)
{
    uint64_t by_ratio = (uint64_t)en->h.csize * a->limits->max_ratio;
    uint64_t smaller = MIN(a->output_left, by_ratio);
    return MIN(smaller, (uint64_t)en->h.usize);
}

static bool can_be_read(const struct cdh *h)
{
    bool known = h->method == METHOD_STORE || h->method == METHOD_DEFLATE;
    return known && !(h->flags & FLAG_ENCRYPTED); /* others are refused by method or flags */
}

static enum err measure_entry(struct audit *a, struct content_meter *m, struct entry *en,
                              struct error *e)
{
    const struct cdh *h = &en->h;
    bool digest = a->flags & ZIP_AUDIT_DIGESTS && !en->pub->directory;
    if (!can_be_read(h))
        return ERR_OK;
    struct sink sink = {
        .skill_md = en == a->skill_md ? &a->report->skill_md : NULL,
        .scan = h->method == METHOD_STORE && h->flags & FLAG_DESCRIPTOR,
    };
    struct content_job job = {.method = h->method,
                              .offset = en->pub->data_offset,
                              .csize = h->csize,
                              .max_out = max_out(a, en),
                              .sink = sink.skill_md || sink.scan ? sink_piece : NULL,
                              .ctx = &sink,
                              .digest = digest ? &en->pub->sha256 : NULL};
    TRY(content_measure(m, &job, &en->content, e));
    en->pub->usize = (uint32_t)en->content.usize; /* at most one more than declared */
    if (str_eq(str_of(en->content.head, sizeof en->content.head), STR("#!")))
        en->pub->mode = 0755;
    en->signature_found = sink.signature_found;
    en->measured = true;
    return ERR_OK;
}

static struct entry *walked_entry(struct audit *a, size_t i)
{
    return &a->entries[a->order[i]];
}

/* --- a team of threads --- */

/* One archive's measuring, shared by the threads that take part. Helpers are jobs of the pool,
 * which may find a thread early, late or never: so the team outlives the audit until the last has
 * looked.
 */
struct team {
    pthread_mutex_t lock;
    pthread_cond_t left; /* some member left */
    struct audit *audit; /* NULL when it is over: late helpers go home */
    unsigned n_refs, n_members;
    _Atomic size_t next; /* of the walked entries, the first that nobody took */
    enum err err;        /* of the member that failed first */
    struct error error;
};

struct helper {
    struct job job;
    struct team *team;
};

static void team_unref(struct team *t)
{
    pthread_mutex_lock(&t->lock);
    bool last = --t->n_refs == 0;
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    pthread_cond_destroy(&t->left);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Whether entries are left that are worth measuring. */
static struct entry *take_entry(struct team *t, struct audit *a)
{
    if (atomic_load(&a->budget.blocks) > a->budget.max_blocks)
        return NULL;
    size_t i = atomic_fetch_add(&t->next, 1);
    return i < a->n_walked ? walked_entry(a, i) : NULL;
}

/* False: the limit is passed. */
static bool count_output(struct audit *a, const struct entry *en)
{
    if (a->output_left < en->content.usize)
        return false;
    a->output_left -= en->content.usize;
    return true;
}

static enum err measure_taken(struct team *t, struct audit *a, struct error *e)
{
    CLEANUP(content_meter_deinit) struct content_meter m = {0};
    TRY(content_meter_init(&m, a->fd, a->size, &a->budget, e));
    for (struct entry *en = take_entry(t, a); en; en = take_entry(t, a)) {
        TRY(measure_entry(a, &m, en, e));
        if (a->one_by_one && !count_output(a, en))
            break;
    }
    return ERR_OK;
}

/* Joins, unless it is over. */
static struct audit *team_join(struct team *t)
{
    pthread_mutex_lock(&t->lock);
    struct audit *a = t->audit;
    t->n_members += a != NULL;
    pthread_mutex_unlock(&t->lock);
    return a;
}

static void team_leave(struct team *t, enum err err, const struct error *e)
{
    pthread_mutex_lock(&t->lock);
    if (err != ERR_OK && t->err == ERR_OK) {
        t->err = err;
        t->error = *e;
    }
    t->n_members--;
    pthread_cond_signal(&t->left);
    pthread_mutex_unlock(&t->lock);
}

static void help(struct job *job)
{
    struct helper *h = CONTAINER_OF(job, struct helper, job);
    struct team *t = h->team;
    struct audit *a = team_join(t);
    free(h);
    if (a) {
        struct error e;
        enum err err = measure_taken(t, a, &e);
        team_leave(t, err, &e);
    }
    team_unref(t);
}

/* A full queue, or no memory for it, is no reason to fail: then there is one helper less. */
static bool call_helper(struct team *t, struct pool *pool)
{
    struct error ignored;
    struct helper *h = malloc(sizeof *h);
    if (!h)
        return false;
    *h = (struct helper){.job.run = help, .team = t};
    pthread_mutex_lock(&t->lock);
    t->n_refs++;
    pthread_mutex_unlock(&t->lock);
    if (pool_submit(pool, &h->job, &ignored) == ERR_OK)
        return true;
    free(h);
    team_unref(t);
    return false;
}

static enum err team_new(struct audit *a, struct team **ret, struct error *e)
{
    struct team *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->left, NULL);
    t->audit = a;
    t->n_refs = 1;
    *ret = t;
    return ERR_OK;
}

/* No more members, and the word of the one that failed. */
static enum err team_dismiss(struct team *t, struct error *e)
{
    pthread_mutex_lock(&t->lock);
    t->audit = NULL;
    while (t->n_members)
        pthread_cond_wait(&t->left, &t->lock);
    enum err err = t->err;
    if (err != ERR_OK)
        *e = t->error;
    pthread_mutex_unlock(&t->lock);
    team_unref(t);
    return err;
}

/* --- all of them --- */

/* A file's declared size bounds what is read of it. */
static uint64_t declared(const struct audit *a)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < a->n_entries; i++)
        sum += a->entries[i].h.usize;
    return sum;
}

/* Of several (which are refused) the first by offset is kept. */
static struct entry *find_skill_md(struct audit *a)
{
    for (size_t i = 0; i < a->n_walked; i++)
        if (walked_entry(a, i)->skill_md)
            return walked_entry(a, i);
    return NULL;
}

/* All of it at once: growing step by step would leave holes as large. */
static enum err make_room_for_skill_md(struct audit *a, struct error *e)
{
    if (!a->skill_md)
        return ERR_OK;
    size_t n = MIN(a->skill_md->h.usize, a->limits->max_skill_md);
    return buf_reserve(&a->report->skill_md, n) ? ERR_OK : FAIL_NOMEM(e);
}

static unsigned wanted_helpers(const struct audit *a, uint64_t n_bytes)
{
    if (!a->workers || a->one_by_one || n_bytes < PARALLEL_MIN || a->n_walked < 2)
        return 0;
    return (unsigned)MIN(a->n_walked - 1, (size_t)HELPERS_MAX);
}

enum err measure(struct audit *a, struct error *e)
{
    struct team *t;
    struct error own;
    uint64_t sum = declared(a), max = a->limits->max_uncompressed;
    a->skill_md = find_skill_md(a);
    a->budget.max_blocks = a->limits->max_blocks + MIN(sum, max) / OUTPUT_PER_BLOCK;
    a->one_by_one = sum > max;
    a->output_left = a->one_by_one ? max : UINT64_MAX;
    TRY(make_room_for_skill_md(a, e));
    TRY(team_new(a, &t, e));
    for (unsigned n = wanted_helpers(a, sum); n && call_helper(t, a->workers); n--)
        ;
    (void)team_join(t);
    enum err err = measure_taken(t, a, &own);
    team_leave(t, err, &own);
    return team_dismiss(t, e);
}
