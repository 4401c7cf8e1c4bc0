#include "zip/audit.h"

#include "zip/extra.h"

#include <sys/stat.h>

/* Bits 1 and 2 tell the compression level, 3 announces a descriptor, 11 says UTF-8. */
#define FLAGS_ALLOWED (1u << 1 | 1u << 2 | FLAG_DESCRIPTOR | FLAG_UTF8)

/* A finding about entry en whose message ends with what the arguments say. */
#define ENTRY_FINDING(rule, fmt, ...)                                                              \
    findings_add(&a->found, rule, entry_name(a, en), en->at, "invalid ZIP file: \"%s\" " fmt,      \
                 findings_show(&a->found, entry_name(a, en)) __VA_OPT__(, ) __VA_ARGS__)

/* --- the central header alone --- */

static void rule_method(struct audit *a, const struct entry *en)
{
    if (en->h.method != METHOD_STORE && en->h.method != METHOD_DEFLATE)
        ENTRY_FINDING(ZIP_RULE_METHOD, "uses compression method %u", en->h.method);
}

static void rule_flags(struct audit *a, const struct entry *en)
{
    if (en->h.flags & ~FLAGS_ALLOWED)
        ENTRY_FINDING(ZIP_RULE_FLAGS, "has flags 0x%04x%s", en->h.flags,
                      en->h.flags & FLAG_ENCRYPTED ? ": it is encrypted" : "");
}

static bool version_ok(uint16_t v)
{
    return (v & 0xff) <= 45 && (v >> 8 == 0 || v >> 8 == HOST_UNIX);
}

static void rule_version(struct audit *a, const struct entry *en)
{
    if (!version_ok(en->h.version_needed))
        ENTRY_FINDING(ZIP_RULE_VERSION, "needs version 0x%04x to extract", en->h.version_needed);
}

static void rule_no_zip64(struct audit *a, const struct entry *en)
{
    const struct cdh *h = &en->h;
    if (h->csize != SENTINEL_32 && h->usize != SENTINEL_32 && h->lfh_offset != SENTINEL_32 &&
        h->disk != SENTINEL_16)
        return;
    a->walkable = false;
    ENTRY_FINDING(ZIP_RULE_NO_ZIP64, "has zip64 sentinel values");
}

static void rule_counts(struct audit *a, const struct entry *en)
{
    if (en->h.disk && en->h.disk != SENTINEL_16)
        ENTRY_FINDING(ZIP_RULE_COUNTS, "is said to be on part %u", en->h.disk);
}

/* The data of an empty deflate entry is judged when it is inflated. */
static void rule_directory(struct audit *a, const struct entry *en)
{
    const struct cdh *h = &en->h;
    uint32_t csize = h->method == METHOD_DEFLATE ? 2 : 0;
    if (en->pub->directory && (h->usize || h->crc || (h->csize && h->csize != csize)))
        ENTRY_FINDING(ZIP_RULE_DIRECTORY,
                      "is a directory with data: %u bytes, %u compressed, CRC %08x", h->usize,
                      h->csize, h->crc);
}

static void rule_type_contradiction(struct audit *a, const struct entry *en)
{
    uint32_t attr = en->h.external_attr, type = attr >> 16 & S_IFMT;
    bool directory = en->pub->directory;
    if (attr & DOS_VOLUME)
        ENTRY_FINDING(ZIP_RULE_TYPE_CONTRADICTION, "is a volume label");
    else if (!directory && (attr & DOS_DIRECTORY || type == S_IFDIR))
        ENTRY_FINDING(ZIP_RULE_TYPE_CONTRADICTION,
                      "is a file by its name and a directory by its attributes 0x%08x", attr);
    else if (directory && type == S_IFREG)
        ENTRY_FINDING(ZIP_RULE_TYPE_CONTRADICTION,
                      "is a directory by its name and a file by its attributes 0x%08x", attr);
}

static void rule_special_file(struct audit *a, const struct entry *en)
{
    uint32_t type = en->h.external_attr >> 16 & S_IFMT;
    bool reparse = en->h.external_attr & DOS_REPARSE_POINT;
    if (reparse || (type && type != S_IFREG && type != S_IFDIR))
        ENTRY_FINDING(ZIP_RULE_SPECIAL_FILE, "is %s, not a regular file",
                      reparse           ? "a reparse point of Windows"
                      : type == S_IFLNK ? "a symbolic link"
                                        : "a special file");
}

static void rule_setid(struct audit *a, const struct entry *en)
{
    uint32_t mode = en->h.external_attr >> 16;
    if (!en->pub->directory && mode & (S_ISUID | S_ISGID | S_ISVTX))
        ENTRY_FINDING(ZIP_RULE_SETID, "has mode %04o", mode & 07777);
}

typedef void central_rule_fn(struct audit *a, const struct entry *en);
static central_rule_fn *const central_rules[] = {
    rule_no_zip64,
    rule_counts,
    rule_method,
    rule_flags,
    rule_version,
    rule_directory,
    rule_type_contradiction,
    rule_special_file,
    rule_setid,
};

void entry_check_central(struct audit *a, const struct entry *en, str name, str extra)
{
    struct extra_place at = {
        .entry = str_head(name, en->pub->name_len), .name = name, .offset = en->at, .h = &en->h};
    for (size_t i = 0; i < ARRAY_SIZE(central_rules); i++)
        central_rules[i](a, en);
    extra_check(&a->found, &at, extra);
}

/* --- the pair of headers --- */

static void rule_pair_method(struct audit *a, const struct entry *en, const struct local *l)
{
    if (l->h.method != en->h.method)
        ENTRY_FINDING(ZIP_RULE_METHOD, "has method %u in one header, %u in the other", en->h.method,
                      l->h.method);
}

static void rule_pair_flags(struct audit *a, const struct entry *en, const struct local *l)
{
    if (l->h.flags != en->h.flags)
        ENTRY_FINDING(ZIP_RULE_FLAGS, "has flags 0x%04x in one header, 0x%04x in the other",
                      en->h.flags, l->h.flags);
}

static void rule_local_version(struct audit *a, const struct entry *en, const struct local *l)
{
    if (!version_ok(l->h.version_needed))
        ENTRY_FINDING(ZIP_RULE_VERSION, "needs version 0x%04x to extract", l->h.version_needed);
}

static void rule_lfh_name(struct audit *a, const struct entry *en, const struct local *l)
{
    str central = entry_name(a, en);
    if (l->name.len != en->h.name_len || !str_eq(str_head(l->name, central.len), central))
        ENTRY_FINDING(ZIP_RULE_LFH_NAME, "is named \"%s\" in its local header",
                      findings_show(&a->found, l->name));
}

static bool same_or_left_out(const struct entry *en, uint64_t local, uint64_t central)
{
    return local == central || (local == 0 && en->h.flags & FLAG_DESCRIPTOR);
}

static void lfh_field(struct audit *a, const struct entry *en, const char *what, uint32_t central,
                      uint32_t local)
{
    ENTRY_FINDING(ZIP_RULE_LFH_FIELDS, "has %s 0x%x in the directory, 0x%x in its local header",
                  what, central, local);
}

/* A sentinel stands for the zip64 field's value, which lfh-zip64 compares. */
static bool same_size(const struct entry *en, const struct local *l, uint32_t local,
                      uint32_t central)
{
    return (l->zip64 && local == SENTINEL_32) || same_or_left_out(en, local, central);
}

static void rule_lfh_fields(struct audit *a, const struct entry *en, const struct local *l)
{
    if (!same_or_left_out(en, l->h.crc, en->h.crc))
        lfh_field(a, en, "CRC", en->h.crc, l->h.crc);
    if (!same_size(en, l, l->h.csize, en->h.csize))
        lfh_field(a, en, "compressed size", en->h.csize, l->h.csize);
    if (!same_size(en, l, l->h.usize, en->h.usize))
        lfh_field(a, en, "size", en->h.usize, l->h.usize);
    if (l->h.date != en->h.date)
        lfh_field(a, en, "date", en->h.date, l->h.date);
    if (l->h.time != en->h.time)
        lfh_field(a, en, "time", en->h.time, l->h.time);
}

static void rule_lfh_zip64(struct audit *a, const struct entry *en, const struct local *l)
{
    str x;
    if (!extra_find(l->extra, EXTRA_ZIP64, &x))
        return;
    if (x.len != 16) {
        ENTRY_FINDING(ZIP_RULE_LFH_ZIP64, "has a local zip64 field of %zu bytes", x.len);
        return;
    }
    uint64_t usize = le64((const uint8_t *)x.p), csize = le64((const uint8_t *)x.p + 8);
    if (!same_or_left_out(en, usize, en->h.usize) || !same_or_left_out(en, csize, en->h.csize))
        ENTRY_FINDING(ZIP_RULE_LFH_ZIP64, "has sizes %llu and %llu in its local zip64 field",
                      (unsigned long long)usize, (unsigned long long)csize);
    if ((l->h.csize == SENTINEL_32) != (l->h.usize == SENTINEL_32))
        ENTRY_FINDING(ZIP_RULE_LFH_ZIP64, "has one zip64 sentinel of two in its local header");
}

typedef void pair_rule_fn(struct audit *a, const struct entry *en, const struct local *l);
static pair_rule_fn *const pair_rules[] = {
    rule_pair_method, rule_pair_flags, rule_local_version,
    rule_lfh_name,    rule_lfh_fields, rule_lfh_zip64,
};

void entry_check_local(struct audit *a, const struct entry *en, const struct local *l)
{
    struct extra_place at = {
        .entry = entry_name(a, en), .name = l->name, .offset = l->at, .local = true, .h = &en->h};
    for (size_t i = 0; i < ARRAY_SIZE(pair_rules); i++)
        pair_rules[i](a, en, l);
    extra_check(&a->found, &at, l->extra);
}
