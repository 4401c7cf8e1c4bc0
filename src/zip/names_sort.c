/*
 * Sorting by name in bounded memory: batches of names are read and sorted, then the sorted runs are
 * merged with one name of each at hand. So each name is read twice, in whatever order they come.
 */
#include "base/macro.h"
#include "zip/names.h"
#include "zip/zip.h"

#include <stdlib.h>

#define BATCH_BYTES KIB(256)
#define BATCH_NAMES 2048u
/* A batch ends where the longest name might not fit. */
#define BATCH_NAMES_MIN (BATCH_BYTES / NAME_KEPT - 1)

struct named {
    str name;
    uint32_t entry;
};

struct run {
    size_t at, end; /* in the order */
    size_t head_len;
    char head[NAME_KEPT]; /* the name of the one at `at` */
};

struct sorter {
    struct zip_names *names;
    const struct zip_entry *entries;
    uint32_t *order; /* borrowed: what is sorted */
    size_t n;
    struct named *batch;
    char *bytes; /* of the batch's names */
    size_t cap;
    struct run *runs;
    size_t n_runs;
    uint32_t *merged;
};

static void sorter_deinit(struct sorter *s)
{
    free(s->batch);
    free(s->bytes);
    free(s->runs);
    free(s->merged);
}

static enum err get_copy(struct sorter *s, uint32_t entry, char *to, str *ret, struct error *e)
{
    str name;
    TRY(zip_names_get(s->names, &s->entries[entry], &name, e));
    memcpy(to, name.p, name.len);
    *ret = str_of(to, name.len);
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Reads names from number `at` on, as many as fit. */
static enum err read_batch(struct sorter *s, size_t at, size_t *ret_n, struct error *e)
{
    size_t n = 0;
    for (size_t used = 0; at + n < s->n && n < BATCH_NAMES && s->cap - used >= NAME_KEPT;) {
        struct named *item = &s->batch[n];
        item->entry = s->order[at + n++];
        TRY(get_copy(s, item->entry, s->bytes + used, &item->name, e));
        used += item->name.len;
    }
    *ret_n = n;
    return ERR_OK;
}

static enum err make_runs(struct sorter *s, struct error *e)
{
    for (size_t at = 0, n; at < s->n; at += n) {
        TRY(read_batch(s, at, &n, e));
        qsort(s->batch, n, sizeof *s->batch, by_name);
        for (size_t i = 0; i < n; i++)
            s->order[at + i] = s->batch[i].entry;
        s->runs[s->n_runs].at = at;
        s->runs[s->n_runs++].end = at + n;
    }
    return ERR_OK;
}

static enum err read_head(struct sorter *s, struct run *r, struct error *e)
{
    str head;
    TRY(get_copy(s, s->order[r->at], r->head, &head, e));
    r->head_len = head.len;
    return ERR_OK;
}

static str head_of(const struct run *r)
{
    return str_of(r->head, r->head_len);
}

/* All of them hold something. */
static struct run *first_run(struct sorter *s)
{
    struct run *first = s->runs;
    for (struct run *r = first + 1; r < s->runs + s->n_runs; r++)
        if (str_cmp(head_of(r), head_of(first)) < 0)
            first = r;
    return first;
}

static enum err advance(struct sorter *s, struct run *r, struct error *e)
{
    if (++r->at < r->end)
        return read_head(s, r, e);
    *r = s->runs[--s->n_runs];
    return ERR_OK;
}

static enum err merge(struct sorter *s, struct error *e)
{
    for (size_t i = 0; i < s->n_runs; i++)
        TRY(read_head(s, &s->runs[i], e));
    for (size_t i = 0; i < s->n; i++) {
        struct run *r = first_run(s);
        s->merged[i] = s->order[r->at];
        TRY(advance(s, r, e));
    }
    memcpy(s->order, s->merged, s->n * sizeof *s->order);
    return ERR_OK;
}

enum err zip_names_sort(struct zip_names *names, const struct zip_entry *entries, uint32_t *order,
                        size_t n, struct error *e)
{
    CLEANUP(sorter_deinit)
    struct sorter s = {.names = names, .entries = entries, .order = order, .n = n};
    s.batch = calloc(MIN(n, (size_t)BATCH_NAMES) + 1, sizeof *s.batch);
    s.cap = MIN(n * NAME_KEPT, BATCH_BYTES);
    s.bytes = malloc(s.cap + 1);
    s.runs = calloc(n / BATCH_NAMES_MIN + 1, sizeof *s.runs);
    s.merged = calloc(n + 1, sizeof *s.merged);
    if (!s.batch || !s.bytes || !s.runs || !s.merged)
        return FAIL_NOMEM(e);
    TRY(make_runs(&s, e));
    return s.n_runs > 1 ? merge(&s, e) : ERR_OK;
}
