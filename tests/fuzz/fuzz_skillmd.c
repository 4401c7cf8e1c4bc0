/*
 * The whole check of a SKILL.md. Whatever the bytes, the report keeps its promises; and a second,
 * simple reading of the text, which knows nothing of runs, cursors and limits, agrees with it on
 * what refuses, on what must be found and on every place. Input: a SKILL.md.
 */
#include "fuzz.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "skillmd/skillmd.h"

/* --- the second reading: the text as an array of characters --- */

enum { INVALID = 0x110000 };

struct character {
    uint32_t cp; /* or INVALID */
    uint64_t offset;
    uint32_t line, column;
};

struct text {
    struct character *c;
    size_t n;
};

static uint32_t at(const struct text *t, size_t i)
{
    return i < t->n ? t->c[i].cp : 0;
}

static struct text decode(str s)
{
    struct text t = {.c = calloc(s.len + 1, sizeof *t.c)};
    uint32_t line = 1, column = 1;
    size_t whole = s.len;
    FUZZ_CHECK(t.c);
    for (; s.len; t.n++) {
        struct character *c = &t.c[t.n];
        *c = (struct character){INVALID, whole - s.len, line, column};
        if (!utf8_next(&s, &c->cp))
            s = str_skip(s, 1);
        column++;
        if (t.n == 0 && c->cp == 0xfeff)
            column = 1;
        if (c->cp == '\n' || c->cp == '\r')
            column = 1;
        line += c->cp == '\r' || (c->cp == '\n' && (t.n == 0 || t.c[t.n - 1].cp != '\r'));
    }
    t.c[t.n] = (struct character){0, whole, line, column};
    return t;
}

static bool is_tag(uint32_t cp)
{
    return cp >= 0xe0000 && cp <= 0xe007f;
}

static bool is_region(uint32_t cp)
{
    return (cp >= 0xe0061 && cp <= 0xe007a) || (cp >= 0xe0030 && cp <= 0xe0039);
}

/* How many tag characters at i belong to a flag that starts before them; 0 when they do not. */
static size_t flag_at(const struct text *t, size_t i)
{
    size_t n = 0;
    if (i == 0 || at(t, i - 1) != 0x1f3f4)
        return 0;
    while (is_region(at(t, i + n)))
        n++;
    return n >= 3 && n <= 6 && at(t, i + n) == 0xe007f ? n + 1 : 0;
}

/* What no neighbour excuses; some of it. */
static bool is_always_found(uint32_t cp)
{
    return (cp < ' ' && cp != '\t' && cp != '\n' && cp != '\r') || (cp >= 0x7f && cp < 0xa0) ||
           cp == 0xad || cp == 0x34f || cp == 0x61c || cp == 0x115f || cp == 0x1160 ||
           cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
           (cp >= 0x2060 && cp <= 0x206f) || cp == 0x3164 || cp == 0xffa0;
}

static bool ends_line(uint32_t cp)
{
    return (cp >= '\n' && cp <= '\r') || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

static bool starts_with(const struct text *t, size_t i, const char *want)
{
    while (*want && at(t, i) == (uint8_t)*want && i < t->n)
        i++, want++;
    return !*want;
}

struct expected {
    bool refused;   /* for sure */
    bool may_forge; /* a forged line with something unseen in it is not looked for here */
    bool found;     /* there is at least one finding */
};

static bool is_ascii_line_or_printable(uint32_t cp)
{
    return cp == '\t' || cp == '\n' || cp == '\r' || (cp >= ' ' && cp <= '~');
}

static struct expected expect(const struct text *t)
{
    struct expected x = {.refused = t->n == 0};
    size_t first = at(t, 0) == 0xfeff;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t cp = at(t, i);
        size_t flag = flag_at(t, i);
        bool starts = i == first || (i > first && ends_line(at(t, i - 1)));
        x.may_forge |= !is_ascii_line_or_printable(cp);
        x.refused |= cp == INVALID || cp == 0 || (cp >= 0x202a && cp <= 0x202e);
        x.refused |= starts && (starts_with(t, i, "### SKILL:") ||
                                starts_with(t, i, "LOCATION: /bin/skills/"));
        x.found |= is_always_found(cp);
        if (flag)
            i += flag - 1;
        else
            x.refused |= is_tag(cp);
    }
    x.found |= x.refused;
    return x;
}

/* --- the report --- */

static void check_message(const char *message)
{
    size_t n = strlen(message);
    FUZZ_CHECK(n >= 1 && n <= 400);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(message[i] >= ' ' && message[i] <= '~');
}

/* *i: where the finding before it is. */
static void check_place(const struct text *t, const struct skillmd_finding *f, size_t *i)
{
    if (f->line == 0) {
        FUZZ_CHECK(f->column == 0 && f->offset == 0);
        return;
    }
    while (*i < t->n && t->c[*i].offset < f->offset)
        ++*i;
    FUZZ_CHECK(t->c[*i].offset == f->offset);
    FUZZ_CHECK(t->c[*i].line == f->line && t->c[*i].column == f->column);
}

static bool is_known(const struct skillmd_rule *rule)
{
    size_t n;
    const struct skillmd_rule *rules = skillmd_rules(&n);
    return rule >= rules && rule < rules + n;
}

static void check_findings(const struct text *t, const struct skillmd_report *r)
{
    bool refuses = false;
    size_t at_character = 0;
    FUZZ_CHECK(r->n_findings <= SKILLMD_FINDINGS_MAX);
    FUZZ_CHECK(r->n_dropped == 0 || r->n_findings >= FRONTMATTER_WARNINGS_MAX);
    for (size_t i = 0; i < r->n_findings; i++) {
        const struct skillmd_finding *f = &r->findings[i];
        FUZZ_CHECK(is_known(f->rule));
        FUZZ_CHECK(i == 0 || f[-1].offset <= f->offset);
        check_message(f->message);
        check_place(t, f, &at_character);
        refuses |= f->refuses;
    }
    FUZZ_CHECK(refuses == r->refused);
}

static void check_expected(const struct text *t, const struct skillmd_report *r)
{
    struct expected x = expect(t);
    FUZZ_CHECK(!x.refused || r->refused);
    FUZZ_CHECK(!x.found || r->n_findings > 0);
    FUZZ_CHECK(x.refused || x.may_forge || !r->refused);
    for (size_t i = 0; i < r->n_findings && !x.refused; i++)
        FUZZ_CHECK(!r->findings[i].refuses ||
                   strcmp(r->findings[i].rule->id, "skill-md-forgery") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct error e;
    struct skillmd_report report;
    str text = str_of(data, size);
    if (size > SKILLMD_MAX)
        return 0;
    arena_init(&a, KIB(256));
    FUZZ_CHECK(skillmd_check(text, &a, &report, &e) == ERR_OK);
    struct text t = decode(text);
    check_findings(&t, &report);
    check_expected(&t, &report);
    FUZZ_CHECK(!report.refused == !skillmd_reason(&report, &a));
    free(t.c);
    arena_deinit(&a);
    return 0;
}
