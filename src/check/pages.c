#include "check/pages.h"

#include "base/macro.h"
#include "base/sys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC    0xBEEFC0DEU
#define VERSION  1U
#define NO_PAGE  UINT64_MAX
#define HEADER   16 /* bytes before a page's pointers, or its content */
#define NODE     8  /* bytes before a node's key */
#define DEPTH    32 /* MDB's CURSOR_STACK */
#define KEY_MAX  511
#define PAGE_MIN 512U
#define PAGE_MAX 65536U
#define N_METAS  2
/* A damaged file can be wrong in as many ways as it has pages. */
#define WRONG_MAX 100

enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8 };
enum { F_BIGDATA = 1, F_SUBDATA = 2 };

/* MDB_db */
struct tree {
    uint32_t pad;
    uint16_t flags, depth;
    uint64_t branches, leaves, overflows, entries, root;
};
#define TREE_LEN 48
_Static_assert(sizeof(struct tree) == TREE_LEN, "as on disk");

/* The start of a meta page, after the page's header: MDB_meta */
struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct tree free, main;
    uint64_t last_page, txn;
};

/* What one tree was found to have. */
struct counts {
    uint64_t branches, leaves, overflows, entries;
};

struct walk {
    const struct pages_options *o;
    struct pages_report *report;
    uint32_t page_size;
    struct meta meta;
    uint8_t *used; /* a bit for each page */
    enum { FREE_LIST, TABLES, TABLE } kind;
    str table; /* the name of what is walked, for messages */
    struct counts counts;
};

static void __attribute__((format(printf, 2, 3))) wrong(struct walk *w, const char *fmt, ...)
{
    char text[300];
    va_list args;
    if (++w->report->wrong > WRONG_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    w->o->wrong(w->o->ctx, text);
}

#define PAGE_FMT    "page %llu of %.*s: "
#define PAGE(w, no) (unsigned long long)(no), STR_ARG((w)->table)

/* --- one page --------------------------------------------------------------------------------- */

static uint16_t u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint16_t flags_of(const uint8_t *page)
{
    return u16(page + 10);
}

static unsigned n_nodes(const uint8_t *page)
{
    return (u16(page + 12) - HEADER) / 2U;
}

static const uint8_t *node_at(const uint8_t *page, unsigned i)
{
    return page + u16(page + HEADER + 2 * i);
}

static str node_key(const uint8_t *node)
{
    return str_of(node + NODE, u16(node + 6));
}

/* A leaf's: bytes of its value. */
static uint32_t node_size(const uint8_t *node)
{
    return (uint32_t)u16(node) | (uint32_t)u16(node + 2) << 16;
}

/* A branch's: 48 bits. */
static uint64_t node_child(const uint8_t *node)
{
    return node_size(node) | (uint64_t)u16(node + 4) << 32;
}

static const uint8_t *node_value(const uint8_t *node)
{
    return node + NODE + u16(node + 6);
}

/* Bytes that the node takes in its page. */
static size_t node_len(const uint8_t *node, bool leaf)
{
    size_t n = NODE + (size_t)u16(node + 6);
    if (leaf)
        n += u16(node + 4) & F_BIGDATA ? sizeof(uint64_t) : node_size(node);
    return n + n % 2;
}

/* Marks n pages as used, each by nobody else. */
static bool take_pages(struct walk *w, uint64_t first, uint64_t n)
{
    if (first < N_METAS || n > w->meta.last_page || first > w->meta.last_page + 1 - n) {
        wrong(w, PAGE_FMT "there is no such page", PAGE(w, first));
        return false;
    }
    for (uint64_t no = first; no < first + n; no++) {
        if (w->used[no / 8] >> no % 8 & 1) {
            wrong(w, PAGE_FMT "it is used twice", PAGE(w, no));
            return false;
        }
        w->used[no / 8] |= (uint8_t)(1U << no % 8);
    }
    return true;
}

/* Every node lies in the page, and together they fill what is taken of it. */
static bool check_nodes(struct walk *w, uint64_t no, const uint8_t *page, bool leaf)
{
    size_t upper = u16(page + 14), sum = 0;
    for (unsigned i = 0; i < n_nodes(page); i++) {
        size_t at = u16(page + HEADER + 2 * i);
        if (at < upper || at % 2 || at + NODE > w->page_size ||
            node_len(page + at, leaf) > w->page_size - at) {
            wrong(w, PAGE_FMT "entry %u is not within it", PAGE(w, no), i);
            return false;
        }
        sum += node_len(page + at, leaf);
    }
    if (sum == w->page_size - upper)
        return true;
    wrong(w, PAGE_FMT "its entries do not fill it as it says", PAGE(w, no));
    return false;
}

static bool check_header(struct walk *w, uint64_t no, const uint8_t *page, bool leaf)
{
    unsigned lower = u16(page + 12), upper = u16(page + 14);
    if (u64(page) != no) {
        wrong(w, PAGE_FMT "it holds another page's number", PAGE(w, no));
        return false;
    }
    if (flags_of(page) != (leaf ? P_LEAF : P_BRANCH)) {
        wrong(w, PAGE_FMT "it is not a %s page", PAGE(w, no), leaf ? "leaf" : "branch");
        return false;
    }
    if (lower <= HEADER || lower % 2 || lower > upper || upper > w->page_size) {
        wrong(w, PAGE_FMT "its bounds make no sense", PAGE(w, no));
        return false;
    }
    return check_nodes(w, no, page, leaf);
}

/* The free list's keys are numbers in the machine's order. */
static int compare(const struct walk *w, str a, str b)
{
    if (w->kind != FREE_LIST)
        return str_cmp(a, b);
    uint64_t x = u64((const uint8_t *)a.p), y = u64((const uint8_t *)b.p);
    return x < y ? -1 : x > y;
}

/* The range that the parents leave: low <= key < high; NULL: no bound. */
struct range {
    const str *low, *high;
};

/* The leftmost key of a branch means nothing. */
static bool check_keys(struct walk *w, uint64_t no, const uint8_t *page, bool leaf,
                       const struct range *r)
{
    for (unsigned i = leaf ? 0 : 1; i < n_nodes(page); i++) {
        str key = node_key(node_at(page, i));
        bool first = i == (leaf ? 0 : 1);
        str before = first ? STR_NULL : node_key(node_at(page, i - 1));
        if (key.len == 0 || key.len > KEY_MAX ||
            (w->kind == FREE_LIST && key.len != sizeof(uint64_t))) {
            wrong(w, PAGE_FMT "key %u has an impossible length", PAGE(w, no), i);
            return false;
        }
        if ((!first && compare(w, before, key) >= 0) || (r->low && compare(w, *r->low, key) > 0) ||
            (r->high && compare(w, key, *r->high) >= 0)) {
            wrong(w, PAGE_FMT "key %u is not where it belongs", PAGE(w, no), i);
            return false;
        }
    }
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

static enum err read_page(struct walk *w, uint64_t no, uint8_t *page, struct error *e)
{
    return sys_pread_full(w->o->fd, page, w->page_size, no * w->page_size, e);
}

/* A value on pages of its own, in *ret (malloc). *ret NULL: it is wrong, which was told. */
static enum err read_large(struct walk *w, uint64_t no, uint32_t size, char **ret, struct error *e)
{
    uint8_t header[HEADER];
    uint64_t need = (HEADER - 1 + (uint64_t)size) / w->page_size + 1;
    *ret = NULL;
    if (no < N_METAS || need > w->meta.last_page || no > w->meta.last_page + 1 - need) {
        wrong(w, PAGE_FMT "a value lies on pages that there are not", PAGE(w, no));
        return ERR_OK;
    }
    TRY(sys_pread_full(w->o->fd, header, sizeof header, no * w->page_size, e));
    uint32_t have = (uint32_t)u16(header + 12) | (uint32_t)u16(header + 14) << 16;
    if (u64(header) != no || flags_of(header) != P_OVERFLOW || have < need) {
        wrong(w, PAGE_FMT "it does not hold the value that it should", PAGE(w, no));
        return ERR_OK;
    }
    if (!take_pages(w, no, have))
        return ERR_OK;
    w->counts.overflows += have;
    *ret = malloc(size);
    if (!*ret)
        return FAIL_NOMEM(e);
    return sys_pread_full(w->o->fd, *ret, size, no * w->page_size + HEADER, e);
}

static enum err walk_table(struct walk *w, str name, str value, struct error *e);

/* The pages that a transaction has freed: their count, then their numbers, falling. */
static void take_free(struct walk *w, str key, str value)
{
    uint64_t txn = u64((const uint8_t *)key.p);
    const uint8_t *p = (const uint8_t *)value.p;
    uint64_t n = value.len >= sizeof n ? u64(p) : 0;
    if (txn > w->meta.txn || value.len < sizeof n || n > value.len / sizeof n - 1) {
        wrong(w, "an entry of the free list makes no sense");
        return;
    }
    for (uint64_t i = 1; i <= n; i++) {
        uint64_t no = u64(p + i * sizeof no);
        if (i > 1 && no >= u64(p + (i - 1) * sizeof no))
            wrong(w, "an entry of the free list is out of order");
        if (!take_pages(w, no, 1))
            return;
    }
}

static enum err take_value(struct walk *w, str key, str value, bool subtree, struct error *e)
{
    if (w->kind == FREE_LIST) {
        take_free(w, key, value);
        return ERR_OK;
    }
    if (w->kind == TABLES) {
        if (subtree && value.len == TREE_LEN)
            return walk_table(w, key, value, e);
        wrong(w, "an entry in the list of tables is no table");
        return ERR_OK;
    }
    w->report->records++;
    return w->o->record ? w->o->record(w->o->ctx, w->table, key, value, e) : ERR_OK;
}

static enum err take_node(struct walk *w, uint64_t no, const uint8_t *node, struct error *e)
{
    unsigned flags = u16(node + 4);
    str key = node_key(node), value = str_of(node_value(node), node_size(node));
    w->counts.entries++;
    if (flags & ~(unsigned)(w->kind == TABLES ? F_SUBDATA : F_BIGDATA)) {
        wrong(w, PAGE_FMT "an entry has impossible flags", PAGE(w, no));
        return ERR_OK;
    }
    if (!(flags & F_BIGDATA))
        return take_value(w, key, value, flags & F_SUBDATA, e);
    CLEANUP(freep) char *large = NULL;
    TRY(read_large(w, u64(node_value(node)), node_size(node), &large, e));
    return large ? take_value(w, key, str_of(large, node_size(node)), false, e) : ERR_OK;
}

/* --- trees ------------------------------------------------------------------------------------ */

static enum err walk_page(struct walk *w, uint64_t no, unsigned levels, const struct range *r,
                          struct error *e);

static enum err walk_children(struct walk *w, const uint8_t *page, unsigned levels,
                              const struct range *r, struct error *e)
{
    w->counts.branches++;
    for (unsigned i = 0, n = n_nodes(page); i < n; i++) {
        const uint8_t *node = node_at(page, i);
        str low = node_key(node), high = i + 1 < n ? node_key(node_at(page, i + 1)) : STR_NULL;
        const struct range child = {i ? &low : r->low, i + 1 < n ? &high : r->high};
        TRY(walk_page(w, node_child(node), levels - 1, &child, e));
    }
    return ERR_OK;
}

static enum err walk_leaf(struct walk *w, uint64_t no, const uint8_t *page, struct error *e)
{
    w->counts.leaves++;
    for (unsigned i = 0; i < n_nodes(page); i++)
        TRY(take_node(w, no, node_at(page, i), e));
    return ERR_OK;
}

static enum err walk_page(struct walk *w, uint64_t no, unsigned levels, const struct range *r,
                          struct error *e)
{
    bool leaf = levels == 1;
    if (!take_pages(w, no, 1))
        return ERR_OK;
    CLEANUP(freep) uint8_t *page = malloc(w->page_size);
    if (!page)
        return FAIL_NOMEM(e);
    TRY(read_page(w, no, page, e));
    if (!check_header(w, no, page, leaf) || !check_keys(w, no, page, leaf, r))
        return ERR_OK;
    return leaf ? walk_leaf(w, no, page, e) : walk_children(w, page, levels, r, e);
}

static void check_counts(struct walk *w, const struct tree *t)
{
    const struct counts *c = &w->counts;
    if (c->branches != t->branches || c->leaves != t->leaves || c->overflows != t->overflows ||
        c->entries != t->entries)
        wrong(w,
              "%.*s says that it has %llu entries on %llu+%llu+%llu pages and has %llu on "
              "%llu+%llu+%llu",
              STR_ARG(w->table), (unsigned long long)t->entries, (unsigned long long)t->branches,
              (unsigned long long)t->leaves, (unsigned long long)t->overflows,
              (unsigned long long)c->entries, (unsigned long long)c->branches,
              (unsigned long long)c->leaves, (unsigned long long)c->overflows);
}

static enum err walk_tree(struct walk *w, const struct tree *t, struct error *e)
{
    const struct range all = {NULL, NULL};
    w->counts = (struct counts){0};
    if (t->depth > DEPTH || (t->root == NO_PAGE) != (t->depth == 0)) {
        wrong(w, "the depth of %.*s makes no sense", STR_ARG(w->table));
        return ERR_OK;
    }
    uint64_t before = w->report->wrong;
    if (t->depth)
        TRY(walk_page(w, t->root, t->depth, &all, e));
    if (w->report->wrong == before) /* else it follows */
        check_counts(w, t);
    return ERR_OK;
}

/* Within the list of tables; what is known of that is put aside. */
static enum err walk_table(struct walk *w, str name, str value, struct error *e)
{
    struct tree t;
    struct walk outer = *w;
    memcpy(&t, value.p, sizeof t);
    w->kind = TABLE;
    w->table = name;
    if (w->o->table)
        w->o->table(w->o->ctx, name, t.entries);
    if (t.flags || t.pad)
        wrong(w, "table %.*s has impossible flags", STR_ARG(name));
    else
        TRY(walk_tree(w, &t, e));
    w->kind = outer.kind;
    w->table = outer.table;
    w->counts = outer.counts;
    return ERR_OK;
}

/* --- the file --------------------------------------------------------------------------------- */

static enum err no_database(struct error *e)
{
    return FAIL(e, ERR_FAILED_PRECONDITION, "check.not_a_database",
                "data.mdb is not a database of this kind of machine and version, or both of its "
                "first pages are damaged");
}

static bool size_makes_sense(uint32_t size)
{
    return size >= PAGE_MIN && size <= PAGE_MAX && (size & (size - 1)) == 0;
}

/* False: it is not one. The first meta page is at 0, the second at the page size. */
static bool read_meta(struct walk *w, unsigned i, uint64_t off, struct meta *ret)
{
    uint8_t page[HEADER + sizeof *ret];
    struct error ignored;
    if (sys_pread_full(w->o->fd, page, sizeof page, off, &ignored) != ERR_OK)
        return false;
    memcpy(ret, page + HEADER, sizeof *ret);
    return u64(page) == i && flags_of(page) == P_META && ret->magic == MAGIC &&
           ret->version == VERSION && size_makes_sense(ret->free.pad);
}

/* The page size is in the first meta page; where that is damaged, the second lies at one of few
 * places. */
static bool find_metas(struct walk *w, struct meta m[N_METAS], bool good[N_METAS])
{
    good[0] = read_meta(w, 0, 0, &m[0]);
    good[1] = good[0] && read_meta(w, 1, m[0].free.pad, &m[1]) && m[1].free.pad == m[0].free.pad;
    for (uint32_t size = PAGE_MIN; !good[1] && size <= PAGE_MAX; size *= 2)
        good[1] = read_meta(w, 1, size, &m[1]) && m[1].free.pad == size;
    if (good[0] && good[1] && m[0].free.pad != m[1].free.pad)
        good[0] = false;
    return good[0] || good[1];
}

/* Transactions write the two in turn: the even ones the first. A new database has 0 in both; a copy
 * of one has 0 and 1. */
static bool numbers_make_sense(const struct meta m[N_METAS])
{
    if (m[0].txn == 0 && m[1].txn <= 1)
        return true;
    return m[0].txn % 2 == 0 && m[1].txn % 2 == 1 && m[0].txn - m[1].txn + 1 <= 2;
}

static bool same_settings(const struct meta m[N_METAS])
{
    return m[0].free.flags == m[1].free.flags && m[0].main.flags == m[1].main.flags &&
           m[0].main.pad == m[1].main.pad && m[0].address == m[1].address;
}

static enum err choose_meta(struct walk *w, struct error *e)
{
    struct meta m[N_METAS];
    bool good[N_METAS];
    if (!find_metas(w, m, good))
        return no_database(e);
    if (!good[0] || !good[1])
        wrong(w, "the %s of the two meta pages is damaged", good[0] ? "second" : "first");
    else if (!numbers_make_sense(m))
        wrong(w, "the meta pages are not of two transactions in a row (%llu and %llu)",
              (unsigned long long)m[0].txn, (unsigned long long)m[1].txn);
    else if (!same_settings(m))
        wrong(w, "the meta pages disagree about the database's settings");
    unsigned newest = good[1] && (!good[0] || m[1].txn > m[0].txn);
    if (w->o->txn && good[!newest] && m[!newest].txn == w->o->txn)
        newest = !newest;
    w->meta = m[newest];
    w->page_size = w->meta.free.pad;
    if (w->o->txn && w->meta.txn != w->o->txn)
        return FAIL(e, ERR_UNAVAILABLE, "check.state_gone",
                    "the database changes too fast to be looked at; try again");
    return ERR_OK;
}

static enum err check_length(struct walk *w, struct error *e)
{
    struct stat st;
    TRY(sys_fstat(w->o->fd, &st, e));
    uint64_t n = (uint64_t)st.st_size / w->page_size;
    if (n < N_METAS)
        return no_database(e);
    if (w->meta.last_page >= n) {
        wrong(w, "the file ends after %llu of %llu pages", (unsigned long long)n,
              (unsigned long long)w->meta.last_page + 1);
        w->meta.last_page = n - 1;
    }
    if (w->meta.last_page * w->page_size >= w->meta.map_size)
        wrong(w, "the database is larger than it says that it may be");
    return ERR_OK;
}

static void count_lost(struct walk *w)
{
    for (uint64_t no = N_METAS; no <= w->meta.last_page; no++)
        w->report->lost += !(w->used[no / 8] >> no % 8 & 1);
    w->report->pages = w->meta.last_page + 1;
}

static enum err walk_all(struct walk *w, struct error *e)
{
    TRY(choose_meta(w, e));
    TRY(check_length(w, e));
    w->report->txn = w->meta.txn;
    w->used = calloc(1, (size_t)(w->meta.last_page / 8 + 1));
    if (!w->used)
        return FAIL_NOMEM(e);
    w->kind = FREE_LIST;
    w->table = STR("the free list");
    TRY(walk_tree(w, &w->meta.free, e));
    w->kind = TABLES;
    w->table = STR("the list of tables");
    TRY(walk_tree(w, &w->meta.main, e));
    count_lost(w);
    return ERR_OK;
}

enum err pages_walk(const struct pages_options *o, struct pages_report *ret, struct error *e)
{
    struct walk w = {.o = o, .report = ret, .table = STR("the database")};
    *ret = (struct pages_report){.txn = 0};
    enum err err = walk_all(&w, e);
    free(w.used);
    return err;
}
