/*
 * The archive audit: is this ZIP one that every reader sees the same way?
 *
 * Model: zip_audit reads an archive through a read-only descriptor with pread, in bounded memory,
 * and fills a report. The rules are those of the canonical profile (docs/ZIP_PROFILE.md), each
 * with a stable id. Nothing is ever sanitised or dropped: a finding refuses the archive.
 * Findings are results, not errors: an error from zip_audit means "could not audit".
 * Ownership: the report owns all it points at; zip_report_deinit releases it.
 * Threads: no state outside the report; any number of audits at once.
 */
#ifndef STIGMER_ZIP_ZIP_H
#define STIGMER_ZIP_ZIP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/pool.h"
#include "digest/sha256.h"

/* Limits of the profile. A test may lower them; nothing raises them. */
struct zip_limits {
    uint64_t max_size;         /* archive bytes: 104,857,600 */
    uint64_t max_uncompressed; /* measured bytes of all entries: 524,288,000 */
    uint32_t max_entries;      /* 10,000 */
    uint32_t max_ratio;        /* measured usize / csize: 100 */
    uint32_t max_skill_md;     /* measured bytes: 1,048,576 */
    uint32_t max_findings;     /* findings kept in a report (more are counted, but for the first
                                * of each further rule): 100 */
    uint32_t max_blocks;       /* deflate blocks beyond one per 8 KiB of content: 16,384 */
};
extern const struct zip_limits zip_limits_default;

struct zip_rule {
    const char *id;     /* "lfh-name" */
    const char *title;  /* what must hold */
    const char *stops;  /* what it stops */
    const char *advice; /* what to do about it */
};

struct zip_finding {
    const struct zip_rule *rule; /* static */
    str entry;                   /* raw name bytes, perhaps cut, or empty for the container */
    uint64_t offset;             /* where in the file */
    const char *message; /* one sentence, the text clients look for included; safe to show */
};

/* Kept small, since there may be many: offsets and sizes fit, as zip64 is refused. */
struct zip_entry {
    uint64_t name_hash;  /* tells whether it is still the name that was audited */
    uint32_t name_at;    /* in the archive, which holds the names: see zip_names_get */
    uint32_t lfh_offset; /* of its local header */
    uint32_t data_offset;
    uint32_t csize, usize; /* as measured */
    uint32_t crc;
    uint16_t name_len; /* at most NAME_PATH_MAX + 1: a longer one, which is refused, is cut */
    uint16_t method;   /* 0 or 8 */
    uint16_t mode;     /* when unpacked (API.md section 7): 0755 or 0644, once it is measured */
    bool directory;
    bool left_out;        /* not unpacked (unpack.h), and in no list of the archive's files */
    struct digest sha256; /* of its content; only with ZIP_AUDIT_DIGESTS */
};

struct zip_report {
    struct arena arena;
    const struct zip_finding *findings; /* in the order found; n_findings 0 = accepted */
    size_t n_findings;
    size_t n_findings_dropped;       /* beyond max_findings */
    const struct zip_entry *entries; /* in central directory order */
    size_t n_entries;
    uint64_t uncompressed; /* measured total */
    struct buf skill_md;   /* the root SKILL.md's bytes when it was readable */
};

enum zip_audit_flags {
    ZIP_AUDIT_ARCHIVE_ONLY = 1, /* leave out what concerns SKILL.md */
    ZIP_AUDIT_DIGESTS = 2,      /* hash the content of every file */
};

struct zip_audit_options {
    unsigned flags;                  /* of zip_audit_flags */
    const struct zip_limits *limits; /* NULL: zip_limits_default */
    struct pool *workers;            /* NULL: all on the calling thread */
};

/* In: fd, readable and seekable, size bytes long, not changing meanwhile. o: NULL = no flags, the
 * default limits, one thread.
 * Out: *ret, to be released with zip_report_deinit also after an error.
 * Returns: ERR_OK when the audit ran (accepted or not); INTERNAL, DATA_LOSS (short file) or
 * RESOURCE_EXHAUSTED (memory) when it could not. Memory: at most 8 MiB on one thread, whatever the
 * archive; the report keeps at most 3 of them. */
enum err zip_audit(int fd, uint64_t size, const struct zip_audit_options *o, struct zip_report *ret,
                   struct error *e);
void zip_report_deinit(struct zip_report *r);

static inline bool zip_report_accepted(const struct zip_report *r)
{
    return r->n_findings == 0;
}

/* The first finding as "<message> [<rule id>]", e.g. "ZIP file is empty [counts]"; with more
 * findings " (and N more)". Borrowed from the report; NULL when accepted or memory is out. */
const char *zip_report_reason(struct zip_report *r);

/* The names of an audited archive's entries, read from it one at a time: 10,000 of them may have
 * 10 MiB. One thread at a time. */
struct zip_names;
/* fd, size: as in the audit; fd is borrowed. */
enum err zip_names_open(int fd, uint64_t size, struct zip_names **ret, struct error *e);
/* Raw bytes; valid UTF-8 in an accepted archive. The view ends when another entry is asked for.
 * DATA_LOSS: it is not the name that was audited. */
enum err zip_names_get(struct zip_names *n, const struct zip_entry *z, str *ret, struct error *e);
/* Sorts n numbers of entries by the bytes of their names, in memory for some hundred of them. */
enum err zip_names_sort(struct zip_names *names, const struct zip_entry *entries, uint32_t *order,
                        size_t n, struct error *e);
/* NULL is fine. */
void zip_names_close(struct zip_names *n);
DEFINE_CLEANUP(struct zip_names *, zip_names_close);

/* The table of all rules; *ret_n their number. Static storage. */
const struct zip_rule *zip_rules(size_t *ret_n);

#endif
