#include "zip/audit.h"

#include "zip/names.h"

#include <stdlib.h>

/* Names longer than the profile allows are kept cut: enough to be refused and shown. */
#define NAME_KEPT  (NAME_PATH_MAX + 1)
#define NAME_CHUNK ((size_t)16000)

static bool is_executable(const struct cdh *h)
{
    return h->external_attr >> 16 & 0111;
}

/* Names are packed into chunks: the list of 10,000 entries should not cost a block each. */
static bool keep_name(struct audit *a, str name, str *ret)
{
    if (name.len > a->names_left) {
        a->names_left = NAME_CHUNK;
        a->names = arena_alloc(&a->report->arena, NAME_CHUNK);
        if (!a->names)
            return false;
    }
    *ret = str_of(a->names, name.len);
    if (name.len == 0) /* and perhaps nowhere to keep it yet */
        return true;
    memcpy(a->names, name.p, name.len);
    a->names += name.len;
    a->names_left -= name.len;
    return true;
}

static enum err keep_entry(struct audit *a, struct entry *en, const struct cdh *h, uint64_t at,
                           str name, struct error *e)
{
    struct zip_entry *z = &a->public_entries[a->n_entries];
    if (!keep_name(a, str_head(name, NAME_KEPT), &z->name))
        return FAIL_NOMEM(e);
    z->lfh_offset = h->lfh_offset;
    z->csize = h->csize;
    z->crc = h->crc;
    z->method = h->method;
    z->directory = name_is_directory(name);
    z->executable = is_executable(h) && !z->directory;
    *en = (struct entry){.h = *h, .at = at, .pub = z};
    a->report->n_entries = ++a->n_entries;
    return ERR_OK;
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

static void rule_no_entry_comment(struct audit *a, const struct entry *en)
{
    if (en->h.comment_len)
        findings_add(&a->found, ZIP_RULE_NO_ENTRY_COMMENT, en->pub->name, en->at,
                     "invalid ZIP file: \"%s\" has a comment",
                     findings_show(&a->found, en->pub->name));
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
    TRY(keep_entry(a, en, &h, *at, name, e));
    rule_no_entry_comment(a, en);
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
