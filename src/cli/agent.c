#include "cli/agent.h"

#include "agent/refs_file.h"
#include "cli/progress.h"
#include "cli/remote.h"

#include <stdlib.h>

#define CACHE_MAX_DEFAULT (10ULL << 30)

void agent_session_deinit(struct agent_session *s)
{
    for (size_t i = 0; i < s->n_skills; i++)
        agent_skill_close(&s->skills[i]);
    free(s->skills);
    free(s->skill_of);
    agent_resolution_deinit(&s->resolution);
    agent_cache_close(&s->cache);
    agent_remote_deinit(&s->remote);
    lockfile_deinit(&s->lock);
    arena_deinit(&s->arena);
}

/* --- references ----------------------------------------------------------------------------------
 */

static enum err connect_for(void *ctx, struct grpc_client **ret, struct error *e)
{
    return remote_open(ctx, false, ret, e);
}

static enum err add_org(const struct cli *c, struct ref *r, struct error *e)
{
    if (!c->args.org || r->org.len)
        return ERR_OK;
    r->org = str_c(c->args.org);
    return ref_check_org(r->org, e);
}

static enum err gather(struct agent_session *s, const char *const *words, size_t n_words,
                       struct error *e)
{
    struct ref *from_file = NULL;
    size_t n_file = 0;
    const char *file = s->c->args.refs_file;
    if (file)
        TRY(refs_read(file, &s->arena, &from_file, &n_file, e));
    size_t n = n_words + n_file;
    s->refs = arena_calloc(&s->arena, n + 1, sizeof *s->refs);
    if (!s->refs)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n_words; i++)
        TRY(ref_parse(str_c(words[i]), &s->refs[i], e));
    for (size_t i = 0; i < n_file; i++)
        s->refs[n_words + i] = from_file[i];
    for (; s->n_refs < n; s->n_refs++)
        TRY(add_org(s->c, &s->refs[s->n_refs], e));
    return ERR_OK;
}

/* Without any reference given: those that are locked. */
static enum err gather_locked(struct agent_session *s, struct error *e)
{
    if (!s->has_lock)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "give a REF or --refs-file: there is no %s that could name the skills",
                    s->lock_path);
    s->refs = arena_calloc(&s->arena, s->lock.n_pins + 1, sizeof *s->refs);
    if (!s->refs)
        return FAIL_NOMEM(e);
    for (; s->n_refs < s->lock.n_pins; s->n_refs++)
        TRY(ref_parse(s->lock.pins[s->n_refs].reference, &s->refs[s->n_refs], e));
    return ERR_OK;
}

/* A lock file that was named must be there, but for those who write it. */
static enum err read_lock(struct agent_session *s, unsigned flags, struct error *e)
{
    const struct cli_args *args = &s->c->args;
    s->lock_path = args->lock ? args->lock : AGENT_LOCK;
    enum err err = lockfile_read(s->lock_path, &s->lock, e);
    s->has_lock = err == ERR_OK;
    if (err != ERR_NOT_FOUND)
        return err;
    bool writes = (flags & AGENT_RESOLVE_UPDATE) && !args->frozen;
    if (args->frozen || (args->lock && !writes))
        return FAIL(e, ERR_FAILED_PRECONDITION, "agent.no_lock", "there is no lock file %s",
                    s->lock_path);
    return ERR_OK;
}

static enum err check_failures(struct agent_session *s, struct error *e)
{
    const struct agent_resolution *r = &s->resolution;
    struct buf *hint = &s->c->hint;
    if (r->n_failures == 0)
        return ERR_OK;
    for (size_t i = 0; i < r->n_failures; i++) {
        buf_add_c(hint, "  ");
        text_add_safe(hint, r->failures[i].reference, "");
        buf_add_c(hint, ": ");
        text_add_safe(hint, r->failures[i].message, "\\");
        buf_add_char(hint, '\n');
    }
    return FAIL(e, r->failures[0].code, "agent.unresolved",
                "%zu of %zu references cannot be resolved:", r->n_failures, r->n_pins);
}

enum err agent_session_resolve(struct agent_session *s, struct cli *c, const char *const *words,
                               size_t n_words, unsigned flags, struct error *e)
{
    s->c = c;
    arena_init(&s->arena, MIB(16));
    s->remote = (struct agent_remote){
        .connect = connect_for,
        .ctx = c,
        .offline = c->args.offline,
        .call_timeout_ms = remote_timeout_ms(c, REMOTE_CALL_TIMEOUT_S),
        .transfer_timeout_ms = remote_timeout_ms(c, REMOTE_TRANSFER_TIMEOUT_S),
    };
    if (c->args.frozen)
        flags |= AGENT_RESOLVE_FROZEN;
    TRY(read_lock(s, flags, e));
    TRY(gather(s, words, n_words, e));
    if (n_words == 0 && !c->args.refs_file)
        TRY(gather_locked(s, e));
    TRY(agent_resolve(&s->remote, s->has_lock ? &s->lock : NULL, s->refs, s->n_refs, flags,
                      &s->resolution, e));
    return check_failures(s, e);
}

/* --- skills --------------------------------------------------------------------------------------
 */

/* Each version once, in order of its first reference. */
static size_t collect(struct agent_session *s, struct digest *hashes)
{
    size_t n = 0;
    for (size_t i = 0; i < s->resolution.n_pins; i++) {
        const struct digest *hash = &s->resolution.pins[i].hash;
        size_t at = 0;
        while (at < n && !digest_eq(&hashes[at], hash))
            at++;
        hashes[at] = *hash;
        n += at == n;
        s->skill_of[i] = at;
    }
    return n;
}

enum err agent_cache_limit(uint64_t *ret, struct error *e)
{
    const char *given = getenv("STIGMER_CACHE_MAX_SIZE");
    *ret = CACHE_MAX_DEFAULT;
    if (given && *given && !size_parse(str_c(given), ret))
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "STIGMER_CACHE_MAX_SIZE is no size: a number, perhaps with K, M, G or T");
    return ERR_OK;
}

static enum err fetch(struct agent_session *s, const struct digest *hashes, size_t n,
                      struct error *e)
{
    struct progress progress;
    struct agent_fetch f = {
        .cache = &s->cache,
        .remote = &s->remote,
        .progress = progress_update,
        .ctx = &progress,
    };
    TRY(agent_cache_limit(&f.max_cache, e));
    progress_begin(&progress, &s->c->err, "Downloading");
    s->n_skills = n;
    enum err err = agent_fetch(&f, hashes, n, s->skills, e);
    progress_end(&progress);
    s->n_downloads = f.n_downloads;
    return err;
}

enum err agent_session_fetch(struct agent_session *s, struct error *e)
{
    size_t n = s->resolution.n_pins;
    CLEANUP(freep) struct digest *hashes = calloc(n + 1, sizeof *hashes);
    s->skills = calloc(n + 1, sizeof *s->skills);
    s->skill_of = calloc(n + 1, sizeof *s->skill_of);
    if (!hashes || !s->skills || !s->skill_of)
        return FAIL_NOMEM(e);
    TRY(agent_cache_open(NULL, &s->cache, e));
    return fetch(s, hashes, collect(s, hashes), e);
}
