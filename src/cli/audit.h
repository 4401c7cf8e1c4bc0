/*
 * The audit of one archive or one skill's directory, offline: the rules of the server for archives
 * and for the text of SKILL.md, by its code.
 *
 * Model: an `audited` is the verdict on one of them. What refuses is a finding; what deserves a
 * word and refuses nothing is a warning, which becomes a finding under --strict. An error means
 * that there is no verdict. Ownership: the `audited` owns all it points at.
 */
#ifndef STIGMER_CLI_AUDIT_H
#define STIGMER_CLI_AUDIT_H

#include "cli/cli.h"
#include "digest/sha256.h"
#include "zip/zip.h"

/* The rule that a directory breaks when it cannot be packed. */
#define AUDIT_RULE_PACK "pack"

struct audit_item {
    const char *rule, *message, *advice;
    str entry;       /* raw name bytes; empty for the container */
    uint64_t offset; /* in the archive, or in the text */
    bool in_text;    /* about the text of SKILL.md: */
    uint32_t line, column;
};

struct audit_items {
    struct audit_item *v; /* owned */
    size_t n, cap;
};

struct audited {
    struct arena arena;
    struct audit_items findings, warnings;
    size_t n_dropped; /* findings that were only counted */
    bool archive;     /* there is one, and so a hash; else its directory could not be packed */
    char sha256[SHA256_HEX_LEN + 1];
    struct zip_report report;
};

struct audit_options {
    bool archive_only, strict;
};

/* In: fd, a regular file of size bytes. *ret: released with audited_deinit, also after an error. */
enum err audit_archive(const struct audit_options *o, int fd, uint64_t size, struct audited *ret,
                       struct error *e);
/* Packs the directory as `stigmer skill push` does and audits what that gives. */
enum err audit_skill(const struct audit_options *o, int dirfd, struct audited *ret,
                     struct error *e);
void audited_deinit(struct audited *a);

static inline bool audited_accepted(const struct audited *a)
{
    return a->findings.n == 0;
}

/* --- audit_print.c --- */

/* A block of text, or with --json a line. path: as the user gave it. */
enum err audit_print(const struct cli *c, const char *path, const struct audited *a,
                     struct error *e);
/* A line on stderr, and with --json one on stdout, too. */
enum err audit_print_unreadable(const struct cli *c, const char *path, const struct error *why,
                                struct error *e);

/* --- audit_find.c --- */

/* An archive that was found, or a directory that could not be read. */
struct audit_found {
    const char *path;
    const struct error *problem; /* NULL for an archive */
};

struct audit_founds {
    struct arena arena;
    struct audit_found *v; /* owned; sorted by the bytes of path */
    size_t n, cap;
};

/* Every regular file *.zip below the directory path, which dirfd is open on. Symbolic links are not
 * followed. *ret: released with audit_founds_deinit, also after an error. */
enum err audit_find(const char *path, int dirfd, struct audit_founds *ret, struct error *e);
void audit_founds_deinit(struct audit_founds *f);

#endif
