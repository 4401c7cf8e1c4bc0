#include "zip/audit.h"

#include "zip/names.h"
#include "zip/unpack.h"

#include <stdlib.h>
#include <xxhash.h>

static bool is_executable(const struct cdh *h)
{
    return h->external_attr >> 16 & 0111;
}

/* What is known of the name once it is not at hand any more. */
static void keep_name(struct entry *en, str name)
{
    struct zip_entry *z = en->pub;
    str kept = str_head(name, NAME_KEPT);
    z->name_at = en->at + CDH_LEN;
    z->name_len = (uint16_t)kept.len;
    z->name_hash = XXH3_64bits(kept.p, kept.len);
    z->directory = name_is_directory(name);
    z->left_out = zip_unpack_leaves_out(kept);
    z->mode = zip_unpack_mode(kept, is_executable(&en->h) && !z->directory);
    en->skill_md = skill_md_is(kept);
}

static void keep_entry(struct audit *a, const struct cdh *h, uint64_t at, str name)
{
    struct zip_entry *z = &a->public_entries[a->n_entries];
    struct entry *en = &a->entries[a->n_entries];
    z->lfh_offset = h->lfh_offset;
    z->csize = h->csize;
    z->crc = h->crc;
    z->method = h->method;
    *en = (struct entry){.h = *h, .at = (uint32_t)at, .pub = z};
    keep_name(en, name);
    a->report->n_entries = ++a->n_entries;
}

static void extent_finding(struct audit *a, uint64_t at, const char *what)
{
    a->stop = true;
    findings_add(&a->found, ZIP_RULE_DIRECTORY_EXTENT, STR_NULL, at, "invalid ZIP file: %s", what);
}

/* The fixed part at *at, or a finding and a->stop. */
static enum err read_fixed(struct audit *a, uint64_t at, struct cdh *ret, struct error *e)
{
    const uint8_t *p;
    uint64_t left = a->eocd_at - at;
    *ret = (struct cdh){0};
    if (left >= CDH_LEN) {
        TRY(window_view(&a->win, at, CDH_LEN, &p, e));
        cdh_decode(p, ret);
    }
    if (left < CDH_LEN || le32(p) != SIG_CDH)
        extent_finding(a, at, "bytes in the central directory are not a central header");
    else if (left - CDH_LEN < (uint64_t)ret->name_len + ret->extra_len + ret->comment_len)
        extent_finding(a, at, "a central header runs into the end record");
    return ERR_OK;
}

static void rule_no_entry_comment(struct audit *a, const struct entry *en, str name)
{
    if (en->h.comment_len)
        findings_add(&a->found, ZIP_RULE_NO_ENTRY_COMMENT, name, en->at,
                     "invalid ZIP file: \"%s\" has a comment", findings_show(&a->found, name));
}

/* Reads the header at *at, judges it, and moves *at past it. */
static enum err read_header(struct audit *a, uint64_t *at, struct error *e)
{
    struct cdh h;
    struct entry *en = &a->entries[a->n_entries];
    const uint8_t *p;
    TRY(read_fixed(a, *at, &h, e));
    if (a->stop)
        return ERR_OK;
    size_t len = (size_t)CDH_LEN + h.name_len + h.extra_len;
    TRY(window_view(&a->win, *at, len, &p, e));
    str name = str_of(p + CDH_LEN, h.name_len);
    keep_entry(a, &h, *at, name);
    rule_no_entry_comment(a, en, str_head(name, NAME_KEPT));
    entry_check_central(a, en, name, str_of(p + CDH_LEN + h.name_len, h.extra_len));
    *at += len + h.comment_len;
    return ERR_OK;
}

/* There are never more headers than bytes for them. */
static enum err make_room(struct audit *a, struct error *e)
{
    size_t max = (size_t)MIN((uint64_t)a->limits->max_entries, a->eocd.cd_size / CDH_LEN);
    a->entries = calloc(max + 1, sizeof *a->entries);
    a->public_entries = arena_calloc(&a->report->arena, max + 1, sizeof *a->public_entries);
    a->report->entries = a->public_entries;
    return a->entries && a->public_entries ? ERR_OK : FAIL_NOMEM(e);
}

/* What follows the last header that may be there is one too many, or no header at all. */
static enum err rule_counts_max(struct audit *a, uint64_t at, struct error *e)
{
    struct cdh next;
    if (a->stop || at == a->eocd_at)
        return ERR_OK;
    TRY(read_fixed(a, at, &next, e));
    if (!a->stop)
        findings_add(&a->found, ZIP_RULE_COUNTS, STR_NULL, at,
                     "too many files in ZIP: %zu (max: %u)", a->n_entries + 1,
                     a->limits->max_entries);
    a->stop = true;
    return ERR_OK;
}

static void rule_counts(struct audit *a)
{
    if (!a->stop && a->n_entries != a->eocd.n_total)
        findings_add(&a->found, ZIP_RULE_COUNTS, STR_NULL, a->eocd_at,
                     "invalid ZIP file: it says to hold %u entries, its directory has %zu",
                     a->eocd.n_total, a->n_entries);
}

enum err directory_read(struct audit *a, struct error *e)
{
    uint64_t at = a->eocd.cd_offset;
    TRY(make_room(a, e));
    while (at < a->eocd_at && !a->stop && a->n_entries < a->limits->max_entries)
        TRY(read_header(a, &at, e));
    TRY(rule_counts_max(a, at, e));
    rule_counts(a);
    a->listed = !a->stop;
    return ERR_OK;
}
