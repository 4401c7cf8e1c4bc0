/* Collecting findings for a report, in bounded memory. */
#ifndef STIGMER_ZIP_REPORT_H
#define STIGMER_ZIP_REPORT_H

#include "zip/rules.h"

#define FINDINGS_SHOWN_MAX 644 /* an escaped name of 160 bytes, "..." and a NUL */

struct findings {
    struct arena *arena; /* borrowed: holds items, names and messages */
    struct zip_finding *items;
    size_t n, max;
    size_t n_dropped;
    uint64_t rules; /* 1 << id of those that have a finding */
    bool nomem;     /* sticky: some finding could not be kept */
    char shown[2][FINDINGS_SHOWN_MAX];
    unsigned n_shown;
};

void findings_init(struct findings *f, struct arena *arena, size_t max);
/* Keeps a finding, with a copy of entry; beyond the maximum it is counted, unless it is its rule's
 * first. */
void findings_add(struct findings *f, enum zip_rule_id rule, str entry, uint64_t offset,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6), cold));
/* A copy of name as a message may show it: escaped, long ones cut. The call after the next
 * overwrites it. */
const char *findings_show(struct findings *f, str name);

#endif
