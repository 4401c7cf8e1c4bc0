/* The manifest of an audited archive: the files it unpacks to. Private to src/skill. */
#ifndef STIGMER_SKILL_MANIFEST_H
#define STIGMER_SKILL_MANIFEST_H

#include "meta/meta.h"
#include "zip/zip.h"

struct manifest {
    const struct zip_report *report; /* borrowed */
    struct zip_names *names;         /* owned; reads the borrowed descriptor */
    uint32_t *files; /* owned: entries of the report, in byte order of their paths */
    uint32_t n;
};
#define MANIFEST_INIT ((struct manifest){0})

/* report: accepted, made with ZIP_AUDIT_DIGESTS of fd, which has size bytes. Both must outlive
 * *ret, since paths are read from the archive when they are wanted: so a manifest takes 4 bytes a
 * file. */
enum err manifest_of(const struct zip_report *report, int fd, uint64_t size, struct manifest *ret,
                     struct error *e);
/* meta_files_put. */
enum err manifest_put(struct meta_txn *t, const struct digest *archive, struct manifest *m,
                      struct error *e);
/* Accepts MANIFEST_INIT. */
void manifest_deinit(struct manifest *m);

#endif
