/*
 * The forward walk. From the first byte on, each record must be the one that the directory has
 * next by offset; so a reader that streams and a reader that starts from the directory see the same
 * entries, and every byte is explained exactly once. The walk ends at the first break: what follows
 * has no agreed position. So no byte is ever inflated twice, however entries overlap.
 */
#include "zip/audit.h"

#include "zip/extra.h"
#include "zip/unpack.h"

#include <stdlib.h>

/* zlib's worst case is 5 bytes a block of 16 KiB (deflateBound); others are hardly worse. */
#define EXPANSION_FIXED 1024
#define EXPANSION_SHIFT 6

#define WALK_FINDING(rule, en, offset, fmt, ...)                                                   \
    findings_add(&a->found, rule, (en)->pub->name, (offset), fmt,                                  \
                 findings_show(&a->found, (en)->pub->name) __VA_OPT__(, ) __VA_ARGS__)

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

/* --- data --- */

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

static enum err sink_piece(void *ctx, str piece, struct error *e)
{
    struct sink *s = ctx;
    (void)e;
    if (s->skill_md)
        buf_add(s->skill_md, piece); /* too long a text is refused by its measured size */
    if (s->scan)
        scan_piece(s, piece);
    return ERR_OK;
}

static void rule_expansion(struct audit *a, const struct entry *en, const struct content *c)
{
    uint64_t max = c->usize + (c->usize >> EXPANSION_SHIFT) + EXPANSION_FIXED;
    if (en->h.method == METHOD_DEFLATE && c->end == CONTENT_WHOLE && en->h.csize > max)
        WALK_FINDING(ZIP_RULE_EXPANSION, en, en->at,
                     "invalid ZIP file: \"%s\" has %llu bytes in %u compressed ones",
                     (unsigned long long)c->usize, en->h.csize);
}

/* Nothing cannot become something: then the directory's own word is enough. */
static bool rule_ratio(struct audit *a, const struct entry *en, const struct content *c)
{
    uint64_t csize = en->h.csize, max = a->limits->max_ratio;
    if (csize == 0 && (en->h.usize > 0 || c->usize > 0))
        WALK_FINDING(ZIP_RULE_RATIO, en, en->at,
                     "suspicious compression ratio in %s: %u bytes from none (max: %llu:1)",
                     en->h.usize, (unsigned long long)max);
    else if (c->usize > csize * max)
        WALK_FINDING(ZIP_RULE_RATIO, en, en->at,
                     "suspicious compression ratio in %s: %llu:1 (max: %llu:1)",
                     (unsigned long long)((c->usize + csize - 1) / csize), (unsigned long long)max);
    else
        return true;
    return false;
}

static void rule_total(struct audit *a)
{
    if (a->report->uncompressed <= a->limits->max_uncompressed)
        return;
    a->stop = true;
    findings_add(&a->found, ZIP_RULE_TOTAL, STR_NULL, 0,
                 "total uncompressed size too large: %llu bytes (max: %llu bytes)",
                 (unsigned long long)a->report->uncompressed,
                 (unsigned long long)a->limits->max_uncompressed);
}

static void rule_cpu(struct audit *a, const struct entry *en, const struct content *c)
{
    if (c->end != CONTENT_BUDGET)
        return;
    a->stop = true;
    WALK_FINDING(ZIP_RULE_CPU, en, en->pub->data_offset,
                 "invalid ZIP file: too many deflate blocks up to \"%s\" for so little content");
}

static void rule_inflate(struct audit *a, const struct entry *en, const struct content *c)
{
    const struct cdh *h = &en->h;
    uint64_t at = en->pub->data_offset;
    if (c->end == CONTENT_BAD)
        WALK_FINDING(ZIP_RULE_INFLATE, en, at, "invalid ZIP file: \"%s\" does not inflate: %s",
                     c->problem ? c->problem : "invalid data");
    else if (c->end == CONTENT_TRUNCATED)
        WALK_FINDING(ZIP_RULE_INFLATE, en, at,
                     "invalid ZIP file: the data of \"%s\" ends before its deflate stream does");
    else if (c->end == CONTENT_TRAILING)
        WALK_FINDING(ZIP_RULE_INFLATE, en, at,
                     "invalid ZIP file: the deflate stream of \"%s\" ends after %llu of %u bytes",
                     (unsigned long long)c->consumed, h->csize);
    else if (c->end == CONTENT_OVER || c->usize != h->usize)
        WALK_FINDING(ZIP_RULE_INFLATE, en, at,
                     "invalid ZIP file: \"%s\" says to have %u bytes and has %s%llu", h->usize,
                     c->end == CONTENT_OVER ? "at least " : "", (unsigned long long)c->usize);
    else if (c->crc != h->crc)
        WALK_FINDING(ZIP_RULE_INFLATE, en, at,
                     "invalid ZIP file: \"%s\" says to have CRC %08x and has %08x", h->crc, c->crc);
}

static void rule_stored_descriptor_scan(struct audit *a, const struct entry *en,
                                        const struct sink *s)
{
    if (s->signature_found)
        WALK_FINDING(ZIP_RULE_STORED_DESCRIPTOR_SCAN, en, en->pub->data_offset,
                     "invalid ZIP file: \"%s\" is stored with a data descriptor and holds a ZIP "
                     "signature");
}

/* The first byte beyond any of the limits ends the inflating. */
static uint64_t max_out(const struct audit *a, const struct entry *en)
{
    uint64_t by_total = a->limits->max_uncompressed - a->report->uncompressed;
    uint64_t by_ratio = (uint64_t)en->h.csize * a->limits->max_ratio;
    uint64_t smaller = MIN(by_total, by_ratio);
    return MIN(smaller, (uint64_t)en->h.usize);
}

static void judge(struct audit *a, struct entry *en, const struct content *c, const struct sink *s)
{
    a->report->uncompressed += c->usize;
    en->pub->usize = c->usize;
    en->pub->mode = zip_unpack_mode(en->pub, str_of(c->head, sizeof c->head));
    en->measured = true;
    bool ratio_ok = rule_ratio(a, en, c);
    rule_total(a);
    rule_cpu(a, en, c);
    rule_expansion(a, en, c);
    rule_stored_descriptor_scan(a, en, s);
    if (ratio_ok && !a->stop)
        rule_inflate(a, en, c);
}

/* Of several (which are refused) the first by offset is kept. */
static bool skill_md_wanted(const struct audit *a, const struct entry *en)
{
    return skill_md_is(en->pub) && a->report->skill_md.len == 0;
}

static enum err check_content(struct audit *a, struct entry *en, struct error *e)
{
    const struct cdh *h = &en->h;
    bool known = h->method == METHOD_STORE || h->method == METHOD_DEFLATE;
    if (!known || h->flags & FLAG_ENCRYPTED) /* refused by method or flags */
        return ERR_OK;
    struct sink sink = {
        .skill_md = skill_md_wanted(a, en) ? &a->report->skill_md : NULL,
        .scan = h->method == METHOD_STORE && h->flags & FLAG_DESCRIPTOR,
    };
    bool digest = a->flags & ZIP_AUDIT_DIGESTS && !en->pub->directory;
    struct content_job job = {.method = h->method,
                              .offset = en->pub->data_offset,
                              .csize = h->csize,
                              .max_out = max_out(a, en),
                              .sink = sink.skill_md || sink.scan ? sink_piece : NULL,
                              .ctx = &sink,
                              .digest = digest ? &en->pub->sha256 : NULL};
    struct content c;
    TRY(content_measure(&a->meter, &job, &c, e));
    judge(a, en, &c, &sink);
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
    en->pub->data_offset = *at;
    TRY(check_content(a, en, e));
    if (a->stop)
        return ERR_OK;
    *at += en->h.csize;
    uint64_t next = next_begin(a, i);
    return rule_descriptor(a, en, l.zip64, next > *at ? next - *at : 0, at, e);
}

enum err walk(struct audit *a, struct error *e)
{
    uint64_t at = 0;
    TRY(sort_by_offset(a, e));
    for (size_t i = 0; i < a->n_entries && !a->stop; i++)
        TRY(walk_entry(a, i, &at, e));
    if (!a->stop)
        rule_tiling_end(a, at);
    return ERR_OK;
}
