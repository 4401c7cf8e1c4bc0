/*
 * No operation reads more records than it answers, however many there are: the same calls over a
 * small store and over a large one, counted at the metadata's backend.
 */
#include "kit.h"
#include "meta/backend.h"

#include <stdio.h>

/* --- counting --------------------------------------------------------------------------------- */

static const struct meta_ops *real;
static struct meta_ops counting;
static unsigned n_reads;

static enum err begin_read(struct meta_backend *b, struct meta_btxn **ret, struct error *e)
{
    enum err err = real->begin_read(b, ret, e);
    if (err == ERR_OK)
        (*ret)->ops = &counting;
    return err;
}

static enum err begin_write(struct meta_backend *b, struct meta_btxn *parent,
                            struct meta_btxn **ret, struct error *e)
{
    enum err err = real->begin_write(b, parent, ret, e);
    if (err == ERR_OK)
        (*ret)->ops = &counting;
    return err;
}

static enum err get(struct meta_btxn *t, enum meta_table table, str key, str *ret, struct error *e)
{
    n_reads++;
    return real->get(t, table, key, ret, e);
}

static enum err cursor_open(struct meta_btxn *t, enum meta_table table, str prefix,
                            struct meta_bcursor **ret, struct error *e)
{
    enum err err = real->cursor_open(t, table, prefix, ret, e);
    if (err == ERR_OK)
        (*ret)->ops = &counting;
    return err;
}

static enum err seek(struct meta_bcursor *c, str key, str *ret_key, str *ret_value, struct error *e)
{
    n_reads++;
    return real->seek(c, key, ret_key, ret_value, e);
}

static enum err seek_before(struct meta_bcursor *c, str key, str *ret_key, str *ret_value,
                            struct error *e)
{
    n_reads++;
    return real->seek_before(c, key, ret_key, ret_value, e);
}

static enum err next(struct meta_bcursor *c, str *ret_key, str *ret_value, struct error *e)
{
    n_reads++;
    return real->next(c, ret_key, ret_value, e);
}

static struct kit counted_kit(void)
{
    struct kit k = {0};
    struct meta_backend *b;
    arena_init(&k.a, MIB(64));
    CHECK_OK(store_open_mem(&k.store, &k.e), &k.e);
    CHECK_OK(meta_mem_new(&b, &k.e), &k.e);
    real = b->ops;
    counting = *real;
    counting.begin_read = begin_read;
    counting.begin_write = begin_write;
    counting.get = get;
    counting.cursor_open = cursor_open;
    counting.seek = seek;
    counting.seek_before = seek_before;
    counting.next = next;
    b->ops = &counting;
    CHECK_OK(meta_new(b, NULL, &k.meta, &k.e), &k.e);
    CHECK_OK(skill_service_new(k.store, k.meta, NULL, NULL, &k.service, &k.e), &k.e);
    return k;
}

/* --- two stores ------------------------------------------------------------------------------- */

enum { TAIL = 20 }; /* versions of acme/m with their tags, in both stores */

/* acme/m lies in the middle of n others on both sides and has `history` versions before the last
 * TAIL; n skills of other orgs have its slug; many versions hold the same bytes. */
static struct kit make_store(int n, int history)
{
    char what[64], text[64];
    struct kit k = counted_kit();
    for (int i = 0; i < n; i++) {
        (void)snprintf(what, sizeof what, "acme/a%d@v1", i);
        kit_push(&k, what, "shared");
        (void)snprintf(what, sizeof what, "acme/z%d@v1", i);
        kit_push(&k, what, "shared");
        (void)snprintf(what, sizeof what, "org%d/m@v1", i);
        kit_push(&k, what, "shared");
        kit_forget(&k);
    }
    for (int i = -history; i < TAIL; i++) {
        (void)snprintf(what, sizeof what, "acme/m@%s%d", i < 0 ? "h" : "t", i < 0 ? -i : i);
        (void)snprintf(text, sizeof text, "version %d", i);
        kit_push(&k, what, text);
        kit_forget(&k);
    }
    return k;
}

/* --- what is asked ---------------------------------------------------------------------------- */

static void latest(struct kit *k)
{
    CHECK_STR(kit_resolve(k, "acme/m").skill_md, STR("version 19"));
}

static void by_tag(struct kit *k)
{
    CHECK_STR(kit_resolve(k, "acme/m@t3").skill_md, STR("version 3"));
}

static void by_hash(struct kit *k)
{
    char hex[SHA256_HEX_LEN + 1], what[100];
    struct skill s = kit_resolve(k, "acme/m@t5");
    digest_to_hex(&s.hash, hex);
    (void)snprintf(what, sizeof what, "acme/m@%s", hex);
    CHECK_STR(kit_resolve(k, what).skill_md, STR("version 5"));
}

static void by_id(struct kit *k)
{
    struct skill s;
    CHECK_OK(skill_get(k->service, STR("org/acme/skill/m"), &k->a, &s, &k->e), &k->e);
}

static void who_moved_a_tag(struct kit *k)
{
    struct skill_tag tag;
    struct skill_ref ref = kit_ref("acme/m@t3");
    CHECK_OK(skill_tag(k->service, &ref, &k->a, &tag, &k->e), &k->e);
}

static void archive(struct kit *k)
{
    char key[STORE_KEY_MAX];
    bool ready;
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    struct skill s = kit_resolve(k, "acme/a0"); /* whose bytes many have */
    store_key(&s.hash, key);
    CHECK_OK(skill_open_artifact(k->service, str_c(key), false, &ready, &a, &k->e), &k->e);
}

static void files(struct kit *k)
{
    struct skill_file_list l;
    const struct skill_files q = {.ref = kit_ref("acme/m@t7"), .page_size = 100};
    CHECK_OK(skill_files(k->service, &q, &k->a, &l, &k->e), &k->e);
    CHECK_INT(l.n_items, 1);
}

static void a_page_of_versions(struct kit *k)
{
    struct skill_list l;
    const struct skill_versions q = {.ref = kit_ref("acme/m"), .page_size = 10};
    CHECK_OK(skill_versions(k->service, &q, &k->a, &l, &k->e), &k->e);
    CHECK_INT(l.n_items, 10);
}

static void the_next_page_of_versions(struct kit *k)
{
    struct skill_list l;
    struct skill_versions q = {.ref = kit_ref("acme/m"), .page_size = 5};
    CHECK_OK(skill_versions(k->service, &q, &k->a, &l, &k->e), &k->e);
    q.token = l.next_token;
    CHECK_OK(skill_versions(k->service, &q, &k->a, &l, &k->e), &k->e);
    CHECK_INT(l.n_items, 5);
}

static void two_pages_of_skills(struct kit *k)
{
    struct skill_list l;
    struct skill_find q = {.org = STR("acme"), .page_size = 4, .page = 1};
    CHECK_OK(skill_find(k->service, &q, &k->a, &l, &k->e), &k->e);
    q.token = l.next_token;
    CHECK_OK(skill_find(k->service, &q, &k->a, &l, &k->e), &k->e);
    CHECK_INT(l.n_items, 4);
}

static void a_new_skill(struct kit *k)
{
    kit_push(k, "acme/new@v1", "new");
}

static void a_new_version(struct kit *k)
{
    kit_push(k, "acme/m@later", "later");
}

static void the_same_again(struct kit *k)
{
    kit_push(k, "acme/m@later", "later");
}

static void bytes_that_many_have(struct kit *k)
{
    kit_push(k, "acme/m@shared", "shared");
}

static void a_tag_that_moves(struct kit *k)
{
    struct skill s;
    struct skill_ref ref = kit_ref("acme/m@t9");
    CHECK_OK(skill_move_tag(k->service, &ref, STR("t3"), STR_NULL, &k->a, &s, &k->e), &k->e);
}

static void a_delete(struct kit *k)
{
    struct skill s;
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/m"), STR_NULL, &k->a, &s, &k->e), &k->e);
}

/* In this order: some change the store. most: reads that the answer explains. */
static const struct operation {
    const char *name;
    void (*run)(struct kit *k);
    unsigned most;
} operations[] = {
    {"latest", latest, 4},
    {"by tag", by_tag, 5},
    {"by hash", by_hash, 10},
    {"by id", by_id, 4},
    {"who moved a tag", who_moved_a_tag, 6},
    {"an archive", archive, 6},
    {"the files of a version", files, 8},
    {"10 versions with their tags", a_page_of_versions, 35},
    {"5 versions and 5 more", the_next_page_of_versions, 35},
    {"4 skills and 4 more", two_pages_of_skills, 40},
    {"a new skill", a_new_skill, 25},
    {"a new version", a_new_version, 25},
    {"the same again", the_same_again, 10},
    {"bytes that many have", bytes_that_many_have, 25},
    {"a tag that moves", a_tag_that_moves, 15},
    {"a delete", a_delete, 15},
};

static unsigned reads_of(struct kit *k, const struct operation *o)
{
    n_reads = 0;
    o->run(k);
    kit_forget(k);
    return n_reads;
}

TEST(reads_do_not_grow_with_the_store)
{
    unsigned small[ARRAY_SIZE(operations)];
    struct kit k = make_store(5, 0);
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        small[i] = reads_of(&k, &operations[i]);
    kit_close(&k);
    k = make_store(400, 500);
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        const struct operation *o = &operations[i];
        unsigned large = reads_of(&k, o);
        printf("# %-28s %3u reads\n", o->name, large);
        if (large != small[i] || large > o->most)
            test_fail(__FILE__, __LINE__,
                      "%s: %u reads in a small store, %u in a large one, at most %u", o->name,
                      small[i], large, o->most);
    }
    kit_close(&k);
}
