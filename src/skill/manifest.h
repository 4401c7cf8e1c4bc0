/* The manifest of an audited archive: the files it unpacks to. Private to src/skill. */
#ifndef STIGMER_SKILL_MANIFEST_H
#define STIGMER_SKILL_MANIFEST_H

#include "meta/meta.h"
#include "zip/zip.h"

struct manifest {
    struct meta_file *files; /* owned; in byte order of their paths, which are the report's */
    uint32_t n;
};
#define MANIFEST_INIT ((struct manifest){0})

/* report: accepted, made with ZIP_AUDIT_DIGESTS; it must outlive *ret. */
enum err manifest_of(const struct zip_report *report, struct manifest *ret, struct error *e);
/* Accepts MANIFEST_INIT. */
void manifest_deinit(struct manifest *m);

#endif
