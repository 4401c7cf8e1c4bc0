/* The audit of arbitrary bytes. Whatever it says must hold together; what it accepts is checked by
 * a second, much simpler reader that shares no code with it. */
#include "fuzz.h"

#include "zip/zip.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

static const struct zip_limits limits = {
    .max_size = 1 << 20,
    .max_uncompressed = 4 << 20,
    .max_entries = 200,
    .max_ratio = 100,
    .max_skill_md = 1 << 16,
    .max_findings = 20,
    .max_blocks = 1000,
};

static const struct zip_audit_options archive_only = {
    .flags = ZIP_AUDIT_ARCHIVE_ONLY | ZIP_AUDIT_DIGESTS, .limits = &limits};

static int archive_fd(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
    return fd;
}

static uint32_t le(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;
    while (n--)
        v = v << 8 | p[n];
    return v;
}

/* By one call of zlib over the whole entry. */
static void check_content(const uint8_t *data, const struct zip_entry *z)
{
    uint8_t *out = malloc(z->usize + 1);
    z_stream zs = {.next_in = (Bytef *)(uintptr_t)(data + z->data_offset),
                   .avail_in = (uInt)z->csize,
                   .next_out = out,
                   .avail_out = (uInt)z->usize + 1};
    FUZZ_CHECK(out);
    if (z->method == 0) {
        FUZZ_CHECK(z->csize == z->usize);
        memcpy(out, data + z->data_offset, z->usize);
    } else {
        FUZZ_CHECK(inflateInit2(&zs, -15) == Z_OK);
        FUZZ_CHECK(inflate(&zs, Z_FINISH) == Z_STREAM_END);
        FUZZ_CHECK(zs.avail_in == 0 && zs.total_out == z->usize);
        (void)inflateEnd(&zs);
    }
    FUZZ_CHECK(crc32(0, out, (uInt)z->usize) == z->crc);
    free(out);
}

/* The entry whose record begins there; there must be exactly one. */
static const struct zip_entry *entry_at(const struct zip_report *r, uint64_t at)
{
    const struct zip_entry *found = NULL;
    for (size_t i = 0; i < r->n_entries; i++)
        if (r->entries[i].lfh_offset == at) {
            FUZZ_CHECK(!found);
            found = &r->entries[i];
        }
    return found;
}

static bool has_zip64(const uint8_t *extra, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i += 4 + le(extra + i + 2, 2))
        if (le(extra + i, 2) == 1)
            return true;
    return false;
}

/* Reads forwards: local headers, data and descriptors must fill the file up to the directory. */
static void check_tiles(const uint8_t *data, size_t size, const struct zip_report *r)
{
    size_t comment = 0, n = 0;
    uint64_t at = 0;
    while (le(data + size - 22 - comment, 4) != 0x06054b50)
        comment++;
    uint64_t directory = le(data + size - 22 - comment + 16, 4);
    for (; at < directory; n++) {
        const struct zip_entry *z = entry_at(r, at);
        FUZZ_CHECK(z && le(data + at, 4) == 0x04034b50);
        uint32_t name = le(data + at + 26, 2), extra = le(data + at + 28, 2);
        bool wide = has_zip64(data + at + 30 + name, extra);
        FUZZ_CHECK(z->data_offset == at + 30 + name + extra);
        FUZZ_CHECK(z->name_len == name && memcmp(data + at + 30, data + z->name_at, name) == 0);
        check_content(data, z);
        at = z->data_offset + z->csize + (data[z->lfh_offset + 6] & 8 ? wide ? 24 : 16 : 0);
    }
    FUZZ_CHECK(at == directory && n == r->n_entries);
}

static void check_report(const uint8_t *data, size_t size, struct zip_report *r)
{
    bool accepted = zip_report_accepted(r);
    size_t n_rules;
    (void)zip_rules(&n_rules); /* the first finding of each is kept, however many there are */
    FUZZ_CHECK(r->n_findings <= limits.max_findings + n_rules);
    FUZZ_CHECK(accepted == (zip_report_reason(r) == NULL));
    FUZZ_CHECK(r->n_entries <= limits.max_entries);
    FUZZ_CHECK(r->uncompressed <= limits.max_uncompressed + 1);
    for (size_t i = 0; i < r->n_findings; i++)
        FUZZ_CHECK(r->findings[i].message[0] && r->findings[i].rule->id[0]);
    if (accepted)
        check_tiles(data, size, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zip_report r;
    struct error e;
    int fd = archive_fd(data, size);
    FUZZ_CHECK(zip_audit(fd, size, &(struct zip_audit_options){.limits = &limits}, &r, &e) ==
               ERR_OK);
    check_report(data, size, &r);
    zip_report_deinit(&r);
    FUZZ_CHECK(zip_audit(fd, size, &archive_only, &r, &e) == ERR_OK);
    check_report(data, size, &r);
    zip_report_deinit(&r);
    return 0;
}
