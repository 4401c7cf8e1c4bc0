/* A YAML block read as libyaml's events, under the limits of frontmatter.h. Private to src/skillmd.
 */
#ifndef STIGMER_SKILLMD_YAML_READER_H
#define STIGMER_SKILLMD_YAML_READER_H

#include "skillmd/collect.h"

#include <yaml.h>

struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event;  /* the current one */
    struct cursor block; /* its start, and nothing behind its end */
    struct cursor mark;  /* where libyaml's last mark is: */
    size_t mark_index;   /* that many characters into the block */
    struct collect *found;
    unsigned n_events, depth, n_warnings;
};

/* At no event yet. False: memory is out, and r need not be closed. */
bool yaml_reader_open(struct yaml_reader *r, struct cursor block, struct collect *found);
void yaml_reader_close(struct yaml_reader *r);

/* To the next event. False: this is the end of what may be read; a warning tells why. */
bool yaml_reader_next(struct yaml_reader *r);
/* Past the value that starts at the current event, to its last event. */
bool yaml_reader_skip(struct yaml_reader *r);

static inline bool yaml_reader_is(const struct yaml_reader *r, yaml_event_type_t type)
{
    return r->event.type == type;
}

/* The text of the current scalar. */
static inline str yaml_reader_scalar(const struct yaml_reader *r)
{
    return str_of(r->event.data.scalar.value, r->event.data.scalar.length);
}

/* Where the current event starts. */
struct place yaml_reader_place(struct yaml_reader *r);
/* The bytes of the block that the current event comes from, as a cursor. */
struct cursor yaml_reader_source(struct yaml_reader *r);

/* A warning at a place: as collect_add, but for at most FRONTMATTER_WARNINGS_MAX. */
struct skillmd_finding *yaml_reader_warn(struct yaml_reader *r, struct place at);

#endif
