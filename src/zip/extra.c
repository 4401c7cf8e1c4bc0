#include "zip/extra.h"

#include "base/macro.h"
#include "zip/record.h"

#include <zlib.h>

/* Fields that carry times, owners or padding: nothing that changes what is extracted. */
struct allowed {
    uint16_t id;
    uint16_t min_len, max_len;
};

static const struct allowed allowed[] = {
    {EXTRA_ZIP64, 0, UINT16_MAX}, /* judged by lfh-zip64 and no-zip64 */
    {0x000a, 0, UINT16_MAX},      /* NTFS times */
    {0x000d, 0, 12},              /* PKWARE Unix: times and owner; more would be a link target */
    {0x5455, 1, UINT16_MAX},      /* Info-ZIP times; libarchive fails without the byte of flags */
    {0x5855, 0, UINT16_MAX},      /* Info-ZIP Unix, original */
    {0x7855, 0, UINT16_MAX},      /* Info-ZIP Unix, second */
    {0x7875, 0, UINT16_MAX},      /* Info-ZIP Unix, third: owner */
    {EXTRA_UNICODE_PATH, 0, UINT16_MAX},
    {0x6375, 5, UINT16_MAX}, /* Info-ZIP Unicode comment; jszip fails without its version and CRC */
    {0xcafe, 0, UINT16_MAX}, /* Java: this is a jar */
    {0xa11e, 0, UINT16_MAX}, /* padding that aligns data */
    {0xd935, 0, UINT16_MAX}, /* Android: the same */
    {EXTRA_ATTRIBUTES, 0, UINT16_MAX},
};

bool extra_next(str *rest, struct extra *ret)
{
    const uint8_t *p = (const uint8_t *)rest->p;
    if (rest->len < 4 || rest->len - 4 < le16(p + 2))
        return false;
    *ret = (struct extra){.id = le16(p), .data = str_of(p + 4, le16(p + 2))};
    *rest = str_skip(*rest, 4 + ret->data.len);
    return true;
}

bool extra_find(str extras, uint16_t id, str *ret_data)
{
    struct extra x;
    while (extra_next(&extras, &x))
        if (x.id == id) {
            *ret_data = x.data;
            return true;
        }
    return false;
}

static const char *place_name(const struct extra_place *at)
{
    return at->local ? "local" : "central";
}

static const struct allowed *find_allowed(const struct extra *x)
{
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        if (allowed[i].id == x->id && x->data.len >= allowed[i].min_len &&
            x->data.len <= allowed[i].max_len)
            return &allowed[i];
    return NULL;
}

/* Info-ZIP's field: version, CRC of the header's name, a name (APPNOTE 4.6.9). */
static bool repeats_name(str data, str name)
{
    const uint8_t *p = (const uint8_t *)data.p;
    if (data.len < 5 || p[0] != 1)
        return false;
    return le32(p + 1) == crc32_z(0, (const Bytef *)name.p, name.len) &&
           str_eq(str_skip(data, 5), name);
}

/* Debian's unzip takes an archive for a bomb when it has such a field in an entry without the UTF-8
 * flag, and data descriptors: it confuses the field with zip64's. */
static void rule_unicode_path(struct findings *f, const struct extra_place *at,
                              const struct extra *x)
{
    if (x->id != EXTRA_UNICODE_PATH)
        return;
    if (!(at->h->flags & FLAG_UTF8))
        findings_add(f, ZIP_RULE_UNICODE_PATH, at->entry, at->offset,
                     "invalid ZIP file: the %s header of \"%s\" has a Unicode path field, but its "
                     "flags do not say that the name is UTF-8",
                     place_name(at), findings_show(f, at->entry));
    else if (!repeats_name(x->data, at->name))
        findings_add(f, ZIP_RULE_UNICODE_PATH, at->entry, at->offset,
                     "invalid ZIP file: a Unicode path field of the %s header gives \"%s\" another "
                     "name, \"%s\"",
                     place_name(at), findings_show(f, at->entry),
                     findings_show(f, x->data.len > 5 ? str_skip(x->data, 5) : STR("")));
}

/* libarchive's field: a bitmap of what follows, in bytes of seven bits and one that says whether
 * another comes; then version made by, internal and external attributes. bsdtar believes the last
 * more than the directory. */
static bool repeats_attributes(str data, const struct cdh *h)
{
    const uint8_t *p = (const uint8_t *)data.p;
    size_t at = 1;
    if (data.len == 0 || !(p[0] & 4))
        return true;
    while (at < data.len && p[at - 1] & 0x80)
        at++;
    at += (p[0] & 1 ? 2u : 0u) + (p[0] & 2 ? 2u : 0u);
    return data.len < at + 4 || le32(p + at) == h->external_attr;
}

static void rule_attributes(struct findings *f, const struct extra_place *at, const struct extra *x)
{
    if (x->id == EXTRA_ATTRIBUTES && !repeats_attributes(x->data, at->h))
        findings_add(
            f, ZIP_RULE_EXTRA_ALLOWED, at->entry, at->offset,
            "invalid ZIP file: extra field 0x%04x in the %s header of \"%s\" gives it other "
            "attributes than the directory does",
            x->id, place_name(at), findings_show(f, at->entry));
}

static void rule_no_zip64(struct findings *f, const struct extra_place *at, const struct extra *x)
{
    if (x->id == EXTRA_ZIP64 && !at->local)
        findings_add(f, ZIP_RULE_NO_ZIP64, at->entry, at->offset,
                     "invalid ZIP file: the central header of \"%s\" has a zip64 field",
                     findings_show(f, at->entry));
}

/* Returns the row, or NULL with a finding. */
static const struct allowed *rule_extra_allowed(struct findings *f, const struct extra_place *at,
                                                const struct extra *x)
{
    const struct allowed *row = find_allowed(x);
    if (!row)
        findings_add(f, ZIP_RULE_EXTRA_ALLOWED, at->entry, at->offset,
                     "invalid ZIP file: extra field 0x%04x of %zu bytes in the %s header of \"%s\" "
                     "is not allowed",
                     x->id, x->data.len, place_name(at), findings_show(f, at->entry));
    return row;
}

static void extra_form(struct findings *f, const struct extra_place *at, const char *what)
{
    findings_add(f, ZIP_RULE_EXTRA_FORM, at->entry, at->offset,
                 "invalid ZIP file: the extra fields in the %s header of \"%s\" %s", place_name(at),
                 findings_show(f, at->entry), what);
}

/* Stops at the first field that is not allowed: with few ids, finding a repeated one stays cheap.
 */
void extra_check(struct findings *f, const struct extra_place *at, str extras)
{
    uint32_t seen = 0;
    struct extra x;
    while (extra_next(&extras, &x)) {
        const struct allowed *row = rule_extra_allowed(f, at, &x);
        if (!row)
            return;
        uint32_t bit = 1u << (row - allowed);
        if (seen & bit) {
            extra_form(f, at, "repeat an id");
            return;
        }
        seen |= bit;
        rule_unicode_path(f, at, &x);
        rule_attributes(f, at, &x);
        rule_no_zip64(f, at, &x);
    }
    if (extras.len)
        extra_form(f, at, "do not end with a whole field");
}
