/*
 * The forward walk. From the first byte on, each record must be the one that the directory has
 * next by offset; so a reader that streams and a reader that starts from the directory see the same
 * entries, and every byte is explained exactly once. The walk ends at the first break: what follows
 * has no agreed position. Only entries that were walked are measured, so that no byte is ever
 * inflated twice, however entries overlap.
 */
#include "zip/audit.h"

#include "zip/extra.h"

#include <stdlib.h>

/* What is looked at between two entries' data: a descriptor and a header. */
#define STRIDE 512

#define WALK_FINDING(rule, en, offset, fmt, ...)                                                   \
    findings_add(&a->found, rule, entry_name(a, en), (offset), fmt,                                \
                 findings_show(&a->found, entry_name(a, en)) __VA_OPT__(, ) __VA_ARGS__)

/* --- order --- */

static int by_offset(const void *pa, const void *pb, void *ctx)
{
    const struct entry *entries = ctx;
    uint32_t ia = *(const uint32_t *)pa, ib = *(const uint32_t *)pb;
    uint32_t a = entries[ia].h.lfh_offset, b = entries[ib].h.lfh_offset;
    if (a != b)
        return a < b ? -1 : 1;
    return ia < ib ? -1 : ia > ib;
}

static enum err sort_by_offset(struct audit *a, struct error *e)
{
    a->order = calloc(a->n_entries + 1, sizeof *a->order);
    if (!a->order)
        return FAIL_NOMEM(e);
    for (uint32_t i = 0; i < a->n_entries; i++)
        a->order[i] = i;
    qsort_r(a->order, a->n_entries, sizeof *a->order, by_offset, a->entries);
    return ERR_OK;
}

/* Where the record after the i-th by offset begins. */
static uint64_t next_begin(const struct audit *a, size_t i)
{
    return i + 1 < a->n_entries ? a->entries[a->order[i + 1]].h.lfh_offset : a->eocd.cd_offset;
}

/* --- tiling --- */

static void breaks(struct audit *a, const struct entry *en, uint64_t at, const char *what)
{
    a->stop = true;
    WALK_FINDING(ZIP_RULE_TILING, en, at, "invalid ZIP file: the record of \"%s\" %s", what);
}

/* The entry's record begins at *at, where the one before ended. */
static void rule_tiling_begin(struct audit *a, const struct entry *en, uint64_t at)
{
    uint64_t begin = en->h.lfh_offset;
    if (begin == at)
        return;
    a->stop = true;
    WALK_FINDING(ZIP_RULE_TILING, en, begin,
                 "invalid ZIP file: the record of \"%s\" begins at %llu, the one before it ends at "
                 "%llu",
                 (unsigned long long)begin, (unsigned long long)at);
}

static void rule_tiling_end(struct audit *a, uint64_t at)
{
    if (at == a->eocd.cd_offset)
        return;
    a->stop = true;
    findings_add(&a->found, ZIP_RULE_TILING, STR_NULL, at,
                 "invalid ZIP file: the last record ends at %llu, the central directory begins at "
                 "%u",
                 (unsigned long long)at, a->eocd.cd_offset);
}

/* --- local header --- */

/* Reads the header at *at and moves *at to the data; or stops. */
static enum err read_local(struct audit *a, const struct entry *en, uint64_t *at, struct local *l,
                           struct error *e)
{
    const uint8_t *p;
    uint64_t left = a->eocd.cd_offset - *at;
    if (left >= LFH_LEN) {
        TRY(window_view(&a->win, *at, LFH_LEN, &p, e));
        lfh_decode(p, &l->h);
    }
    if (left < LFH_LEN || le32(p) != SIG_LFH) {
        breaks(a, en, *at, "has no local file header");
        return ERR_OK;
    }
    size_t len = (size_t)LFH_LEN + l->h.name_len + l->h.extra_len;
    if (left < len || left - len < en->h.csize) {
        breaks(a, en, *at, "runs into the central directory");
        return ERR_OK;
    }
    TRY(window_view(&a->win, *at, len, &p, e));
    str unused;
    l->at = *at;
    l->name = str_of(p + LFH_LEN, l->h.name_len);
    l->extra = str_of(p + LFH_LEN + l->h.name_len, l->h.extra_len);
    l->zip64 = extra_find(l->extra, EXTRA_ZIP64, &unused);
    *at += len;
    return ERR_OK;
}

/* --- descriptor --- */

/* The lengths that writers use: none, or with and without signature, with 4 and 8 byte sizes. */
static bool is_descriptor_len(uint64_t len)
{
    return len == 0 || len == DESCRIPTOR_LEN - 4 || len == DESCRIPTOR_LEN ||
           len == DESCRIPTOR_LEN_64 - 4 || len == DESCRIPTOR_LEN_64;
}

/* The finding's text for what stands between the data and the next record, or NULL. Java's
 * ZipInputStream (before 21) expects 4-byte sizes: it says so when it reads 8-byte ones, but those
 * of an empty file look right to it, and what follows looks like the end of the archive. */
static enum err judge_descriptor(struct audit *a, const struct entry *en, uint64_t at,
                                 uint64_t room, bool wide, const char **ret, struct error *e)
{
    const uint8_t *p;
    struct descriptor d;
    size_t len = wide ? DESCRIPTOR_LEN_64 : DESCRIPTOR_LEN;
    *ret = room < len ? "is missing or too short" : NULL;
    if (*ret)
        return ERR_OK;
    TRY(window_view(&a->win, at, len, &p, e));
    descriptor_decode(p, wide, &d);
    if (le32(p) != SIG_DESCRIPTOR)
        *ret = "is missing or has no signature";
    else if (d.crc != en->h.crc || d.csize != en->h.csize || d.usize != en->h.usize)
        *ret = "gives other values than the directory";
    else if (wide && d.usize == 0)
        *ret = "has 8-byte sizes though the file is empty";
    return ERR_OK;
}

static enum err judge_unannounced(struct audit *a, uint64_t at, uint64_t room, const char **ret,
                                  struct error *e)
{
    const uint8_t *p;
    *ret = NULL;
    if (room < 4)
        return ERR_OK;
    TRY(window_view(&a->win, at, 4, &p, e));
    if (le32(p) == SIG_DESCRIPTOR)
        *ret = "is not announced by flag bit 3";
    return ERR_OK;
}

/* Moves *at past the descriptor. One of another form than expected is one finding, and not a break
 * of the tiling too: then all the room is taken for it when its length can be one. */
static enum err rule_descriptor(struct audit *a, const struct entry *en, bool wide, uint64_t room,
                                uint64_t *at, struct error *e)
{
    const char *problem;
    bool wanted = en->h.flags & FLAG_DESCRIPTOR;
    if (wanted)
        TRY(judge_descriptor(a, en, *at, room, wide, &problem, e));
    else
        TRY(judge_unannounced(a, *at, room, &problem, e));
    if (problem)
        WALK_FINDING(ZIP_RULE_DESCRIPTOR, en, *at,
                     "invalid ZIP file: the data descriptor of \"%s\" %s", problem);
    if (problem && is_descriptor_len(room))
        *at += room;
    else if (wanted)
        *at += wide ? DESCRIPTOR_LEN_64 : DESCRIPTOR_LEN;
    return ERR_OK;
}

/* --- the walk --- */

static enum err walk_entry(struct audit *a, size_t i, uint64_t *at, struct error *e)
{
    struct entry *en = &a->entries[a->order[i]];
    struct local l = {0};
    rule_tiling_begin(a, en, *at);
    if (a->stop)
        return ERR_OK;
    TRY(read_local(a, en, at, &l, e));
    if (a->stop)
        return ERR_OK;
    entry_check_local(a, en, &l);
    en->pub->data_offset = (uint32_t)*at;
    a->n_walked = i + 1;
    *at += en->h.csize;
    uint64_t next = next_begin(a, i);
    return rule_descriptor(a, en, l.zip64, next > *at ? next - *at : 0, at, e);
}

enum err walk(struct audit *a, struct error *e)
{
    uint64_t at = 0;
    TRY(sort_by_offset(a, e));
    a->win.stride = MIN(a->win.cap, (size_t)STRIDE);
    for (size_t i = 0; i < a->n_entries && !a->stop; i++)
        TRY(walk_entry(a, i, &at, e));
    if (!a->stop)
        rule_tiling_end(a, at);
    return ERR_OK;
}
