/*
 * A reference and the version that it means: what resolving gives, and what a lock file keeps.
 * Ownership: all texts live in the arena that the pin was made in.
 */
#ifndef STIGMER_AGENT_PIN_H
#define STIGMER_AGENT_PIN_H

#include "agent/ref.h"
#include "base/arena.h"
#include "digest/sha256.h"

struct agent_pin {
    str reference; /* as pin_reference writes it */
    struct digest hash;
    str name;            /* metadata.name: the heading in the prompt */
    str org, slug;       /* of the skill that was found; org empty = the platform's */
    str tag;             /* that the reference names; empty = the current version, or a hash */
    int64_t pushed_ns;   /* when that version was pushed, as the server says; 0 = it does not say */
    str pushed_by;       /* by whom */
    int64_t resolved_ns; /* when it was resolved */
};

/* The one way to write a reference: "[@org/]slug[:tag|@hash]", without ":latest". False: memory. */
bool pin_reference(const struct ref *r, struct arena *a, str *ret);
/* Whether a name may head a section of the prompt: UTF-8, one line, nothing hidden or reordering.
 */
bool pin_name_is_safe(str name);

#endif
