/*
 * From references to exact versions.
 *
 * A reference that the lock file pins means what is pinned; others are asked of the server, whose
 * answer must be about the skill asked for. Each missing one is told: nothing is left out silently.
 */
#ifndef STIGMER_AGENT_RESOLVE_H
#define STIGMER_AGENT_RESOLVE_H

#include "agent/lockfile.h"
#include "agent/remote.h"

/* A reference whose answer differs from what was pinned. */
struct agent_move {
    const struct agent_pin *old, *new; /* in the lock file; in the answer */
    bool back;                         /* to a version that was pushed before the old one */
    int64_t moved_ns; /* when its tag was pointed there; 0 = the server does not say */
    str moved_by;     /* by whom */
};

struct agent_failure {
    str reference;
    str message; /* one sentence */
    enum err code;
};

struct agent_resolution {
    struct arena arena;
    struct agent_pin *pins; /* one for each reference, in their order; valid when n_failures is 0 */
    size_t n_pins;
    struct agent_move *moves;
    size_t n_moves;
    struct agent_failure *failures;
    size_t n_failures;
    bool asked; /* a server was asked */
};

enum agent_resolve_flags {
    AGENT_RESOLVE_UPDATE = 1, /* ask the server also about what is pinned */
    AGENT_RESOLVE_FROZEN = 2, /* what is not pinned is a failure; with UPDATE pins stay as they are
                               * and moves are only told, as far as a server answers */
    AGENT_RESOLVE_BACKWARD = 4, /* with UPDATE: accept tags that moved back */
    AGENT_RESOLVE_NAMELESS = 8, /* nobody is asked about a hash; the pin's name may be empty */
};

/* lock: what is pinned; may be NULL. ret: to be released with agent_resolution_deinit, also after
 * an error; nothing in it points into lock but moves[].old. Errors: UNAVAILABLE and the like, when
 * the server cannot be asked at all. */
enum err agent_resolve(struct agent_remote *remote, const struct lockfile *lock,
                       const struct ref *refs, size_t n_refs, unsigned flags,
                       struct agent_resolution *ret, struct error *e);
void agent_resolution_deinit(struct agent_resolution *r);

#endif
