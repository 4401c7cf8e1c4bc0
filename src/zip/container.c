#include "zip/audit.h"

/* An end record and the longest comment it can announce. */
#define TAIL_MAX (EOCD_LEN + 65535)

#define TAR_HEADER_LEN    512
#define ISO_DESCRIPTOR    STR("CD001") /* ECMA-119 8.1: in sector 16, behind the type */
#define ISO_DESCRIPTOR_AT (16 * 2048 + 1)

static const uint32_t end_signatures[] = {SIG_EOCD, SIG_ZIP64_EOCD, SIG_ZIP64_LOCATOR};
static const uint32_t all_signatures[] = {SIG_LFH,        SIG_CDH,           SIG_EOCD,
                                          SIG_DESCRIPTOR, SIG_EXTRA_DATA,    SIG_DIGITAL,
                                          SIG_ZIP64_EOCD, SIG_ZIP64_LOCATOR, SIG_SPANNED};

static void rule_size(struct audit *a)
{
    unsigned long long size = a->size, max = a->limits->max_size;
    if (size >= EOCD_LEN && size <= max)
        return;
    a->stop = true;
    if (size > max)
        findings_add(&a->found, ZIP_RULE_SIZE, STR_NULL, 0,
                     "ZIP file too large: %llu bytes (max: %llu)", size, max);
    else
        findings_add(&a->found, ZIP_RULE_SIZE, STR_NULL, 0,
                     "invalid ZIP file: %llu bytes are fewer than the 22 of the smallest archive",
                     size);
}

struct ends {
    size_t n_fitting; /* end records whose comment ends at the end of the file */
    size_t fitting;   /* the last of them, an offset in the tail */
    size_t last;      /* the last signature, fitting or not */
};

static struct ends find_ends(const uint8_t *tail, size_t len)
{
    const uint32_t sig = SIG_EOCD;
    struct ends r = {0};
    for (size_t at = sig_find(tail, len, 0, &sig, 1); at < len;
         at = sig_find(tail, len, at + 1, &sig, 1)) {
        r.last = at;
        if (len - at >= EOCD_LEN && len - at - EOCD_LEN == le16(tail + at + 20)) {
            r.fitting = at;
            r.n_fitting++;
        }
    }
    return r;
}

static void rule_one_eocd(struct audit *a, const struct ends *ends, uint64_t tail_at)
{
    if (ends->n_fitting == 0) {
        a->stop = true;
        findings_add(&a->found, ZIP_RULE_ONE_EOCD, STR_NULL, tail_at + ends->last,
                     "invalid ZIP file: no end of central directory record that ends where the "
                     "file ends");
    } else if (ends->n_fitting > 1) {
        a->stop = true;
        findings_add(&a->found, ZIP_RULE_ONE_EOCD, STR_NULL, tail_at + ends->fitting,
                     "invalid ZIP file: %zu end of central directory records fit the end of the "
                     "file",
                     ends->n_fitting);
    } else if (ends->last != ends->fitting) {
        findings_add(&a->found, ZIP_RULE_ONE_EOCD, STR_NULL, tail_at + ends->last,
                     "invalid ZIP file: another end of central directory record follows the one "
                     "at %llu",
                     (unsigned long long)tail_at + ends->fitting);
    }
}

/* An archive without entries is only its end record: `counts` refuses that. */
static bool is_empty_archive(const uint8_t *head, uint64_t size)
{
    return le32(head) == SIG_EOCD && size - EOCD_LEN == le16(head + 20);
}

static void rule_starts_with_lfh(struct audit *a, const uint8_t *head)
{
    a->walkable = le32(head) == SIG_LFH || is_empty_archive(head, a->size);
    if (!a->walkable)
        findings_add(&a->found, ZIP_RULE_STARTS_WITH_LFH, STR_NULL, 0,
                     "invalid ZIP file: it does not start with a local file header");
}

/* The sum of a tar header's bytes, its own field taken as spaces, stands there in octal (POSIX
 * ustar); some programs take the bytes as signed. */
static bool is_tar_header(const uint8_t *p)
{
    enum { SUM_AT = 148, SUM_LEN = 8 };
    int sum = SUM_LEN * ' ', signed_sum = sum, told = 0;
    size_t i = SUM_AT;
    for (size_t k = 0; k < TAR_HEADER_LEN; k++) {
        bool own = k >= SUM_AT && k < SUM_AT + SUM_LEN;
        sum += own ? 0 : p[k];
        signed_sum += own ? 0 : (int8_t)p[k];
    }
    while (i < SUM_AT + SUM_LEN && (p[i] == ' ' || p[i] == '\t'))
        i++;
    for (; i < SUM_AT + SUM_LEN && p[i] >= '0' && p[i] <= '7'; i++)
        told = told * 8 + (p[i] - '0');
    return told == sum || told == signed_sum;
}

/* Readers that know many formats take what fits best: these two outbid a ZIP. */
static enum err rule_no_other_format(struct audit *a, struct error *e)
{
    const uint8_t *p;
    if (a->size < TAR_HEADER_LEN)
        return ERR_OK;
    TRY(window_view(&a->win, 0, TAR_HEADER_LEN, &p, e));
    if (is_tar_header(p))
        findings_add(&a->found, ZIP_RULE_STARTS_WITH_LFH, STR_NULL, 0,
                     "invalid ZIP file: it starts with a tar header, too");
    if (a->size < ISO_DESCRIPTOR_AT + ISO_DESCRIPTOR.len)
        return ERR_OK;
    TRY(window_view(&a->win, ISO_DESCRIPTOR_AT, ISO_DESCRIPTOR.len, &p, e));
    if (str_eq(str_of(p, ISO_DESCRIPTOR.len), ISO_DESCRIPTOR))
        findings_add(&a->found, ZIP_RULE_STARTS_WITH_LFH, STR_NULL, ISO_DESCRIPTOR_AT,
                     "invalid ZIP file: it is an ISO 9660 image, too");
    return ERR_OK;
}

static void rule_no_zip64(struct audit *a, const uint8_t *tail, size_t eocd)
{
    const struct eocd *r = &a->eocd;
    bool locator =
        eocd >= ZIP64_LOCATOR_LEN && le32(tail + eocd - ZIP64_LOCATOR_LEN) == SIG_ZIP64_LOCATOR;
    bool sentinel = r->disk == SENTINEL_16 || r->cd_disk == SENTINEL_16 ||
                    r->n_disk == SENTINEL_16 || r->n_total == SENTINEL_16 ||
                    r->cd_size == SENTINEL_32 || r->cd_offset == SENTINEL_32;
    if (!locator && !sentinel)
        return;
    a->stop = true;
    findings_add(&a->found, ZIP_RULE_NO_ZIP64, STR_NULL, a->eocd_at,
                 "invalid ZIP file: it has zip64 end records or values");
}

static void rule_counts(struct audit *a)
{
    const struct eocd *r = &a->eocd;
    if (r->disk || r->cd_disk)
        findings_add(&a->found, ZIP_RULE_COUNTS, STR_NULL, a->eocd_at,
                     "invalid ZIP file: it says to be part %u of several", r->disk);
    if (r->n_disk != r->n_total)
        findings_add(&a->found, ZIP_RULE_COUNTS, STR_NULL, a->eocd_at,
                     "invalid ZIP file: its two entry counts are %u and %u", r->n_disk, r->n_total);
    a->stop = r->n_total == 0 || r->n_total > a->limits->max_entries;
    if (r->n_total == 0)
        findings_add(&a->found, ZIP_RULE_COUNTS, STR_NULL, a->eocd_at, "ZIP file is empty");
    else if (a->stop)
        findings_add(&a->found, ZIP_RULE_COUNTS, STR_NULL, a->eocd_at,
                     "too many files in ZIP: %u (max: %u)", r->n_total, a->limits->max_entries);
}

static void rule_directory_extent(struct audit *a)
{
    uint64_t end = (uint64_t)a->eocd.cd_offset + a->eocd.cd_size;
    if (end == a->eocd_at)
        return;
    a->stop = true;
    findings_add(&a->found, ZIP_RULE_DIRECTORY_EXTENT, STR_NULL, a->eocd_at,
                 "invalid ZIP file: the central directory is said to end at %llu, the end record "
                 "is at %llu",
                 (unsigned long long)end, (unsigned long long)a->eocd_at);
}

static void stray_signature(struct audit *a, uint64_t at, const char *where)
{
    findings_add(&a->found, ZIP_RULE_NO_STRAY_SIGNATURE, STR_NULL, at,
                 "invalid ZIP file: a ZIP signature inside %s", where);
}

/* In the comment any signature; one of an end may also begin in the record's fields. */
static void rule_no_signature_in_end(struct audit *a, const uint8_t *eocd)
{
    size_t len = (size_t)EOCD_LEN + a->eocd.comment_len;
    size_t at = sig_find(eocd, len, 4, end_signatures, ARRAY_SIZE(end_signatures));
    size_t in_comment = sig_find(eocd, len, EOCD_LEN, all_signatures, ARRAY_SIZE(all_signatures));
    at = MIN(at, in_comment);
    if (at < len)
        stray_signature(a, a->eocd_at + at, "the end record or its comment");
}

/* The directory is read piece by piece; a signature may lie across two pieces. */
static enum err rule_no_signature_in_directory(struct audit *a, struct error *e)
{
    uint64_t at = a->eocd.cd_offset, end = a->eocd_at;
    while (end - at >= 4) {
        size_t n = (size_t)MIN(end - at, (uint64_t)a->win.cap);
        const uint8_t *p;
        TRY(window_view(&a->win, at, n, &p, e));
        size_t hit = sig_find(p, n, 0, end_signatures, ARRAY_SIZE(end_signatures));
        if (hit < n) {
            stray_signature(a, at + hit, "the central directory");
            return ERR_OK;
        }
        at += n - 3;
    }
    return ERR_OK;
}

/* Everything the tail of the file says. */
static enum err check_tail(struct audit *a, struct error *e)
{
    size_t len = (size_t)MIN(a->size, (uint64_t)TAIL_MAX);
    uint64_t tail_at = a->size - len;
    const uint8_t *tail;
    TRY(window_view(&a->win, tail_at, len, &tail, e));
    struct ends ends = find_ends(tail, len);
    rule_one_eocd(a, &ends, tail_at);
    if (a->stop)
        return ERR_OK;
    a->eocd_at = tail_at + ends.fitting;
    eocd_decode(tail + ends.fitting, &a->eocd);
    rule_no_signature_in_end(a, tail + ends.fitting);
    rule_no_zip64(a, tail, ends.fitting);
    return ERR_OK;
}

enum err container_check(struct audit *a, struct error *e)
{
    const uint8_t *head;
    rule_size(a);
    if (a->stop)
        return ERR_OK;
    TRY(window_view(&a->win, 0, EOCD_LEN, &head, e));
    rule_starts_with_lfh(a, head);
    TRY(rule_no_other_format(a, e));
    TRY(check_tail(a, e));
    if (!a->stop)
        rule_counts(a);
    if (!a->stop)
        rule_directory_extent(a);
    return a->stop ? ERR_OK : rule_no_signature_in_directory(a, e);
}
