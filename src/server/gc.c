/* stigmer-server gc: removes what no version holds, also beside a running server. */
#include "base/macro.h"
#include "meta/meta.h"
#include "server/command.h"
#include "skill/skill.h"
#include "store/store.h"

#include <stdio.h>

DEFINE_CLEANUP(struct meta *, meta_close);
DEFINE_CLEANUP(struct store *, store_close);
DEFINE_CLEANUP(struct skill_service *, skill_service_free);

/* Read-only first: who only wants to collect does not make a database, and does not migrate one
 * under the feet of a server that knows the old one. */
static enum err open_database(const struct config *c, bool dry_run, struct meta **ret,
                              struct error *e)
{
    const struct meta_lmdb_options options = {.read_only = true};
    enum err err = meta_open_lmdb(c->db_path, &options, ret, e);
    if (err == ERR_NOT_FOUND)
        return FAIL(e, err, "gc.no_database", "there is no database at DB_PATH=%s", c->db_path);
    if (err == ERR_OK && !dry_run) {
        meta_close(*ret);
        *ret = NULL;
        err = meta_open_lmdb(c->db_path, NULL, ret, e);
    }
    return err == ERR_OK ? err : err_wrap(e, "DB_PATH=%s", c->db_path);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void print_text(const struct gc_words *w, const struct skill_gc_report *r)
{
    const char *would = w->dry_run ? "would be " : "";
    if (w->purge_deleted)
        printf("%llu version%s of %llu deleted skill%s %spurged\n", (unsigned long long)r->versions,
               plural(r->versions), (unsigned long long)r->skills, plural(r->skills), would);
    printf("%llu archive%s %sremoved, %llu bytes", (unsigned long long)r->archives,
           plural(r->archives), would, (unsigned long long)r->bytes);
    if (r->unrecorded)
        printf("; %llu left by pushes that never ended", (unsigned long long)r->unrecorded);
    printf("\n");
}

static void print_json(const struct gc_words *w, const struct skill_gc_report *r)
{
    printf("{\"dryRun\":%s,\"archives\":%llu,\"bytes\":%llu,\"unrecorded\":%llu,\"skills\":%llu,"
           "\"versions\":%llu}\n",
           w->dry_run ? "true" : "false", (unsigned long long)r->archives,
           (unsigned long long)r->bytes, (unsigned long long)r->unrecorded,
           (unsigned long long)r->skills, (unsigned long long)r->versions);
}

enum err command_gc(const struct config *c, const struct gc_words *w, struct error *e)
{
    CLEANUP(meta_closep) struct meta *meta = NULL;
    CLEANUP(store_closep) struct store *store = NULL;
    CLEANUP(skill_service_freep) struct skill_service *skills = NULL;
    struct skill_gc_report r;
    const struct skill_gc o = {
        .dry_run = w->dry_run, .purge_deleted = w->purge_deleted, .actor = STR("operator")};
    TRY(open_database(c, w->dry_run, &meta, e));
    TRY(store_open_fs(c->storage_path, &store, e));
    TRY(skill_service_new(store, meta, NULL, NULL, &skills, e));
    enum err err = skill_gc(skills, &o, &r, e);
    if (err == ERR_OK || r.archives || r.versions) /* what was done is told in any case */
        w->json ? print_json(w, &r) : print_text(w, &r);
    TRY(err);
    if (fflush(stdout) != 0)
        return FAIL(e, ERR_INTERNAL, "gc.write", "cannot write to standard output");
    return ERR_OK;
}
