/* References become skills and versions. */
#include "skill/id.h"
#include "skill/record.h"

#define ORGS_NAMED 10 /* in the text of an ambiguous reference */

bool record_is_latest(str version)
{
    return version.len == 0 || str_eq(version, STR("latest"));
}

bool record_is_hash(str version)
{
    struct digest d;
    return digest_from_hex(version, &d);
}

static enum err no_skill(str slug, struct error *e)
{
    return FAIL(e, ERR_NOT_FOUND, "skill.not_found", "skill not found: %.*s", STR_ARG(slug));
}

static enum err ambiguous(struct meta_txn *t, str slug, const str *ids, size_t n, struct arena *a,
                          struct error *e)
{
    struct meta_skill s;
    const char *orgs = "";
    for (size_t i = 0; orgs && i < n && i < ORGS_NAMED; i++) {
        TRY(meta_skill_get(t, ids[i], a, &s, e));
        orgs = arena_printf(a, "%s%s%.*s", orgs, i ? ", " : "", STR_ARG(s.org));
    }
    if (!orgs)
        return FAIL_NOMEM(e);
    return FAIL(e, ERR_FAILED_PRECONDITION, "skill.ambiguous",
                "skill %.*s exists in several organizations, name one in org: %s%s", STR_ARG(slug),
                orgs, n > ORGS_NAMED ? ", …" : "");
}

/* The one live skill of that slug, whosever it is. */
static enum err find_anywhere(struct meta_txn *t, str slug, struct arena *a, struct meta_skill *ret,
                              struct error *e)
{
    size_t n;
    str ids[ORGS_NAMED + 1];
    TRY(meta_slug_list(t, slug, a, ids, ARRAY_SIZE(ids), &n, e));
    if (n == 0)
        return no_skill(slug, e);
    if (n > 1)
        return ambiguous(t, slug, ids, n, a, e);
    return meta_skill_get(t, ids[0], a, ret, e);
}

enum err record_find(struct meta_txn *t, const struct skill_ref *ref, bool dead_too,
                     struct arena *a, struct meta_skill *ret, struct error *e)
{
    enum skill_scope scope;
    str org, id;
    if (ref->slug.len == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.slug_missing", "slug is required in reference");
    TRY(id_scope(ref->scope, ref->org, &scope, &org, e));
    if (ref->slug.len > SKILL_SLUG_MAX || org.len > SKILL_ORG_MAX)
        return no_skill(ref->slug, e);
    TRY(id_of(scope, org, ref->slug, a, &id, e));
    enum err err = meta_skill_get(t, id, a, ret, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_OK && (ret->live || dead_too))
        return ERR_OK;
    return ref->org.len ? no_skill(ref->slug, e) : find_anywhere(t, ref->slug, a, ret, e);
}

static enum err tag_seq(struct meta_txn *t, uint64_t number, str tag, uint64_t *ret,
                        struct error *e)
{
    struct arena a;
    struct meta_tag found;
    if (tag.len > SKILL_TAG_MAX)
        return FAIL(e, ERR_NOT_FOUND, "skill.no_tag", "no such tag");
    arena_init(&a, KIB(16));
    enum err err = meta_tag_get(t, number, tag, &a, &found, e);
    if (err == ERR_OK)
        *ret = found.seq;
    arena_deinit(&a);
    return err;
}

static enum err named_seq(struct meta_txn *t, uint64_t number, str version, uint64_t *ret,
                          struct error *e)
{
    struct digest d;
    if (digest_from_hex(version, &d))
        return meta_hash_find(t, number, &d, ret, e);
    return tag_seq(t, number, version, ret, e);
}

enum err record_find_version(struct meta_txn *t, const struct meta_skill *head,
                             const struct skill_ref *ref, uint64_t *ret_seq, struct error *e)
{
    *ret_seq = head->last_seq;
    if (record_is_latest(ref->version))
        return ERR_OK;
    enum err err = named_seq(t, head->number, ref->version, ret_seq, e);
    /* What an earlier life was called is out of reach. */
    if (err == ERR_NOT_FOUND || (err == ERR_OK && *ret_seq < head->first_seq))
        return FAIL(e, ERR_NOT_FOUND, "skill.version_not_found",
                    "skill version not found: %.*s:%.*s", STR_ARG(ref->slug),
                    STR_ARG(ref->version));
    return err;
}

enum err record_find_id(struct meta_txn *t, str id, struct arena *a, struct meta_skill *ret,
                        struct error *e)
{
    enum err err = ERR_NOT_FOUND;
    if (id.len > 0 && id.len <= META_ID_MAX)
        err = meta_skill_get(t, id, a, ret, e);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !ret->live))
        return FAIL(e, ERR_NOT_FOUND, "skill.not_found", "Skill not found: %.*s", STR_ARG(id));
    return err;
}
