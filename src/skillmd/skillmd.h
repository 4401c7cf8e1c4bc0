/*
 * What the text of a SKILL.md must be (docs/SKILL_MD.md).
 *
 * Model: skillmd_check looks at a text once and answers with a report: the front matter as far as
 * it can be read, and findings, each under one of a few rules with a stable id. A finding refuses
 * the text or is a warning, which only a caller that is strict takes as an error. Findings are
 * results, not errors.
 * Ownership: everything in a report lives in the caller's arena or is static; the text is not
 * needed any more. At most 256 KiB of the arena are used.
 * Threads: no state; any number of checks at once.
 * Time: linear in the text; a text of 1 MiB takes some milliseconds, whatever is in it.
 */
#ifndef STIGMER_SKILLMD_SKILLMD_H
#define STIGMER_SKILLMD_SKILLMD_H

#include "base/arena.h"
#include "base/err.h"
#include "skillmd/frontmatter.h"

enum {
    SKILLMD_MAX = 1 << 20,      /* bytes of the text */
    SKILLMD_FINDINGS_MAX = 100, /* kept in a report; more are counted */
};

struct skillmd_rule {
    const char *id;     /* "skill-md-bidi" */
    const char *title;  /* what must hold */
    const char *stops;  /* what it stops */
    const char *advice; /* what to do about it */
};

struct skillmd_finding {
    const struct skillmd_rule *rule; /* static */
    bool refuses;                    /* false: a warning */
    uint64_t offset;                 /* byte in the text */
    uint32_t line, column; /* from 1, column in characters (code points; a byte order mark at the
                            * start is none); 0, 0 when it is about the text as a whole */
    const char *message;   /* one sentence in printable ASCII; what is foreign in it is escaped */
};

struct skillmd_report {
    struct frontmatter front;
    const struct skillmd_finding *findings; /* in order of offset */
    size_t n_findings;
    size_t n_dropped; /* only counted; a finding that refuses is never dropped for a warning */
    bool refused;     /* some finding refuses */
};

/* In: text, any bytes. Out: *ret.
 * Errors: RESOURCE_EXHAUSTED (memory) only. */
enum err skillmd_check(str text, struct arena *a, struct skillmd_report *ret, struct error *e);

/* Why it is refused: "<message> [<rule id>] at line 3, column 5", and with more findings that
 * refuse " (and N more)". Borrowed from the arena; NULL when it is not refused or memory is out. */
const char *skillmd_reason(const struct skillmd_report *r, struct arena *a);

/* The table of all rules; *ret_n their number. Static storage. */
const struct skillmd_rule *skillmd_rules(size_t *ret_n);

#endif
