/*
 * What the agent commands share: references from the command line to verified skills.
 *
 *     CLEANUP(agent_session_deinit) struct agent_session s = AGENT_SESSION_INIT;
 *     TRY(agent_session_resolve(&s, c, c->args.positional, c->args.n_positional, 0, e));
 *     TRY(agent_session_fetch(&s, e));
 *     … s.skills[s.skill_of[i]].path is where reference i's files are, for as long as s lives …
 */
#ifndef STIGMER_CLI_AGENT_H
#define STIGMER_CLI_AGENT_H

#include "agent/fetch.h"
#include "agent/resolve.h"
#include "cli/cli.h"

#define AGENT_LOCK "skills.lock" /* without --lock */

struct agent_session {
    struct cli *c;
    struct arena arena;
    struct ref *refs;
    size_t n_refs;
    const char *lock_path;
    struct lockfile lock; /* empty when there is none */
    bool has_lock;
    struct agent_remote remote;
    struct agent_cache cache;
    struct agent_resolution resolution; /* pins: one a reference */
    struct agent_skill *skills;         /* each version once */
    size_t n_skills;
    size_t *skill_of; /* pin -> its skill */
    size_t n_downloads;
};

#define AGENT_SESSION_INIT ((struct agent_session){.cache = AGENT_CACHE_INIT})

void agent_session_deinit(struct agent_session *s);

/* words and --refs-file are the references; with neither, all of the lock file. flags: of
 * agent_resolve_flags; --frozen and --offline are seen to. A reference that cannot be resolved is
 * an error, c->hint lists them all. */
enum err agent_session_resolve(struct agent_session *s, struct cli *c, const char *const *words,
                               size_t n_words, unsigned flags, struct error *e);
/* Opens the cache and makes every resolved version be in it. */
enum err agent_session_fetch(struct agent_session *s, struct error *e);

/* Bytes the cache may have after a download: $STIGMER_CACHE_MAX_SIZE, else 10 GiB. */
enum err agent_cache_limit(uint64_t *ret, struct error *e);

#endif
