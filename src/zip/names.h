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
};

struct name_ref {
    str name;        /* raw; a directory's ends in '/' */
    uint64_t offset; /* for findings */
    bool utf8_flag;  /* flag bit 11 */
    uint8_t host;    /* that made it: APPNOTE 4.4.2 */
};

enum err names_check(struct findings *f, const struct name_ref *refs, size_t n, struct error *e);

struct unicode;
/* Together: name-unique, name-encoding's second half and name-prefix. */
enum err names_check_together(struct findings *f, const struct name_ref *refs, size_t n,
                              struct unicode *u, struct error *e);

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
