/* The rules about contents, on what was measured, in the order of the file. */
#include "zip/audit.h"

/* zlib's worst case is 5 bytes a block of 16 KiB (deflateBound); others are hardly worse. */
#define EXPANSION_FIXED 1024
#define EXPANSION_SHIFT 6

#define CONTENT_FINDING(rule, en, offset, fmt, ...)                                                \
    findings_add(&a->found, rule, entry_name(a, en), (offset), fmt,                                \
                 findings_show(&a->found, entry_name(a, en)) __VA_OPT__(, ) __VA_ARGS__)

static void rule_expansion(struct audit *a, const struct entry *en)
{
    const struct content *c = &en->content;
    uint64_t max = c->usize + (c->usize >> EXPANSION_SHIFT) + EXPANSION_FIXED;
    if (en->h.method == METHOD_DEFLATE && c->end == CONTENT_WHOLE && en->h.csize > max)
        CONTENT_FINDING(ZIP_RULE_EXPANSION, en, en->at,
                        "invalid ZIP file: \"%s\" has %llu bytes in %u compressed ones",
                        (unsigned long long)c->usize, en->h.csize);
}

/* Nothing cannot become something: then the directory's own word is enough. */
static bool rule_ratio(struct audit *a, const struct entry *en)
{
    uint64_t usize = en->content.usize, csize = en->h.csize, max = a->limits->max_ratio;
    if (csize == 0 && (en->h.usize > 0 || usize > 0))
        CONTENT_FINDING(ZIP_RULE_RATIO, en, en->at,
                        "suspicious compression ratio in %s: %u bytes from none (max: %llu:1)",
                        en->h.usize, (unsigned long long)max);
    else if (usize > csize * max)
        CONTENT_FINDING(ZIP_RULE_RATIO, en, en->at,
                        "suspicious compression ratio in %s: %llu:1 (max: %llu:1)",
                        (unsigned long long)((usize + csize - 1) / csize), (unsigned long long)max);
    else
        return true;
    return false;
}

static bool rule_total(struct audit *a)
{
    if (a->report->uncompressed <= a->limits->max_uncompressed)
        return true;
    findings_add(&a->found, ZIP_RULE_TOTAL, STR_NULL, 0,
                 "total uncompressed size too large: %llu bytes (max: %llu bytes)",
                 (unsigned long long)a->report->uncompressed,
                 (unsigned long long)a->limits->max_uncompressed);
    return false;
}

static bool rule_cpu(struct audit *a)
{
    if (atomic_load(&a->budget.blocks) <= a->budget.max_blocks)
        return true;
    findings_add(&a->found, ZIP_RULE_CPU, STR_NULL, 0,
                 "invalid ZIP file: more than %llu deflate blocks for so little content",
                 (unsigned long long)a->budget.max_blocks);
    return false;
}

static void rule_inflate(struct audit *a, const struct entry *en)
{
    const struct content *c = &en->content;
    uint64_t at = en->pub->data_offset;
    if (c->end == CONTENT_BAD)
        CONTENT_FINDING(ZIP_RULE_INFLATE, en, at, "invalid ZIP file: \"%s\" does not inflate: %s",
                        c->problem);
    else if (c->end == CONTENT_TRUNCATED)
        CONTENT_FINDING(ZIP_RULE_INFLATE, en, at,
                        "invalid ZIP file: the data of \"%s\" ends before its deflate stream does");
    else if (c->end == CONTENT_TRAILING)
        CONTENT_FINDING(
            ZIP_RULE_INFLATE, en, at,
            "invalid ZIP file: the deflate stream of \"%s\" ends after %llu of %u bytes",
            (unsigned long long)c->consumed, en->h.csize);
    else if (c->end == CONTENT_OVER || c->usize != en->h.usize)
        CONTENT_FINDING(ZIP_RULE_INFLATE, en, at,
                        "invalid ZIP file: \"%s\" says to have %u bytes and has %s%llu",
                        en->h.usize, c->end == CONTENT_OVER ? "at least " : "",
                        (unsigned long long)c->usize);
    else if (c->no_distances) /* Info-ZIP's unzip: "lengths but no distances" */
        CONTENT_FINDING(
            ZIP_RULE_INFLATE, en, at,
            "invalid ZIP file: a deflate block of \"%s\" has codes for lengths and none "
            "for distances");
    else if (c->crc != en->h.crc)
        CONTENT_FINDING(ZIP_RULE_INFLATE, en, at,
                        "invalid ZIP file: \"%s\" says to have CRC %08x and has %08x", en->h.crc,
                        c->crc);
}

static void rule_stored_descriptor_scan(struct audit *a, const struct entry *en)
{
    if (en->signature_found)
        CONTENT_FINDING(ZIP_RULE_STORED_DESCRIPTOR_SCAN, en, en->pub->data_offset,
                        "invalid ZIP file: \"%s\" is stored with a data descriptor and holds a ZIP "
                        "signature");
}

/* How far the measuring came depends on the threads: so nothing of it counts. */
static void forget_contents(struct audit *a)
{
    buf_clear(&a->report->skill_md);
    for (size_t i = 0; i < a->n_entries; i++)
        a->entries[i].measured = false;
}

void judge_contents(struct audit *a)
{
    bool total_ok = true;
    if (!rule_cpu(a))
        forget_contents(a);
    for (size_t i = 0; i < a->n_walked && total_ok; i++) {
        struct entry *en = &a->entries[a->order[i]];
        if (!en->measured)
            continue;
        a->report->uncompressed += en->content.usize;
        bool ratio_ok = rule_ratio(a, en);
        total_ok = rule_total(a);
        rule_expansion(a, en);
        rule_stored_descriptor_scan(a, en);
        if (ratio_ok && total_ok)
            rule_inflate(a, en);
    }
}
