/* The state of one audit, and its stages in the order they run. Private to src/zip. */
#ifndef STIGMER_ZIP_AUDIT_H
#define STIGMER_ZIP_AUDIT_H

#include "zip/content.h"
#include "zip/record.h"
#include "zip/report.h"

struct entry {
    struct cdh h;
    uint32_t at;           /* offset of the central header */
    struct zip_entry *pub; /* in the report */
    bool skill_md;         /* the root SKILL.md, by its name */
    bool measured;         /* its data was read: pub->usize is true */
    bool signature_found;  /* in the data, where it was looked for */
    struct content content;
};

struct audit {
    const struct zip_limits *limits;
    unsigned flags;
    struct pool *workers; /* borrowed; may be NULL */
    int fd;               /* borrowed */
    uint64_t size;
    struct zip_report *report;
    struct findings found;
    struct window win;
    struct eocd eocd;
    uint64_t eocd_at;
    struct entry *entries;            /* owned */
    struct zip_entry *public_entries; /* the report's */
    struct zip_names *names;          /* owned */
    struct error names_error;         /* sticky: a name could not be read */
    uint32_t *order;                  /* owned: entries by local header offset */
    size_t n_entries;
    size_t n_walked;        /* in that order: those that have a record of their own */
    struct entry *skill_md; /* the one whose text is wanted, or NULL */
    struct content_budget budget;
    bool one_by_one;      /* the declared sizes pass the limit: one thread measures up to it */
    uint64_t output_left; /* what one entry may still give */
    bool walkable; /* the file begins and its sizes and offsets read as the walk needs them */
    bool listed;   /* the whole directory was read */
    bool stop;     /* what follows has no agreed meaning, or a limit was passed */
};

/* container.c: finds the end record and judges the file's outline. */
enum err container_check(struct audit *a, struct error *e);
/* directory.c: reads the central headers into entries and judges each. */
enum err directory_read(struct audit *a, struct error *e);
/* walk.c: reads the file forwards, header by header, and compares it with the directory. */
enum err walk(struct audit *a, struct error *e);
/* measure.c: reads the contents of what was walked. */
enum err measure(struct audit *a, struct error *e);
/* judge.c: the rules about them. */
void judge_contents(struct audit *a);

/* entry.c: rules on one header or a pair of them. */
struct local {
    struct lfh h;
    str name, extra; /* views into the window */
    uint64_t at;
    bool zip64; /* has the zip64 extra field */
};
void entry_check_central(struct audit *a, const struct entry *en, str name, str extra);
void entry_check_local(struct audit *a, const struct entry *en, const struct local *l);

/* skill_md.c: which entries may be taken for SKILL.md, and its measured content. */
enum err audit_skill_md(struct audit *a, struct error *e);
/* The name of the root SKILL.md itself. */
bool skill_md_is(str name);

/* audit.c: the entry's name, as zip_names_get. Empty when it cannot be read: that ends the audit
 * with an error, after the stage that it is in. */
str entry_name(struct audit *a, const struct entry *en);

#endif
