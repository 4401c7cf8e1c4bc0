#include "kit.h"
#include "skill/dump.h"

#include <stdio.h>

static struct skill_list find(struct kit *k, const char *org, uint32_t page, uint32_t size,
                              str token)
{
    struct skill_find q = {.org = str_c(org), .page = page, .page_size = size, .token = token};
    struct skill_list list;
    CHECK_OK(skill_find(k->service, &q, &k->a, &list, &k->e), &k->e);
    return list;
}

static void push_many(struct kit *k, const char *org, int n)
{
    for (int i = 0; i < n; i++) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s/s%03d", org, i);
        kit_push(k, what, what);
    }
}

BOTH(an_empty_server_lists_nothing)
{
    struct skill_list list = find(k, "", 1, 20, STR_NULL);
    CHECK_INT(list.n_items, 0);
    CHECK_INT(list.total, 0);
    CHECK_INT(list.next_token.len, 0);
}

BOTH(numbered_pages_cover_everything_once)
{
    push_many(k, "acme", 7);
    push_many(k, "acme-2", 2);
    kit_push(k, "everywhere", "x");
    struct skill_list list = find(k, "", 1, 4, STR_NULL);
    CHECK_INT(list.total, 10);
    CHECK_INT(list.n_items, 4);
    CHECK_STR(list.items[0].id, STR("org/acme-2/skill/s000"));
    CHECK_STR(list.items[0].skill_md, STR("acme-2/s000"));
    CHECK_STR(list.items[2].id, STR("org/acme/skill/s000"));
    list = find(k, "", 3, 4, STR_NULL);
    CHECK_INT(list.n_items, 2);
    CHECK_STR(list.items[1].id, STR("platform/skill/everywhere"));
    CHECK_INT(list.next_token.len, 0);
    list = find(k, "", 4, 4, STR_NULL);
    CHECK_INT(list.n_items, 0);
    CHECK_INT(list.total, 10);
    list = find(k, "", UINT32_MAX, 100, STR_NULL);
    CHECK_INT(list.n_items, 0);
    list = find(k, "acme", 2, 5, STR_NULL);
    CHECK_INT(list.total, 7);
    CHECK_INT(list.n_items, 2);
    CHECK_STR(list.items[1].id, STR("org/acme/skill/s006"));
    CHECK_INT(find(k, "nobody", 1, 5, STR_NULL).total, 0);
}

BOTH(tokens_lead_through_everything_once)
{
    int n = 0;
    str token = STR_NULL;
    push_many(k, "acme", 10);
    push_many(k, "other", 3);
    do {
        struct skill_list list = find(k, "acme", 1, 3, token);
        for (size_t i = 0; i < list.n_items; i++) {
            char id[64];
            (void)snprintf(id, sizeof id, "org/acme/skill/s%03d", n++);
            CHECK_STR(list.items[i].id, str_c(id));
        }
        token = list.next_token;
    } while (token.len);
    CHECK_INT(n, 10);
}

BOTH(a_page_that_ends_exactly_has_no_next)
{
    push_many(k, "acme", 4);
    CHECK(find(k, "acme", 1, 3, STR_NULL).next_token.len > 0);
    CHECK_INT(find(k, "acme", 1, 4, STR_NULL).next_token.len, 0);
    CHECK_INT(find(k, "acme", 2, 2, STR_NULL).next_token.len, 0);
}

BOTH(a_token_goes_on_behind_a_deleted_skill)
{
    struct skill s;
    push_many(k, "acme", 4);
    str token = find(k, "acme", 1, 2, STR_NULL).next_token;
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/s001"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
    struct skill_list list = find(k, "acme", 1, 2, token);
    CHECK_STR(list.items[0].id, STR("org/acme/skill/s002"));
    CHECK_INT(list.total, 3);
}

static void check_find_refused(struct kit *k, struct skill_find q, const char *text)
{
    struct skill_list list;
    CHECK_ERR(skill_find(k->service, &q, &k->a, &list, &k->e), ERR_INVALID_ARGUMENT, &k->e);
    CHECK_CONTAINS(str_c(k->e.msg), str_c(text));
}

BOTH(bad_pages_and_tokens_are_refused)
{
    push_many(k, "acme", 4);
    str token = find(k, "acme", 1, 2, STR_NULL).next_token;
    char bent[200];
    CHECK(token.len < sizeof bent);
    memcpy(bent, token.p, token.len);
    bent[token.len - 1] ^= 1;
    check_find_refused(k, (struct skill_find){.page = 1, .page_size = 0}, "page_size: 1 to 100");
    check_find_refused(k, (struct skill_find){.page = 1, .page_size = 101}, "page_size: 1 to 100");
    check_find_refused(k, (struct skill_find){.page = 0, .page_size = 10}, "count from 1");
    struct skill_find q = {.org = STR("acme"), .page_size = 10};
    static const char *const wrong[] = {
        "x", "zz", "00", "0000000000000000", "00000000000000001", "000000000000000061"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        q.token = str_c(wrong[i]);
        check_find_refused(k, q, "page_token: not a token");
    }
    q.token = str_of(bent, token.len);
    check_find_refused(k, q, "page_token: not a token");
    q.token = token;
    q.org = STR("other"); /* of another question */
    check_find_refused(k, q, "page_token: not a token");
}

BOTH(long_texts_are_left_out_of_a_page_that_is_full_of_them)
{
    static char text[900001];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 5; i++) {
        char what[32];
        (void)snprintf(what, sizeof what, "acme/s%d", i);
        kit_push(k, what, text);
        kit_forget(k);
    }
    struct skill_list list = find(k, "", 1, 10, STR_NULL);
    CHECK_INT(list.n_items, 5);
    for (int i = 0; i < 5; i++)
        CHECK_INT(list.items[i].skill_md.len, i < 3 ? 900000 : 0);
}

/* --- versions --- */

static struct skill_list versions(struct kit *k, const char *what, bool deleted, uint32_t size,
                                  str token)
{
    struct skill_versions q = {
        .ref = kit_ref(what), .include_deleted = deleted, .page_size = size, .token = token};
    struct skill_list list;
    CHECK_OK(skill_versions(k->service, &q, &k->a, &list, &k->e), &k->e);
    return list;
}

BOTH(versions_come_newest_first_with_their_tags)
{
    struct skill s;
    kit_push(k, "acme/calc@v1", "one");
    kit_push(k, "acme/calc@v2", "two");
    kit_push(k, "acme/calc@v2", "three");
    struct skill_ref first = kit_ref("acme/calc@v1");
    CHECK_OK(skill_move_tag(k->service, &first, STR("stable"), STR_NULL, &k->a, &s, &k->e), &k->e);
    struct skill_list list = versions(k, "acme/calc", false, 10, STR_NULL);
    CHECK_INT(list.n_items, 3);
    CHECK_INT(list.total, 3);
    CHECK_INT(list.items[0].version_no, 3);
    CHECK(list.items[0].current && !list.items[1].current);
    CHECK_INT(list.items[0].n_tags_pointing, 1);
    CHECK_STR(list.items[0].tags_pointing[0], STR("v2"));
    CHECK_STR(list.items[1].tag, STR("v2"));
    CHECK_INT(list.items[1].n_tags_pointing, 0); /* moved on */
    CHECK_INT(list.items[2].n_tags_pointing, 2);
    CHECK_STR(list.items[2].tags_pointing[0], STR("stable"));
    CHECK_STR(list.items[2].tags_pointing[1], STR("v1"));
    CHECK_INT(list.items[2].skill_md.len, 0);
    /* In byte order of the tag: an answer does not depend on what came first. */
}

BOTH(versions_page_by_token)
{
    uint64_t want = 10;
    str token = STR_NULL;
    for (int i = 1; i <= 10; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "text %d", i);
        kit_push(k, "acme/calc", text);
    }
    do {
        struct skill_list list = versions(k, "acme/calc", false, 3, token);
        CHECK_INT(list.total, 10);
        for (size_t i = 0; i < list.n_items; i++)
            CHECK_INT(list.items[i].version_no, want--);
        token = list.next_token;
        if (want == 4)
            kit_push(k, "acme/calc", "meanwhile"); /* does not disturb the walk */
        if (want == 4)
            break;
    } while (token.len);
    CHECK_INT(want, 4);
    struct skill_list rest = versions(k, "acme/calc", false, 10, token);
    CHECK_INT(rest.n_items, 4);
    CHECK_INT(rest.items[0].version_no, 4);
    CHECK_INT(rest.next_token.len, 0);
    CHECK_INT(rest.total, 11);
}

BOTH(a_versions_token_belongs_to_its_list)
{
    struct skill_list list;
    push_many(k, "acme", 2);
    kit_push(k, "acme/s000", "second");
    kit_push(k, "acme/s001", "second");
    str token = versions(k, "acme/s000", false, 1, STR_NULL).next_token;
    struct skill_versions q = {.ref = kit_ref("acme/s001"), .page_size = 1, .token = token};
    CHECK_ERR(skill_versions(k->service, &q, &k->a, &list, &k->e), ERR_INVALID_ARGUMENT, &k->e);
    q.ref = kit_ref("acme/s000");
    q.include_deleted = true;
    CHECK_ERR(skill_versions(k->service, &q, &k->a, &list, &k->e), ERR_INVALID_ARGUMENT, &k->e);
    q.include_deleted = false;
    CHECK_OK(skill_versions(k->service, &q, &k->a, &list, &k->e), &k->e);
    q.page_size = 0;
    CHECK_ERR(skill_versions(k->service, &q, &k->a, &list, &k->e), ERR_INVALID_ARGUMENT, &k->e);
    q.page_size = 101;
    CHECK_ERR(skill_versions(k->service, &q, &k->a, &list, &k->e), ERR_INVALID_ARGUMENT, &k->e);
    q = (struct skill_versions){.ref = kit_ref("acme/nope"), .page_size = 1};
    CHECK_ERR(skill_versions(k->service, &q, &k->a, &list, &k->e), ERR_NOT_FOUND, &k->e);
}

BOTH(ended_lives_show_only_when_asked_for)
{
    struct skill s;
    struct skill_list list;
    kit_push(k, "acme/calc@v1", "one");
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/calc"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
    struct skill_versions q = {.ref = kit_ref("acme/calc"), .page_size = 10};
    CHECK_ERR(skill_versions(k->service, &q, &k->a, &list, &k->e), ERR_NOT_FOUND, &k->e);
    list = versions(k, "acme/calc", true, 10, STR_NULL);
    CHECK_INT(list.n_items, 1);
    CHECK(list.items[0].deleted && !list.items[0].current);
    CHECK_INT(list.items[0].n_tags_pointing, 0);
    kit_push(k, "acme/calc@v1", "two");
    list = versions(k, "acme/calc", false, 10, STR_NULL);
    CHECK_INT(list.n_items, 1);
    CHECK_INT(list.total, 1);
    CHECK_INT(list.items[0].version_no, 2);
    list = versions(k, "acme/calc", true, 10, STR_NULL);
    CHECK_INT(list.n_items, 2);
    CHECK_INT(list.total, 2);
    CHECK(list.items[0].current && list.items[1].deleted);
}

/* --- dump --- */

static enum err dump_line(void *ctx, str key, const struct skill *s, struct error *e)
{
    struct buf *out = ctx;
    buf_addf(out, "%.*s %.*s\n", STR_ARG(key), STR_ARG(s->skill_md));
    return buf_status(out, e);
}

static void check_dump(struct meta *m)
{
    struct buf out;
    struct error e;
    buf_init(&out, KIB(8));
    CHECK_OK(skill_dump_each(m, dump_line, &out, &e), &e);
    CHECK_STR(buf_view(&out), STR("skill/org/acme/skill/calc three\n"
                                  "skill_audit/org/acme/skill/calc/1000 one\n"
                                  "skill_audit/org/acme/skill/calc/1001 two\n"
                                  "skill_audit/org/acme/skill/gone/1003 gone\n"));
    buf_deinit(&out);
}

static void fill_dump(struct kit *k)
{
    struct skill s;
    kit_now = 1000;
    kit_push(k, "acme/calc", "one");
    kit_push(k, "acme/calc", "two");
    kit_push(k, "acme/calc", "three");
    kit_push(k, "acme/gone", "gone");
    CHECK_OK(skill_delete(k->service, STR("org/acme/skill/gone"), STR_NULL, &k->a, &s, &k->e),
             &k->e);
}

BOTH(a_dump_names_every_record)
{
    fill_dump(k);
    check_dump(k->meta);
}

static enum err dump_stop(void *ctx, str key, const struct skill *s, struct error *e)
{
    (void)ctx, (void)key, (void)s;
    return FAIL(e, ERR_CANCELLED, "test.stop", "enough");
}

BOTH(a_dump_ends_when_its_reader_does)
{
    kit_push(k, "acme/calc", "one");
    CHECK_ERR(skill_dump_each(k->meta, dump_stop, NULL, &k->e), ERR_CANCELLED, &k->e);
}

/* --- more skills than numbered pages reach --- */

enum { N_FAR = 100001 };

static enum err put_far(struct meta_txn *t, void *arg, struct error *e)
{
    (void)arg;
    for (uint64_t i = 0; i < N_FAR; i++) {
        char id[64];
        (void)snprintf(id, sizeof id, "platform/skill/s%06llu", (unsigned long long)i);
        struct meta_skill s = {.id = str_c(id),
                               .number = i + 1,
                               .scope = SKILL_SCOPE_PLATFORM,
                               .slug = str_skip(str_c(id), 15),
                               .live = true,
                               .life = 1,
                               .first_seq = 1,
                               .last_seq = 1};
        TRY(meta_skill_put(t, &s, e));
    }
    return ERR_OK;
}

TEST(numbered_pages_end_where_tokens_go_on)
{
    struct kit k;
    struct skill_list list;
    kit_open(&k, true);
    CHECK_OK(meta_write(k.meta, put_far, NULL, &k.e), &k.e);
    struct skill_find q = {.page = 1001, .page_size = 100};
    /* The record it reaches has no version, which shows that it was reached. */
    CHECK_ERR(skill_find(k.service, &q, &k.a, &list, &k.e), ERR_DATA_LOSS, &k.e);
    CHECK_CONTAINS(str_c(k.e.msg), STR("platform/skill/s100000"));
    q = (struct skill_find){.page = 100001, .page_size = 1};
    CHECK_ERR(skill_find(k.service, &q, &k.a, &list, &k.e), ERR_DATA_LOSS, &k.e);
    CHECK_OK(meta_write(k.meta, put_far, NULL, &k.e), &k.e); /* again: counted once */
    q = (struct skill_find){.page = 100002, .page_size = 1};
    CHECK_OK(skill_find(k.service, &q, &k.a, &list, &k.e), &k.e); /* past the end */
    CHECK_INT(list.n_items, 0);
    CHECK_INT(list.total, N_FAR);
    kit_push(&k, "zz", "x");
    kit_push(&k, "zz2", "x");
    CHECK_ERR(skill_find(k.service, &q, &k.a, &list, &k.e), ERR_INVALID_ARGUMENT, &k.e);
    CHECK_CONTAINS(str_c(k.e.msg), STR("numbered pages end after 100000 skills"));
    kit_close(&k);
}
