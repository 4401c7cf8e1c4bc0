/*
 * Collecting findings, in bounded memory. Private to src/skillmd.
 *
 * The first SKILLMD_FINDINGS_MAX of each kind are kept, warnings and findings that refuse; the
 * report then takes those that refuse and as many warnings as fit.
 */
#ifndef STIGMER_SKILLMD_COLLECT_H
#define STIGMER_SKILLMD_COLLECT_H

#include "skillmd/cursor.h"
#include "skillmd/rules.h"

struct collect {
    struct arena *arena;              /* borrowed; NULL: only count */
    struct skillmd_finding *lists[2]; /* warnings, refusals: SKILLMD_FINDINGS_MAX each, or NULL */
    size_t n[2];
    size_t n_all;
    bool refused;
    bool no_memory; /* sticky; others may set it, too */
};

void collect_init(struct collect *c, struct arena *a);
/* A finding without a message yet; at NULL: about the text as a whole. NULL when it was only
 * counted: then nobody needs its message. */
struct skillmd_finding *collect_add(struct collect *c, enum skillmd_rule_id rule, bool refuses,
                                    const struct place *at);
/* Its message, in printable ASCII, cut at SKILLMD_MESSAGE_MAX bytes. f may be NULL. */
enum { SKILLMD_MESSAGE_MAX = 400 };
void collect_say(struct collect *c, struct skillmd_finding *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The findings of *ret. RESOURCE_EXHAUSTED when memory is or was out. */
enum err collect_finish(struct collect *c, struct skillmd_report *ret, struct error *e);

#endif
