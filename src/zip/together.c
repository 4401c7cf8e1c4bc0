/*
 * Names of one archive together. Each name is reduced to the keys under which some system or reader
 * may know it: folded; for a name that does not say it is UTF-8 also as code page 437, and as ISO
 * 8859-1, which fflate takes it for; for one made
 * on DOS also as Info-ZIP's unzip translates it, which heeds the UTF-8 flag only where an entry has
 * extra fields. Keys are compared by a 64-bit hash, so that memory stays small whatever the names;
 * a collision that somebody constructs gets his own archive refused and nothing else.
 */
#include "base/macro.h"
#include "base/utf8.h"
#include "zip/names.h"
#include "zip/record.h"
#include "zip/unicode.h"

#include <stdlib.h>
#include <xxhash.h>

enum reading { AS_UTF8, AS_CP437, AS_LATIN1, AS_OEM, N_READINGS };

struct key {
    uint64_t hash;
    uint32_t ref; /* of the name, in the source */
    uint8_t as;   /* of enum reading */
    bool directory;
};

struct keys {
    struct key *v;
    size_t n;
};

/* What the rules work with. */
struct together {
    struct findings *found;
    const struct name_source *names;
    struct unicode *unicode;
    struct keys keys; /* owned */
};

static void together_deinit(struct together *t)
{
    free(t->keys.v);
}

static bool is_utf8_name(const struct name_ref *r)
{
    return r->name.len <= NAME_PATH_MAX && utf8_valid(r->name);
}

/* Names that are refused anyway are compared as they are. */
static enum err fold(struct unicode *u, const struct name_ref *r, enum reading as, str *ret,
                     struct error *e)
{
    str path = name_path(r->name);
    if (as == AS_CP437)
        return unicode_fold_cp437(u, path, ret, e);
    if (as == AS_LATIN1)
        return unicode_fold_latin1(u, path, ret, e);
    if (as == AS_OEM)
        return unicode_fold_oem(u, path, ret, e);
    if (is_utf8_name(r))
        return unicode_fold(u, path, ret, e);
    *ret = path;
    return ERR_OK;
}

static bool made_on_dos(const struct name_ref *r)
{
    return r->host == HOST_FAT || r->host == HOST_HPFS || r->host == HOST_NTFS;
}

static bool may_be(const struct name_ref *r, enum reading as)
{
    if (as == AS_UTF8)
        return true;
    if (r->name.len > NAME_PATH_MAX || str_is_ascii(r->name))
        return false;
    return as == AS_OEM ? made_on_dos(r) : !r->utf8_flag;
}

static enum err add_key(struct together *t, struct name_ref *r, uint32_t ref, enum reading as,
                        struct error *e)
{
    str folded;
    TRY(fold(t->unicode, r, as, &folded, e));
    t->keys.v[t->keys.n++] = (struct key){.hash = XXH3_64bits(folded.p, folded.len),
                                          .ref = ref,
                                          .as = (uint8_t)as,
                                          .directory = name_is_directory(r->name)};
    return ERR_OK;
}

static int by_hash(const void *a, const void *b)
{
    const struct key *ka = a, *kb = b;
    if (ka->hash != kb->hash)
        return ka->hash < kb->hash ? -1 : 1;
    return (ka->ref > kb->ref) - (ka->ref < kb->ref);
}

typedef enum err reading_fn(struct together *t, struct name_ref *r, uint32_t ref, enum reading as,
                            struct error *e);

/* Calls fn for each name under each of its readings. */
static enum err each_reading(struct together *t, reading_fn *fn, struct error *e)
{
    struct name_ref r;
    for (uint32_t i = 0; i < t->names->n; i++) {
        TRY(t->names->get(t->names->ctx, i, &r, e));
        for (enum reading as = AS_UTF8; as < N_READINGS; as++)
            if (may_be(&r, as))
                TRY(fn(t, &r, i, as, e));
    }
    return ERR_OK;
}

static enum err make_keys(struct together *t, struct error *e)
{
    struct keys *k = &t->keys;
    k->v = calloc(N_READINGS * t->names->n + 1, sizeof *k->v);
    if (!k->v)
        return FAIL_NOMEM(e);
    TRY(each_reading(t, add_key, e));
    qsort(k->v, k->n, sizeof *k->v, by_hash);
    return ERR_OK;
}

static enum err same_key(struct together *t, const struct key *a, const struct key *b,
                         struct error *e)
{
    static const char *const readers[] = {
        [AS_CP437] = "readers that decode them as CP437",
        [AS_LATIN1] = "fflate, which decodes them as Latin-1",
        [AS_OEM] = "unzip, which translates names made on DOS",
    };
    struct name_ref r;
    unsigned as = MAX(a->as, b->as);
    TRY(t->names->get(t->names->ctx, a->ref, &r, e));
    const char *other = findings_show(t->found, r.name);
    TRY(t->names->get(t->names->ctx, b->ref, &r, e));
    if (as != AS_UTF8)
        findings_add(t->found, ZIP_RULE_NAME_ENCODING, r.name, r.offset,
                     "invalid ZIP file: \"%s\" and \"%s\" are one name to %s", other,
                     findings_show(t->found, r.name), readers[as]);
    else
        findings_add(t->found, ZIP_RULE_NAME_UNIQUE, r.name, r.offset,
                     "invalid ZIP file: \"%s\" and \"%s\" are the same name to some systems", other,
                     findings_show(t->found, r.name));
    return ERR_OK;
}

static enum err rule_name_unique(struct together *t, struct error *e)
{
    const struct key *k = t->keys.v;
    for (size_t i = 1; i < t->keys.n; i++)
        if (k[i - 1].hash == k[i].hash && k[i - 1].ref != k[i].ref)
            TRY(same_key(t, &k[i - 1], &k[i], e));
    return ERR_OK;
}

/* A file under that key, or NULL. */
static const struct key *find_file(const struct keys *k, str folded)
{
    uint64_t hash = XXH3_64bits(folded.p, folded.len);
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (k->v[mid].hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < k->n && k->v[low].hash == hash; low++)
        if (!k->v[low].directory)
            return &k->v[low];
    return NULL;
}

/* Gives *r anew: looking up the parent's name ended its view. */
static enum err parent_is_file(struct together *t, const struct key *parent, struct name_ref *r,
                               uint32_t ref, struct error *e)
{
    TRY(t->names->get(t->names->ctx, parent->ref, r, e));
    const char *shown = findings_show(t->found, r->name);
    TRY(t->names->get(t->names->ctx, ref, r, e));
    findings_add(t->found, ZIP_RULE_NAME_PREFIX, r->name, r->offset,
                 "invalid ZIP file: \"%s\" is a file and also the parent of \"%s\"", shown,
                 findings_show(t->found, r->name));
    return ERR_OK;
}

static enum err check_parents(struct together *t, struct name_ref *r, uint32_t ref, enum reading as,
                              struct error *e)
{
    str folded;
    const struct key *file = NULL;
    if (str_find(name_path(r->name), '/') < 0 && str_is_ascii(r->name))
        return ERR_OK;
    TRY(fold(t->unicode, r, as, &folded, e));
    ptrdiff_t slash = str_rfind(folded, '/');
    while (slash > 0 && !file) {
        folded = str_head(folded, (size_t)slash);
        file = find_file(&t->keys, folded);
        slash = str_rfind(folded, '/');
    }
    return file ? parent_is_file(t, file, r, ref, e) : ERR_OK;
}

enum err names_check_together(struct findings *f, const struct name_source *s, struct unicode *u,
                              struct error *e)
{
    CLEANUP(together_deinit) struct together t = {.found = f, .names = s, .unicode = u};
    TRY(make_keys(&t, e));
    TRY(rule_name_unique(&t, e));
    return each_reading(&t, check_parents, e);
}
