/* The files of a directory that go into its archive, in the archive's order. */
#ifndef STIGMER_ZIP_TREE_H
#define STIGMER_ZIP_TREE_H

#include "zip/pack.h"
#include "zip/zip.h"

struct tree_file {
    str path; /* relative, '/' between components */
    uint64_t size;
    bool executable; /* by its owner */
    /* filled by the packer */
    uint32_t crc, csize;
    uint16_t method;
    uint32_t lfh_offset;
};

struct tree {
    struct arena arena;
    struct tree_file *files; /* owned; sorted by the bytes of path */
    size_t n_files;
    size_t cap;
    uint64_t total; /* sum of the sizes */
};

/* Reads the directory and applies exclusions; sorted. To be deinited also after an error.
 * INVALID_ARGUMENT: a symbolic link, a special file, too many files. */
enum err tree_read(int dirfd, const struct zip_pack_options *options, struct tree *ret,
                   struct error *e);
/* The rules that can be judged before anything is packed: names, counts, sizes, SKILL.md. */
enum err tree_check(struct tree *t, struct error *e);
void tree_deinit(struct tree *t);

#endif
