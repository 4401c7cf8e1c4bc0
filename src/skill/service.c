#include "skill/record.h"
#include "store/store.h"

#include <stdlib.h>

enum err skill_service_new(struct store *store, struct meta *meta, struct pool *workers,
                           clock_fn *clock, struct skill_service **ret, struct error *e)
{
    struct skill_service *s = malloc(sizeof *s);
    if (!s)
        return FAIL_NOMEM(e);
    *s = (struct skill_service){store, meta, workers, clock ? clock : clock_real_ns};
    *ret = s;
    return ERR_OK;
}

void skill_service_free(struct skill_service *s)
{
    free(s);
}

enum err skill_ready(struct skill_service *s, bool growing, struct error *e)
{
    TRY(store_ready(s->store, e));
    TRY(meta_ready(s->meta, growing, e));
    return growing ? store_check_room(s->store, e) : ERR_OK;
}

enum err skill_get(struct skill_service *s, str id, struct arena *a, struct skill *ret,
                   struct error *e)
{
    struct meta_skill head;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(record_find_id(&t, id, a, &head, e));
    return record_load(&t, &head, head.last_seq, RECORD_TEXT, a, ret, e);
}

enum err skill_resolve(struct skill_service *s, const struct skill_ref *ref, struct arena *a,
                       struct skill *ret, struct error *e)
{
    uint64_t seq;
    struct meta_skill head;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(record_find(&t, ref, false, a, &head, e));
    TRY(record_find_version(&t, &head, ref, &seq, e));
    return record_load(&t, &head, seq, RECORD_TEXT, a, ret, e);
}

/* `latest` moves with each push. */
static enum err tag_of(struct meta_txn *t, const struct skill_ref *ref, struct arena *a,
                       struct skill_tag *ret, struct error *e)
{
    uint64_t seq;
    struct skill version;
    struct meta_skill head;
    struct meta_tag tag;
    TRY(record_find(t, ref, false, a, &head, e));
    TRY(record_find_version(t, &head, ref, &seq, e));
    TRY(record_load(t, &head, seq, 0, a, &version, e));
    *ret =
        (struct skill_tag){STR("latest"), version.hash, version.updated_at_ns, version.updated_by};
    if (record_is_latest(ref->version))
        return ERR_OK;
    TRY(meta_tag_get(t, head.number, ref->version, a, &tag, e));
    *ret = (struct skill_tag){ref->version, version.hash, tag.moved_at_ns, tag.moved_by};
    return ERR_OK;
}

enum err skill_tag(struct skill_service *s, const struct skill_ref *ref, struct arena *a,
                   struct skill_tag *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    if (record_is_hash(ref->version))
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.tag_hash",
                    "version: a hash always means the same version; give a tag");
    TRY(meta_read_begin(s->meta, &t, e));
    return tag_of(&t, ref, a, ret, e);
}

static enum err no_artifact(str key, struct error *e)
{
    return FAIL(e, ERR_NOT_FOUND, "skill.artifact_not_found", "skill artifact not found: %.*s",
                STR_ARG(key));
}

/* Only what some version refers to is served: what else lies in the store is garbage. */
static enum err known(struct skill_service *s, const struct digest *d, struct error *e)
{
    struct meta_artifact artifact;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(meta_artifact_get(&t, d, &artifact, e));
    return artifact.state == META_ARTIFACT_LIVE
               ? ERR_OK
               : FAIL(e, ERR_NOT_FOUND, "skill.artifact_garbage", "no version has the archive");
}

enum err skill_open_artifact(struct skill_service *s, str key, bool fast, bool *ret_ready,
                             struct artifact *ret, struct error *e)
{
    struct digest d;
    if (!store_key_parse(key, &d))
        return no_artifact(key, e);
    enum err err = known(s, &d, e);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? no_artifact(key, e) : err;
    *ret_ready = true;
    err =
        fast ? store_open_fast(s->store, &d, ret, ret_ready, e) : store_open(s->store, &d, ret, e);
    if (err == ERR_NOT_FOUND)
        return FAIL(e, ERR_DATA_LOSS, "skill.artifact_missing",
                    "the server has lost the artifact %.*s; push the same files again to restore "
                    "it",
                    STR_ARG(key));
    return err;
}
