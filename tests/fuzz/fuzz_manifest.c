/*
 * Manifests of cached skills: whatever the lines, what is taken has relative paths in order, each
 * findable. Input: the lines between head and checksum, which are put around it, so that what is
 * tried is the parser and not SHA-256; and once as it is.
 */
#include "fuzz.h"

#include "agent/manifest.h"
#include "base/macro.h"

static void check_entries(const struct manifest *m)
{
    uint64_t size = 0;
    for (size_t i = 0; i < m->n_entries; i++) {
        const struct manifest_entry *f = &m->entries[i];
        FUZZ_CHECK(f->path.len > 0 && f->directory == str_ends_with(f->path, STR("/")));
        FUZZ_CHECK(f->mode == 0755 || (f->mode == 0644 && !f->directory));
        FUZZ_CHECK(i == 0 || str_cmp(m->entries[i - 1].path, f->path) < 0);
        FUZZ_CHECK(manifest_search(m, f->path) == i);
        size += f->size;
    }
    FUZZ_CHECK(size == m->size);
}

static void try(struct buf *text)
{
    CLEANUP(manifest_deinit) struct manifest m = {0};
    struct error e;
    if (manifest_read(text, &m, &e) == ERR_OK)
        check_entries(&m);
    buf_deinit(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text;
    struct digest sum;
    struct error e;
    char hex[SHA256_HEX_LEN + 1];
    buf_init(&text, MANIFEST_MAX);
    buf_add(&text, str_of(data, size));
    try(&text);
    buf_init(&text, MANIFEST_MAX);
    buf_addf(&text, "stigmer-manifest 1\n");
    buf_add(&text, str_of(data, size));
    FUZZ_CHECK(sha256_of(buf_view(&text), &sum, &e) == ERR_OK);
    digest_to_hex(&sum, hex);
    buf_addf(&text, "sha256 %s\n", hex);
    try(&text);
    return 0;
}
