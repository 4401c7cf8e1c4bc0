/* Lists: live skills, versions of one. */
#include "skill/id.h"
#include "skill/record.h"
#include "skill/token.h"

#define PAGE_MAX 100
/* Records a numbered page may pass over; a token passes over none. */
#define SKIP_MAX 100000

static enum err check_page_size(uint32_t n, struct error *e)
{
    if (n < 1 || n > PAGE_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.page_size", "page_size: 1 to %d", PAGE_MAX);
    return ERR_OK;
}

static enum err list_new(struct arena *a, size_t n, struct skill_list *ret, struct error *e)
{
    *ret = (struct skill_list){.items = arena_calloc(a, n, sizeof *ret->items)};
    return ret->items ? ERR_OK : FAIL_NOMEM(e);
}

/* --- skills --- */

static enum err question_of_find(str org, struct arena *a, str *ret, struct error *e)
{
    char *text = arena_printf(a, "find %.*s", STR_ARG(org));
    *ret = str_c(text);
    return text ? ERR_OK : FAIL_NOMEM(e);
}

/* Where the page starts: after an id, or after so many records. */
static enum err find_start(const struct skill_find *q, str question, struct arena *a,
                           str *ret_after, uint64_t *ret_skip, struct error *e)
{
    *ret_after = STR_NULL;
    *ret_skip = 0;
    if (q->token.len)
        return token_read(q->token, question, a, ret_after, e);
    if (q->page < 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.page", "page_number: pages count from 1");
    *ret_skip = (uint64_t)(q->page - 1) * q->page_size;
    return ERR_OK;
}

/* The ids of the page and, when there is one, of the skill after it. */
static enum err find_ids(struct meta_txn *t, const struct skill_find *q, str question,
                         uint64_t total, struct arena *a, str *ids, size_t *ret_n, struct error *e)
{
    str after, prefix = STR_NULL;
    uint64_t skip;
    *ret_n = 0;
    TRY(find_start(q, question, a, &after, &skip, e));
    if (skip >= total && skip > 0)
        return ERR_OK;
    if (skip > SKIP_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.page_too_far",
                    "page_number: numbered pages end after %d skills; follow next_page_token "
                    "instead",
                    SKIP_MAX);
    if (q->org.len)
        TRY(id_prefix_of_org(q->org, a, &prefix, e));
    return meta_live_list(t, prefix, after, skip, a, ids, q->page_size + 1, ret_n, e);
}

/* With its SKILL.md while the page has room; the first text that does not fit ends that. */
static enum err load_item(struct meta_txn *t, str id, struct arena *a, size_t *room,
                          struct skill *ret, struct error *e)
{
    struct meta_skill head;
    TRY(record_find_id(t, id, a, &head, e));
    TRY(record_load(t, &head, head.last_seq, *room ? RECORD_TEXT : 0, a, ret, e));
    bool fits = ret->skill_md.len <= *room;
    *room = fits ? *room - ret->skill_md.len : 0;
    if (!fits)
        ret->skill_md = STR_NULL;
    return ERR_OK;
}

enum err skill_find(struct skill_service *s, const struct skill_find *q, struct arena *a,
                    struct skill_list *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    str question, ids[PAGE_MAX + 1];
    size_t n, room = SKILL_LIST_TEXT_MAX;
    TRY(check_page_size(q->page_size, e));
    TRY(list_new(a, q->page_size, ret, e));
    TRY(question_of_find(q->org, a, &question, e));
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(meta_live_count(&t, q->org, &ret->total, e));
    TRY(find_ids(&t, q, question, ret->total, a, ids, &n, e));
    for (; ret->n_items < n && ret->n_items < q->page_size; ret->n_items++)
        TRY(load_item(&t, ids[ret->n_items], a, &room, &ret->items[ret->n_items], e));
    return n > q->page_size ? token_make(ids[n - 2], question, a, &ret->next_token, e) : ERR_OK;
}

/* --- versions --- */

static enum err question_of_versions(const struct meta_skill *head, bool include_deleted,
                                     struct arena *a, str *ret, struct error *e)
{
    char *text = arena_printf(a, "versions %d %.*s", include_deleted, STR_ARG(head->id));
    *ret = str_c(text);
    return text ? ERR_OK : FAIL_NOMEM(e);
}

/* Which seq the page starts with, going down. */
static enum err versions_start(const struct skill_versions *q, const struct meta_skill *head,
                               str question, struct arena *a, uint64_t *ret, struct error *e)
{
    str position;
    *ret = head->last_seq;
    if (q->token.len == 0)
        return ERR_OK;
    TRY(token_read(q->token, question, a, &position, e));
    if (!str_to_u64(position, ret) || *ret > head->last_seq)
        return token_refuse(e);
    return ERR_OK;
}

static enum err versions_next(uint64_t seq, str question, struct arena *a, str *ret,
                              struct error *e)
{
    char *position = arena_printf(a, "%llu", (unsigned long long)seq);
    return position ? token_make(str_c(position), question, a, ret, e) : FAIL_NOMEM(e);
}

enum err skill_versions(struct skill_service *s, const struct skill_versions *q, struct arena *a,
                        struct skill_list *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    struct meta_skill head;
    str question;
    uint64_t seq;
    TRY(check_page_size(q->page_size, e));
    TRY(list_new(a, q->page_size, ret, e));
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(record_find(&t, &q->ref, q->include_deleted, a, &head, e));
    TRY(question_of_versions(&head, q->include_deleted, a, &question, e));
    TRY(versions_start(q, &head, question, a, &seq, e));
    uint64_t first = q->include_deleted ? head.purged_seq + 1 : head.first_seq;
    ret->total = head.last_seq - first + 1;
    for (; ret->n_items < q->page_size && seq >= first; seq--)
        TRY(record_load(&t, &head, seq, RECORD_TAGS, a, &ret->items[ret->n_items++], e));
    return seq >= first ? versions_next(seq, question, a, &ret->next_token, e) : ERR_OK;
}
