/*
 * The rules about names: each by itself, and all of one archive together. The packer asks the same
 * code, so that it never makes what the audit refuses.
 */
#ifndef STIGMER_ZIP_NAMES_H
#define STIGMER_ZIP_NAMES_H

#include "zip/report.h"

enum {
    NAME_PATH_MAX = 1024,     /* bytes */
    NAME_COMPONENT_MAX = 255, /* bytes */
    NAME_DEPTH_MAX = 32,      /* components */
    /* What is looked at of a longer one: enough to be refused and shown. */
    NAME_KEPT = NAME_PATH_MAX + 1,
};

struct name_ref {
    str name;        /* raw; a directory's ends in '/' */
    uint64_t offset; /* for findings */
    bool utf8_flag;  /* flag bit 11 */
    uint8_t host;    /* that made it: APPNOTE 4.4.2 */
};

/* The names of one archive. get gives the i-th of the n; what it gave before may end with that. */
struct name_source {
    enum err (*get)(void *ctx, size_t i, struct name_ref *ret, struct error *e);
    void *ctx;
    size_t n;
};

/* Errors: those of get, and RESOURCE_EXHAUSTED. Memory: 144 bytes a name at most, and 200 KiB. */
enum err names_check(struct findings *f, const struct name_source *s, struct error *e);

struct unicode;
/* Together: name-unique, name-encoding's second half and name-prefix. */
enum err names_check_together(struct findings *f, const struct name_source *s, struct unicode *u,
                              struct error *e);

static inline bool name_is_directory(str name)
{
    return str_ends_with(name, STR("/"));
}

/* Without the slash that marks a directory. */
static inline str name_path(str name)
{
    return name_is_directory(name) ? str_head(name, name.len - 1) : name;
}

#endif
