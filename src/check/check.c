#include "check/impl.h"

#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_proc.h"
#include "base/utf8.h"
#include "check/pages.h"
#include "stigmer/storage/v1/record.pb-c.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define ARENA_MAX   MIB(1024) /* names of a million skills take 100 MiB */
#define HOLDERS_MAX 5

/* --- maps ------------------------------------------------------------------------------------- */

uint64_t map_hash(uint64_t number, str text)
{
    /* Not the number as a seed: of texts of three bytes, neighbouring seeds give equal hashes. */
    const uint64_t parts[] = {number, XXH3_64bits(text.p ? text.p : "", text.len)};
    uint64_t h = XXH3_64bits(parts, sizeof parts);
    return h ? h : 1;
}

static size_t place_of(const struct map *m, uint64_t key)
{
    size_t i = (size_t)(key * 0x9e3779b97f4a7c15ULL) & (m->cap - 1);
    while (m->keys[i] && m->keys[i] != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

static bool grow(struct map *m)
{
    struct map wider = {.cap = m->cap ? 2 * m->cap : 64, .n = m->n};
    wider.keys = calloc(wider.cap, sizeof *wider.keys);
    wider.values = calloc(wider.cap, sizeof *wider.values);
    if (!wider.keys || !wider.values) {
        map_deinit(&wider);
        return false;
    }
    for (size_t i = 0; i < m->cap; i++)
        if (m->keys[i]) {
            size_t at = place_of(&wider, m->keys[i]);
            wider.keys[at] = m->keys[i];
            wider.values[at] = m->values[i];
        }
    map_deinit(m);
    *m = wider;
    return true;
}

uint64_t *map_at(struct map *m, uint64_t key)
{
    if (2 * m->n >= m->cap && !grow(m))
        return NULL;
    size_t i = place_of(m, key);
    m->n += !m->keys[i];
    m->keys[i] = key;
    return &m->values[i];
}

const uint64_t *map_find(const struct map *m, uint64_t key)
{
    if (m->n == 0)
        return NULL;
    size_t i = place_of(m, key);
    return m->keys[i] ? &m->values[i] : NULL;
}

void map_deinit(struct map *m)
{
    free(m->keys);
    free(m->values);
}

/* --- telling ---------------------------------------------------------------------------------- */

void found(struct check *c, const char *kind, const char *skill, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->report->findings++;
    c->o->found(c->o->ctx, &(struct check_finding){kind, skill, text});
}

static struct skill_state *skill_of(struct check *c, uint64_t number)
{
    const uint64_t *at = number ? map_find(&c->by_number, number) : NULL;
    return at ? &c->skills[*at - 1] : NULL;
}

const char *version_name(struct check *c, uint64_t number, uint64_t seq)
{
    const struct skill_state *s = skill_of(c, number);
    const char *name =
        s ? arena_printf(&c->arena, "%s (version %llu)", s->name, (unsigned long long)seq)
          : arena_printf(&c->arena, "skill number %llu (version %llu)", (unsigned long long)number,
                         (unsigned long long)seq);
    return name ? name : "a version";
}

/* --- LMDB, where its pages are sound ---------------------------------------------------------- */

static bool get(struct check *c, enum meta_table table, str key, str *ret)
{
    enum meta_tree tree = meta_tree_of(table);
    struct meta_key placed;
    str at = key_place(table, key, &placed);
    MDB_val k = {at.len, (void *)(uintptr_t)at.p}, v;
    if (!c->has[tree] || mdb_get(c->txn, c->dbis[tree], &k, &v) != 0)
        return false;
    *ret = str_of(v.mv_data, v.mv_size);
    return true;
}

bool record_read(struct check *c, enum meta_table table, const struct meta_key *key,
                 str *ret_payload)
{
    str value;
    return get(c, table, key_view(key), &value) &&
           record_unseal(table, key_view(key), value, ret_payload);
}

void *record_message(struct check *c, enum meta_table table, const struct meta_key *key,
                     const ProtobufCMessageDescriptor *type)
{
    str payload;
    if (!record_read(c, table, key, &payload))
        return NULL;
    return protobuf_c_message_unpack(type, NULL, payload.len, (const uint8_t *)payload.p);
}

static enum err lmdb_failed(int rc, struct error *e)
{
    return FAIL(e, ERR_INTERNAL, "check.lmdb", "the database cannot be read: %s", mdb_strerror(rc));
}

static enum err walk_cursor(struct check *c, enum meta_table table, MDB_cursor *cursor,
                            enum err (*fn)(struct check *c, str key, str payload, struct error *e),
                            struct error *e)
{
    MDB_val k, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        str placed = str_of(k.mv_data, k.mv_size), payload;
        struct meta_key key;
        enum meta_table of;
        if (key_unplace(meta_tree_of(table), placed, &of, &key) && of == table &&
            record_unseal(table, key_view(&key), str_of(v.mv_data, v.mv_size), &payload))
            TRY(fn(c, key_view(&key), payload, e));
    }
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK : lmdb_failed(rc, e);
}

enum err each_record(struct check *c, enum meta_table table,
                     enum err (*fn)(struct check *c, str key, str payload, struct error *e),
                     struct error *e)
{
    MDB_cursor *cursor;
    enum meta_tree tree = meta_tree_of(table);
    if (!c->has[tree])
        return ERR_OK;
    int rc = mdb_cursor_open(c->txn, c->dbis[tree], &cursor);
    if (rc)
        return lmdb_failed(rc, e);
    enum err err = walk_cursor(c, table, cursor, fn, e);
    mdb_cursor_close(cursor);
    return err;
}

/* at: number and seq */
static void add_holder(struct check *c, const char *at, size_t n, const char **names)
{
    uint64_t number = key_get_u64(at), seq = key_get_u64(at + 8);
    if (n >= HOLDERS_MAX)
        return;
    const char *more = arena_printf(&c->arena, "%s%s%s", *names ? *names : "", *names ? ", " : "",
                                    version_name(c, number, seq));
    *names = more ? more : *names;
}

const char *holder_names(struct check *c, const struct digest *d)
{
    const char *names = NULL;
    size_t n = 0;
    MDB_cursor *cursor;
    enum meta_tree tree = meta_tree_of(META_REFS);
    struct meta_key placed;
    str first = key_place(META_REFS, str_of(d->b, sizeof d->b), &placed);
    MDB_val k = {first.len, (void *)(uintptr_t)first.p}, v;
    if (!c->has[tree] || mdb_cursor_open(c->txn, c->dbis[tree], &cursor) != 0)
        return NULL;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    for (; rc == 0 && k.mv_size == first.len + 16 &&
           str_starts_with(str_of(k.mv_data, k.mv_size), first);
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        add_holder(c, (const char *)k.mv_data + first.len, n++, &names);
    mdb_cursor_close(cursor);
    if (n > HOLDERS_MAX)
        names = arena_printf(&c->arena, "%s and %zu more", names, n - HOLDERS_MAX);
    return names;
}

/* --- reading all pages and records ------------------------------------------------------------ */

static void page_is_wrong(void *ctx, const char *text)
{
    found(ctx, "page", NULL, "the database is damaged: %s", text);
}

static bool find_tree(str name, enum meta_tree *ret)
{
    for (int i = 0; i < META_N_TREES; i++)
        if (str_eq(name, str_c(meta_tree_name((enum meta_tree)i)))) {
            *ret = (enum meta_tree)i;
            return true;
        }
    return false;
}

/* Before schema 3 each table had a tree of its own. */
static bool is_former(str name)
{
    for (int i = 0; i < META_N_TABLES; i++)
        if (str_eq(name, str_c(meta_table_name((enum meta_table)i))))
            return true;
    return str_eq(name, STR("textrefs"));
}

static const char *escaped(struct check *c, str text)
{
    const char *copy = NULL;
    CLEANUP(buf_deinit) struct buf b;
    buf_init(&b, KIB(8));
    utf8_add_escaped(&b, text);
    if (buf_cstr(&b))
        copy = arena_printf(&c->arena, "%s", b.p);
    return copy ? copy : "?";
}

static void name_skill(struct check *c, struct skill_state *s,
                       const Stigmer__Storage__V1__SkillRecord *m)
{
    str org = str_of(m->org.data, m->org.len), slug = str_of(m->slug.data, m->slug.len);
    const char *name = org.len
                           ? arena_printf(&c->arena, "@%s/%s", escaped(c, org), escaped(c, slug))
                           : escaped(c, slug);
    s->name = !name ? "?" : slug.len ? name : s->id;
    s->org = org.len ? map_hash(0, org) : 0;
}

static struct skill_state *skill_new(struct check *c)
{
    if (c->n_skills == c->max_skills) {
        size_t max = c->max_skills ? 2 * c->max_skills : 64;
        struct skill_state *wider = reallocarray(c->skills, max, sizeof *wider);
        if (!wider)
            return NULL;
        c->skills = wider;
        c->max_skills = max;
    }
    c->skills[c->n_skills] = (struct skill_state){.id = "?"};
    return &c->skills[c->n_skills++];
}

static enum err add_skill(struct check *c, str id, const Stigmer__Storage__V1__SkillRecord *m,
                          struct error *e)
{
    struct skill_state *s = skill_new(c);
    uint64_t *at = s && m->number ? map_at(&c->by_number, m->number) : NULL;
    if (!s || (!at && m->number))
        return FAIL_NOMEM(e);
    const char *copy = arena_printf(&c->arena, "%.*s", STR_ARG(id));
    if (!copy)
        return FAIL_NOMEM(e);
    s->id = copy;
    name_skill(c, s, m);
    s->number = m->number;
    s->first_seq = m->first_seq;
    s->last_seq = m->last_seq;
    s->purged_seq = m->purged_seq;
    s->live = m->live;
    if (!at || *at)
        found(c, "record", s->name, "the number of %s is %s", s->name,
              at ? "another skill's, too" : "missing");
    if (at)
        *at = c->n_skills; /* index + 1 */
    return ERR_OK;
}

static enum err take_skill(struct check *c, str key, str payload, struct error *e)
{
    Stigmer__Storage__V1__SkillRecord *m =
        stigmer__storage__v1__skill_record__unpack(NULL, payload.len, (const uint8_t *)payload.p);
    if (!m) {
        found(c, "record", NULL, "the record of skill %s cannot be read", escaped(c, key));
        return ERR_OK;
    }
    enum err err = add_skill(c, key, m, e);
    stigmer__storage__v1__skill_record__free_unpacked(m, NULL);
    return err;
}

static void take_unknown(struct check *c, str tree_name)
{
    if (is_former(tree_name))
        c->former = true;
    else
        found(c, "record", NULL, "there is a table %s, which no server makes",
              escaped(c, tree_name));
}

static enum err take_record(void *ctx, str tree_name, str placed, str value, struct error *e)
{
    struct check *c = ctx;
    enum meta_tree tree;
    enum meta_table table;
    struct meta_key key;
    str payload;
    if (!find_tree(tree_name, &tree)) {
        take_unknown(c, tree_name);
        return ERR_OK;
    }
    if (!key_unplace(tree, placed, &table, &key)) {
        found(c, "record", NULL, "a record of %s has a key that no server makes",
              meta_tree_name(tree));
        return ERR_OK;
    }
    if (!record_unseal(table, key_view(&key), value, &payload)) {
        found(c, "record", NULL, "a record of table %s is damaged", meta_table_name(table));
        return ERR_OK;
    }
    return table == META_SKILLS ? take_skill(c, key_view(&key), payload, e) : ERR_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct opened {
    MDB_env *env;
    int fd;   /* data.mdb */
    int hold; /* storage/removal.lock, so that what this state refers to is not collected */
};

static void opened_deinit(struct check *c, struct opened *o)
{
    if (c->txn)
        mdb_txn_abort(c->txn);
    if (o->env)
        mdb_env_close(o->env);
    sys_closep(&o->fd);
    sys_closep(&o->hold);
}

static enum err open_file(const char *dir, int *ret, struct error *e)
{
    char path[SYS_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/data.mdb", dir) >= (int)sizeof path)
        return FAIL(e, ERR_INVALID_ARGUMENT, "check.path", "the path is too long");
    enum err err = sys_openat(AT_FDCWD, path, O_RDONLY, 0, ret, e);
    if (err == ERR_NOT_FOUND)
        return FAIL(e, err, "check.no_database", "there is no database at DB_PATH=%s", dir);
    return err;
}

static void open_trees(struct check *c)
{
    for (int i = 0; i < META_N_TREES; i++)
        c->has[i] = mdb_dbi_open(c->txn, meta_tree_name((enum meta_tree)i), 0, &c->dbis[i]) == 0;
}

/* A read transaction keeps the pages of its state from being written again. Without the lock file
 * (on a medium that cannot be written) nobody else writes, either. */
static bool pin(struct check *c, struct opened *o, unsigned flags)
{
    if (mdb_env_create(&o->env) != 0)
        return false;
    bool ok = mdb_env_set_maxdbs(o->env, META_N_TREES) == 0 &&
              mdb_env_open(o->env, c->o->db_path, MDB_RDONLY | MDB_NOTLS | flags, 0600) == 0 &&
              mdb_txn_begin(o->env, NULL, MDB_RDONLY, &c->txn) == 0;
    if (!ok) {
        mdb_env_close(o->env);
        o->env = NULL;
        c->txn = NULL;
    }
    return ok;
}

/* *ret_sound: LMDB may be let into the pages. */
static enum err walk_pages(struct check *c, struct opened *o, bool records, bool *ret_sound,
                           struct error *e)
{
    struct pages_report r;
    const struct pages_options options = {
        .fd = o->fd,
        .txn = c->txn ? mdb_txn_id(c->txn) : 0,
        .record = records ? take_record : NULL,
        .wrong = page_is_wrong,
        .ctx = c,
    };
    enum err err = pages_walk(&options, &r, e);
    c->report->pages = r.pages;
    c->report->lost_pages = r.lost;
    c->report->records = r.records;
    c->report->skills = c->n_skills;
    *ret_sound = err == ERR_OK && r.wrong == 0 && c->txn;
    return err;
}

/* Every server makes the file; where it is not there, nobody collects. */
static enum err hold_store(struct check *c, struct opened *o, struct error *e)
{
    char path[SYS_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/removal.lock", c->o->storage_path) >= (int)sizeof path)
        return FAIL(e, ERR_INVALID_ARGUMENT, "check.path", "the path is too long");
    enum err err = sys_openat(AT_FDCWD, path, O_RDONLY, 0, &o->hold, e);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    return err == ERR_OK ? sys_lock_shared(o->hold, e) : err;
}

static enum err open_all(struct check *c, struct opened *o, struct error *e)
{
    TRY(hold_store(c, o, e));
    TRY(open_file(c->o->db_path, &o->fd, e));
    if (!pin(c, o, 0))
        (void)pin(c, o, MDB_NOLOCK);
    return ERR_OK;
}

static enum err run(struct check *c, struct opened *o, struct error *e)
{
    bool sound;
    TRY(open_all(c, o, e));
    TRY(walk_pages(c, o, true, &sound, e));
    if (!sound)
        return c->former ? FAIL(e, ERR_FAILED_PRECONDITION, "check.former",
                                "the database was written by an older stigmer-server; use that "
                                "version to check or repair it")
                         : ERR_OK;
    open_trees(c);
    TRY(check_records(c, e));
    return c->o->skip_artifacts ? ERR_OK : check_artifacts(c, e);
}

static struct check check_new(const struct check_options *o, struct check_report *ret)
{
    *ret = (struct check_report){.findings = 0};
    struct check c = {.o = o, .report = ret, .dirfd = -1};
    return c;
}

static void check_deinit(struct check *c)
{
    map_deinit(&c->by_number);
    map_deinit(&c->tags);
    map_deinit(&c->live);
    free(c->skills);
    sys_closep(&c->dirfd);
    arena_deinit(&c->arena);
}

static enum err check_with(const struct check_options *o, struct check_report *ret,
                           enum err (*fn)(struct check *c, struct opened *o, struct error *e),
                           struct error *e)
{
    struct check c = check_new(o, ret);
    struct opened opened = {.fd = -1, .hold = -1};
    arena_init(&c.arena, ARENA_MAX);
    enum err err = fn(&c, &opened, e);
    opened_deinit(&c, &opened);
    check_deinit(&c);
    return err;
}

enum err check_store(const struct check_options *o, struct check_report *ret, struct error *e)
{
    return check_with(o, ret, run, e);
}

static enum err only_pages(struct check *c, struct opened *o, struct error *e)
{
    bool sound;
    TRY(open_file(c->o->db_path, &o->fd, e));
    return walk_pages(c, o, false, &sound, e);
}

enum err check_pages(const struct check_options *o, struct check_report *ret, struct error *e)
{
    return check_with(o, ret, only_pages, e);
}

/* --- salvage ---------------------------------------------------------------------------------- */

struct salvage {
    enum err (*fn)(void *ctx, enum meta_table table, str key, str payload, struct error *e);
    void *ctx;
    struct check_tree *trees;
};

static enum err pass_record(void *ctx, str tree_name, str placed, str value, struct error *e)
{
    const struct salvage *s = ctx;
    enum meta_tree tree;
    enum meta_table table;
    struct meta_key key;
    str payload;
    if (!find_tree(tree_name, &tree) || !key_unplace(tree, placed, &table, &key) ||
        !record_unseal(table, key_view(&key), value, &payload))
        return ERR_OK;
    s->trees[tree].sound++;
    return s->fn(s->ctx, table, key_view(&key), payload, e);
}

static void note_tree(void *ctx, str name, uint64_t records)
{
    const struct salvage *s = ctx;
    enum meta_tree tree;
    if (find_tree(name, &tree))
        s->trees[tree] = (struct check_tree){.there = true, .records = records};
}

static void ignore_wrong(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

enum err check_each_sound(const char *db_path,
                          enum err (*fn)(void *ctx, enum meta_table table, str key, str payload,
                                         struct error *e),
                          void *ctx, struct check_tree ret[META_N_TREES], struct error *e)
{
    struct salvage s = {fn, ctx, ret};
    struct pages_report r;
    CLEANUP(sys_closep) int fd = -1;
    memset(ret, 0, META_N_TREES * sizeof *ret);
    TRY(open_file(db_path, &fd, e));
    const struct pages_options o = {
        .fd = fd, .record = pass_record, .table = note_tree, .wrong = ignore_wrong, .ctx = &s};
    return pages_walk(&o, &r, e);
}
