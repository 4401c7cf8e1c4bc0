/* What src/meta/backend.h promises, held against every backend. */
#include "meta_kinds.h"

#include <stdio.h>
#include <stdlib.h>

static struct error e;

static struct meta_backend *open_backend(const struct kind *kind)
{
    struct meta_backend *b = NULL;
    CHECK_OK(kind->backend(&b, &e), &e);
    return b;
}

static struct meta_btxn *begin_write(struct meta_backend *b, struct meta_btxn *parent)
{
    struct meta_btxn *t = NULL;
    CHECK_OK(b->ops->begin_write(b, parent, &t, &e), &e);
    return t;
}

static struct meta_btxn *begin_read(struct meta_backend *b)
{
    struct meta_btxn *t = NULL;
    CHECK_OK(b->ops->begin_read(b, &t, &e), &e);
    return t;
}

static void put(struct meta_btxn *t, const char *key, const char *value)
{
    CHECK_OK(t->ops->put(t, META_SKILLS, str_c(key), str_c(value), &e), &e);
}

static void commit(struct meta_btxn *t)
{
    CHECK_OK(t->ops->commit(t, &e), &e);
}

static void check_value(struct meta_btxn *t, const char *key, const char *want)
{
    str got;
    CHECK_OK(t->ops->get(t, META_SKILLS, str_c(key), &got, &e), &e);
    CHECK_STR(got, str_c(want));
}

static void check_missing(struct meta_btxn *t, const char *key)
{
    str got;
    CHECK_ERR(t->ops->get(t, META_SKILLS, str_c(key), &got, &e), ERR_NOT_FOUND, &e);
}

ON_EACH(put_get_replace_delete)
{
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *t = begin_write(b, NULL);
    put(t, "k", "one");
    check_value(t, "k", "one");
    put(t, "k", "two");
    check_value(t, "k", "two");
    put(t, "empty", "");
    check_value(t, "empty", "");
    CHECK_OK(t->ops->del(t, META_SKILLS, STR("k"), &e), &e);
    check_missing(t, "k");
    CHECK_ERR(t->ops->del(t, META_SKILLS, STR("k"), &e), ERR_NOT_FOUND, &e);
    check_value(t, "empty", "");
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(tables_are_separate)
{
    const str key = STR("as long as the beginnings of all"); /* 32 bytes */
    str got;
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *t = begin_write(b, NULL);
    for (int i = 0; i < META_N_TABLES; i++)
        CHECK_OK(
            t->ops->put(t, (enum meta_table)i, key, str_c(meta_table_name((enum meta_table)i)), &e),
            &e);
    for (int i = 0; i < META_N_TABLES; i++) {
        CHECK_OK(t->ops->get(t, (enum meta_table)i, key, &got, &e), &e);
        CHECK_STR(got, str_c(meta_table_name((enum meta_table)i)));
    }
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(abort_undoes_commit_keeps)
{
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *t = begin_write(b, NULL);
    put(t, "gone", "1");
    t->ops->abort(t);
    t = begin_write(b, NULL);
    check_missing(t, "gone");
    put(t, "kept", "1");
    commit(t);
    t = begin_read(b);
    check_missing(t, "gone");
    check_value(t, "kept", "1");
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(a_reader_sees_the_state_of_its_begin)
{
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *w = begin_write(b, NULL);
    put(w, "a", "old");
    put(w, "b", "old");
    commit(w);
    struct meta_btxn *before = begin_read(b);
    w = begin_write(b, NULL);
    put(w, "a", "new");
    CHECK_OK(w->ops->del(w, META_SKILLS, STR("b"), &e), &e);
    struct meta_btxn *during = begin_read(b);
    check_value(during, "a", "old");
    commit(w);
    struct meta_btxn *after = begin_read(b);
    check_value(before, "a", "old");
    check_value(before, "b", "old");
    check_value(during, "b", "old");
    check_value(after, "a", "new");
    check_missing(after, "b");
    before->ops->abort(before);
    during->ops->abort(during);
    after->ops->abort(after);
    b->ops->close(b);
}

ON_EACH(a_child_sees_its_parent_and_hands_over_or_undoes_its_own)
{
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *top = begin_write(b, NULL);
    put(top, "p", "parent");
    struct meta_btxn *child = begin_write(b, top);
    check_value(child, "p", "parent");
    put(child, "p", "changed");
    put(child, "c", "1");
    child->ops->abort(child);
    check_value(top, "p", "parent");
    check_missing(top, "c");
    child = begin_write(b, top);
    put(child, "c", "2");
    commit(child);
    check_value(top, "c", "2");
    commit(top);
    struct meta_btxn *r = begin_read(b);
    check_value(r, "c", "2");
    check_value(r, "p", "parent");
    r->ops->abort(r);
    b->ops->close(b);
}

ON_EACH(aborting_the_parent_undoes_committed_children)
{
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *top = begin_write(b, NULL);
    struct meta_btxn *child = begin_write(b, top);
    put(child, "c", "1");
    commit(child);
    top->ops->abort(top);
    struct meta_btxn *r = begin_read(b);
    check_missing(r, "c");
    r->ops->abort(r);
    b->ops->close(b);
}

static void fill(struct meta_backend *b, const char *const *keys, size_t n)
{
    struct meta_btxn *t = begin_write(b, NULL);
    for (size_t i = 0; i < n; i++)
        put(t, keys[i], keys[i]);
    commit(t);
}

ON_EACH(cursors_go_in_byte_order)
{
    static const char *const keys[] = {"b", "a", "ab", "\xff", "a\x01", "B"};
    static const char *const order[] = {"B", "a", "a\x01", "ab", "b", "\xff"};
    struct meta_backend *b = open_backend(kind);
    struct meta_bcursor *c;
    str k, v;
    fill(b, keys, ARRAY_SIZE(keys));
    struct meta_btxn *t = begin_read(b);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &c, &e), &e);
    CHECK_OK(c->ops->seek(c, STR_NULL, &k, &v, &e), &e);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        CHECK_STR(k, str_c(order[i]));
        CHECK_STR(v, str_c(order[i]));
        CHECK_ERR(c->ops->next(c, &k, &v, &e), i + 1 < ARRAY_SIZE(order) ? ERR_OK : ERR_NOT_FOUND,
                  &e);
    }
    for (size_t i = ARRAY_SIZE(order); i-- > 0;) {
        str end = i + 1 < ARRAY_SIZE(order) ? str_c(order[i + 1]) : STR_NULL;
        CHECK_OK(c->ops->seek_before(c, end, &k, &v, &e), &e);
        CHECK_STR(k, str_c(order[i]));
    }
    c->ops->cursor_close(c);
    t->ops->abort(t);
    b->ops->close(b);
}

/* want NULL: nothing there. */
static void check_seek(struct meta_bcursor *c, const char *from, const char *want,
                       const char *want_before)
{
    str k, v;
    CHECK_ERR(c->ops->seek(c, str_c(from), &k, &v, &e), want ? ERR_OK : ERR_NOT_FOUND, &e);
    if (want)
        CHECK_STR(k, str_c(want));
    CHECK_ERR(c->ops->seek_before(c, str_c(from), &k, &v, &e), want_before ? ERR_OK : ERR_NOT_FOUND,
              &e);
    if (want_before)
        CHECK_STR(k, str_c(want_before));
}

ON_EACH(seeks_land_at_and_before_a_key)
{
    static const char *const keys[] = {"b", "d", "da"};
    struct meta_backend *b = open_backend(kind);
    struct meta_bcursor *c;
    fill(b, keys, ARRAY_SIZE(keys));
    struct meta_btxn *t = begin_read(b);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &c, &e), &e);
    check_seek(c, "a", "b", NULL);
    check_seek(c, "b", "b", NULL);
    check_seek(c, "c", "d", "b");
    check_seek(c, "d", "d", "b");
    check_seek(c, "d\x01", "da", "d");
    check_seek(c, "e", NULL, "da");
    c->ops->cursor_close(c);
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(an_empty_table_has_no_ends)
{
    struct meta_backend *b = open_backend(kind);
    struct meta_bcursor *c;
    struct meta_btxn *t = begin_read(b);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &c, &e), &e);
    check_seek(c, "", NULL, NULL);
    check_seek(c, "a", NULL, NULL);
    c->ops->cursor_close(c);
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(a_writer_scans_its_own_writes)
{
    static const char *const keys[] = {"a", "c"};
    struct meta_backend *b = open_backend(kind);
    struct meta_bcursor *c;
    str k, v;
    fill(b, keys, ARRAY_SIZE(keys));
    struct meta_btxn *t = begin_write(b, NULL);
    put(t, "b", "b");
    CHECK_OK(t->ops->del(t, META_SKILLS, STR("c"), &e), &e);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &c, &e), &e);
    CHECK_OK(c->ops->seek_before(c, STR_NULL, &k, &v, &e), &e);
    CHECK_STR(k, STR("b"));
    CHECK_OK(c->ops->seek_before(c, STR("b"), &k, &v, &e), &e);
    CHECK_STR(k, STR("a"));
    c->ops->cursor_close(c);
    t->ops->abort(t);
    b->ops->close(b);
}

/* number, what is on, as in META_VERSIONS, META_TAGGED, … */
static str number_key(char out[64], uint64_t number, const char *rest, size_t len)
{
    struct meta_key k = META_KEY_INIT;
    key_add_u64(&k, number);
    key_add(&k, str_of(rest, len));
    memcpy(out, k.b, k.len);
    return str_of(out, k.len);
}

/* Each table of what may share a tree has the keys 1.aaaaaaaa, 1.bbbbbbbb and 3.aaaaaaaa, with its
 * name for a value. */
static const enum meta_table sharing[] = {META_VERSIONS, META_TAGGED, META_TEXTS, META_TAGS,
                                          META_HASHES};

static void fill_sharing(struct meta_backend *b)
{
    static const struct {
        uint64_t number;
        const char *rest;
    } keys[] = {{1, "\0aaaaaaa"}, {1, "\0bbbbbbb"}, {3, "\0aaaaaaa"}};
    char k[64];
    struct meta_btxn *t = begin_write(b, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(sharing); i++)
        for (size_t n = 0; n < ARRAY_SIZE(keys); n++)
            CHECK_OK(t->ops->put(t, sharing[i], number_key(k, keys[n].number, keys[n].rest, 8),
                                 str_c(meta_table_name(sharing[i])), &e),
                     &e);
    commit(t);
}

/* All of the table's keys, by their number and the first letter behind its zero: "1a1b3a". */
static void check_keys(struct meta_btxn *t, enum meta_table table, str prefix, const char *want)
{
    struct meta_bcursor *c;
    struct buf seen;
    str k, v;
    buf_init(&seen, 1000);
    CHECK_OK(t->ops->cursor_open(t, table, prefix, &c, &e), &e);
    enum err err = c->ops->seek(c, prefix, &k, &v, &e);
    for (; err == ERR_OK && str_starts_with(k, prefix); err = c->ops->next(c, &k, &v, &e)) {
        CHECK_INT(k.len, 16);
        buf_addf(&seen, "%d%c", (int)key_get_u64(k.p), k.p[9]);
        CHECK_STR(v, str_c(meta_table_name(table)));
    }
    CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
    c->ops->cursor_close(c);
    CHECK_STR(buf_view(&seen), str_c(want));
    buf_deinit(&seen);
}

static void check_before(struct meta_btxn *t, enum meta_table table, str before, const char *want)
{
    struct meta_bcursor *c;
    char text[8];
    str k, v;
    CHECK_OK(t->ops->cursor_open(t, table, STR_NULL, &c, &e), &e);
    CHECK_ERR(c->ops->seek_before(c, before, &k, &v, &e), *want ? ERR_OK : ERR_NOT_FOUND, &e);
    if (*want) {
        (void)snprintf(text, sizeof text, "%d%c", (int)key_get_u64(k.p), k.p[9]);
        CHECK_STR(str_c(text), str_c(want));
    }
    c->ops->cursor_close(c);
}

ON_EACH(tables_that_share_a_tree_do_not_see_each_other)
{
    char one[64], two[64], three[64], last[64];
    struct meta_backend *b = open_backend(kind);
    fill_sharing(b);
    struct meta_btxn *t = begin_read(b);
    for (size_t i = 0; i < ARRAY_SIZE(sharing); i++) {
        enum meta_table table = sharing[i];
        check_keys(t, table, STR_NULL, "1a1b3a");
        check_keys(t, table, number_key(one, 1, "", 0), "1a1b");
        check_keys(t, table, number_key(two, 2, "", 0), "");
        check_keys(t, table, number_key(three, 3, "\0aaaaaaa", 8), "3a");
        check_before(t, table, STR_NULL, "3a");
        check_before(t, table, number_key(last, 3, "\0aaaaaaa", 8), "1b");
        check_before(t, table, number_key(last, 1, "\0aaaaaaa", 8), "");
    }
    t->ops->abort(t);
    b->ops->close(b);
}

/* Whatever a read transaction keeps at hand is of its own state. */
ON_EACH(a_reader_that_comes_again_sees_what_was_written)
{
    struct meta_backend *b = open_backend(kind);
    for (int i = 0; i < 3; i++) {
        static const char *const values[] = {"one", "two", "three"};
        struct meta_btxn *t = begin_write(b, NULL);
        put(t, "k", values[i]);
        put(t, values[i], "x");
        commit(t);
        t = begin_read(b);
        check_value(t, "k", values[i]);
        check_value(t, values[i], "x");
        check_missing(t, i == 0 ? "two" : "none");
        check_value(t, "k", values[i]);
        t->ops->abort(t);
    }
    b->ops->close(b);
}

/* Two cursors over one table, and gets between their steps. */
ON_EACH(cursors_do_not_disturb_each_other)
{
    static const char *const keys[] = {"a", "b", "c"};
    struct meta_backend *b = open_backend(kind);
    struct meta_bcursor *one, *two;
    str k, v;
    fill(b, keys, ARRAY_SIZE(keys));
    struct meta_btxn *t = begin_read(b);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &one, &e), &e);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &two, &e), &e);
    CHECK_OK(one->ops->seek(one, STR_NULL, &k, &v, &e), &e);
    CHECK_OK(two->ops->seek_before(two, STR_NULL, &k, &v, &e), &e);
    check_value(t, "c", "c");
    CHECK_OK(one->ops->next(one, &k, &v, &e), &e);
    CHECK_STR(k, STR("b"));
    check_missing(t, "d");
    CHECK_OK(two->ops->seek(two, STR("b"), &k, &v, &e), &e);
    CHECK_STR(k, STR("b"));
    one->ops->cursor_close(one);
    check_value(t, "a", "a");
    CHECK_OK(two->ops->next(two, &k, &v, &e), &e);
    CHECK_STR(k, STR("c"));
    two->ops->cursor_close(two);
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(long_keys_and_big_values)
{
    static char key[META_KEY_MAX], value[3 << 20];
    str got;
    struct meta_backend *b = open_backend(kind);
    memset(key, 'k', sizeof key);
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (char)(i * 31 + i / 4096);
    struct meta_btxn *t = begin_write(b, NULL);
    CHECK_OK(t->ops->put(t, META_EVENTS, str_of(key, sizeof key), str_of(value, sizeof value), &e),
             &e);
    commit(t);
    t = begin_read(b);
    CHECK_OK(t->ops->get(t, META_EVENTS, str_of(key, sizeof key), &got, &e), &e);
    CHECK(str_eq(got, str_of(value, sizeof value)));
    t->ops->abort(t);
    b->ops->close(b);
}

/* Random changes against a plain model: same content, same order, at every commit. */
ON_EACH(random_changes_match_a_model)
{
    enum { N_KEYS = 500, N_STEPS = 5000 };
    static unsigned model[N_KEYS]; /* 0: absent */
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *t = begin_write(b, NULL);
    unsigned seed = 12345;
    char k[16], v[16];
    for (unsigned i = 1; i <= N_STEPS; i++) {
        unsigned n = (unsigned)rand_r(&seed) % N_KEYS;
        (void)snprintf(k, sizeof k, "%04u", n);
        (void)snprintf(v, sizeof v, "%u", i);
        bool del = rand_r(&seed) % 3 == 0;
        if (del)
            CHECK_ERR(t->ops->del(t, META_SKILLS, str_c(k), &e), model[n] ? ERR_OK : ERR_NOT_FOUND,
                      &e);
        else
            put(t, k, v);
        model[n] = del ? 0 : i;
    }
    commit(t);
    struct meta_bcursor *c;
    str key, value;
    t = begin_read(b);
    CHECK_OK(t->ops->cursor_open(t, META_SKILLS, STR_NULL, &c, &e), &e);
    enum err err = c->ops->seek(c, STR_NULL, &key, &value, &e);
    for (unsigned n = 0; n < N_KEYS; n++) {
        if (!model[n])
            continue;
        CHECK_INT(err, ERR_OK);
        (void)snprintf(k, sizeof k, "%04u", n);
        (void)snprintf(v, sizeof v, "%u", model[n]);
        CHECK_STR(key, str_c(k));
        CHECK_STR(value, str_c(v));
        err = c->ops->next(c, &key, &value, &e);
    }
    CHECK_INT(err, ERR_NOT_FOUND);
    c->ops->cursor_close(c);
    t->ops->abort(t);
    b->ops->close(b);
}

ON_EACH(reopening_finds_what_was_committed)
{
    if (!kind->persistent)
        test_skip("memory does not persist");
    struct meta_backend *b = open_backend(kind);
    struct meta_btxn *t = begin_write(b, NULL);
    put(t, "k", "v");
    commit(t);
    t = begin_write(b, NULL);
    put(t, "k", "never");
    t->ops->abort(t);
    b->ops->close(b);
    b = open_backend(kind);
    t = begin_read(b);
    check_value(t, "k", "v");
    t->ops->abort(t);
    b->ops->close(b);
}
