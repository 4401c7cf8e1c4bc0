/*
 * Names of one archive together. Each name is reduced to the keys under which some system or reader
 * may know it: folded; for a name that does not say it is UTF-8 also as code page 437, and as ISO
 * 8859-1, which fflate takes it for; for one made
 * on DOS also as Info-ZIP's unzip translates it, which heeds the UTF-8 flag only where an entry has
 * extra fields. Keys are compared by a 128-bit hash, so that memory stays small whatever the names;
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
    XXH128_hash_t hash;
    uint32_t ref;
    enum reading as;
};

struct keys {
    struct key *v;
    size_t n;
};

static void keys_deinit(struct keys *k)
{
    free(k->v);
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

static enum err add_key(struct keys *k, const struct name_ref *refs, uint32_t i, enum reading as,
                        struct unicode *u, struct error *e)
{
    str folded;
    TRY(fold(u, &refs[i], as, &folded, e));
    k->v[k->n++] = (struct key){.hash = XXH3_128bits(folded.p, folded.len), .ref = i, .as = as};
    return ERR_OK;
}

static int by_hash(const void *a, const void *b)
{
    const struct key *ka = a, *kb = b;
    int order = XXH128_cmp(&ka->hash, &kb->hash);
    return order ? order : (ka->ref > kb->ref) - (ka->ref < kb->ref);
}

static enum err make_keys(struct keys *k, const struct name_ref *refs, size_t n, struct unicode *u,
                          struct error *e)
{
    k->v = calloc(N_READINGS * n + 1, sizeof *k->v);
    if (!k->v)
        return FAIL_NOMEM(e);
    for (uint32_t i = 0; i < n; i++)
        for (enum reading as = AS_UTF8; as < N_READINGS; as++)
            if (may_be(&refs[i], as))
                TRY(add_key(k, refs, i, as, u, e));
    qsort(k->v, k->n, sizeof *k->v, by_hash);
    return ERR_OK;
}

static void same_key(struct findings *f, const struct name_ref *refs, const struct key *a,
                     const struct key *b)
{
    static const char *const readers[] = {
        [AS_CP437] = "readers that decode them as CP437",
        [AS_LATIN1] = "fflate, which decodes them as Latin-1",
        [AS_OEM] = "unzip, which translates names made on DOS",
    };
    const struct name_ref *r = &refs[b->ref], *other = &refs[a->ref];
    enum reading as = MAX(a->as, b->as);
    if (as != AS_UTF8)
        findings_add(f, ZIP_RULE_NAME_ENCODING, r->name, r->offset,
                     "invalid ZIP file: \"%s\" and \"%s\" are one name to %s",
                     findings_show(f, other->name), findings_show(f, r->name), readers[as]);
    else
        findings_add(f, ZIP_RULE_NAME_UNIQUE, r->name, r->offset,
                     "invalid ZIP file: \"%s\" and \"%s\" are the same name to some systems",
                     findings_show(f, other->name), findings_show(f, r->name));
}

static void rule_name_unique(struct findings *f, const struct name_ref *refs, const struct keys *k)
{
    for (size_t i = 1; i < k->n; i++)
        if (XXH128_isEqual(k->v[i - 1].hash, k->v[i].hash) && k->v[i - 1].ref != k->v[i].ref)
            same_key(f, refs, &k->v[i - 1], &k->v[i]);
}

/* A file under that key, or NULL. */
static const struct name_ref *find_file(const struct name_ref *refs, const struct keys *k,
                                        str folded)
{
    XXH128_hash_t hash = XXH3_128bits(folded.p, folded.len);
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (XXH128_cmp(&k->v[mid].hash, &hash) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < k->n && XXH128_isEqual(k->v[low].hash, hash); low++)
        if (!name_is_directory(refs[k->v[low].ref].name))
            return &refs[k->v[low].ref];
    return NULL;
}

static void check_parents(struct findings *f, const struct name_ref *refs, const struct keys *k,
                          const struct name_ref *r, str folded)
{
    const struct name_ref *file = NULL;
    ptrdiff_t slash = str_rfind(folded, '/');
    while (slash > 0 && !file) {
        folded = str_head(folded, (size_t)slash);
        file = find_file(refs, k, folded);
        slash = str_rfind(folded, '/');
    }
    if (file)
        findings_add(f, ZIP_RULE_NAME_PREFIX, r->name, r->offset,
                     "invalid ZIP file: \"%s\" is a file and also the parent of \"%s\"",
                     findings_show(f, file->name), findings_show(f, r->name));
}

static enum err rule_name_prefix(struct findings *f, const struct name_ref *refs,
                                 const struct keys *k, struct unicode *u, struct error *e)
{
    str folded;
    for (size_t i = 0; i < k->n; i++) {
        const struct name_ref *r = &refs[k->v[i].ref];
        if (str_find(name_path(r->name), '/') < 0 && str_is_ascii(r->name))
            continue;
        TRY(fold(u, r, k->v[i].as, &folded, e));
        check_parents(f, refs, k, r, folded);
    }
    return ERR_OK;
}

enum err names_check_together(struct findings *f, const struct name_ref *refs, size_t n,
                              struct unicode *u, struct error *e)
{
    CLEANUP(keys_deinit) struct keys k = {0};
    TRY(make_keys(&k, refs, n, u, e));
    rule_name_unique(f, refs, &k);
    return rule_name_prefix(f, refs, &k, u, e);
}
