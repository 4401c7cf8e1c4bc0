#include "skillmd/scan.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "skillmd/hidden.h"
#include "skillmd/prompt_lines.h"
#include "skillmd/show.h"

#include <stdio.h>
#include <unicode/uchar.h>

/* Hidden characters of one kind, one after the other: one finding. */
struct run {
    const struct hidden_kind *kind; /* NULL: there is none */
    str text;                       /* from its first character on */
    struct place at;
    uint32_t first;
    size_t n, len; /* characters, bytes */
};

struct scan {
    struct collect *found;
    const char *start; /* of the text */
    struct cursor at;
    uint32_t base, before; /* as in struct hidden_context */
    struct run run;
    bool told_utf8, told_nul;
};

/* --- findings --- */

static bool ends_excerpt(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_inside(char c) /* of a character */
{
    return ((uint8_t)c & 0xc0) == 0x80;
}

/* What stands around the run, from the same line. */
static str surroundings(const struct scan *s, const struct run *r)
{
    enum { BEFORE = 24, AFTER = 60 }; /* bytes */
    const char *from = r->text.p;
    size_t n = 0;
    while (from > s->start && r->text.p - from < BEFORE && !ends_excerpt(from[-1]))
        from--;
    while (is_inside(*from))
        from++;
    while (n < r->text.len && n < AFTER && !ends_excerpt(r->text.p[n]))
        n++;
    while (n > 0 && n < r->text.len && is_inside(r->text.p[n]))
        n--;
    return str_of(from, (size_t)(r->text.p - from) + n);
}

/* The text that the run carries, as far as it can be shown. */
static const char *show_carried(const struct run *r, char out[SHOWN_MAX + 1])
{
    char bytes[SHOWN_MAX + 1];
    uint32_t cp;
    size_t n = 0;
    str rest = str_head(r->text, r->len);
    while (n < sizeof bytes && utf8_next(&rest, &cp))
        bytes[n++] = (char)hidden_byte(cp);
    return show(out, str_of(bytes, n));
}

/* " (RIGHT-TO-LEFT OVERRIDE)"; controls have no name. */
static const char *name_of(uint32_t cp, char out[128])
{
    UErrorCode status = U_ZERO_ERROR;
    char name[120];
    int32_t n = u_charName((UChar32)cp, U_UNICODE_CHAR_NAME, name, sizeof name, &status);
    bool known = U_SUCCESS(status) && n > 0;
    (void)snprintf(out, 128, known ? " (%s)" : "%s", known ? name : "");
    return out;
}

static void say_run(const struct scan *s, const struct run *r, struct skillmd_finding *f)
{
    char shown[SHOWN_MAX + 1], name[128], what[192];
    const char *advice = !r->kind->refuses ? "" : r->n == 1 ? "; remove it" : "; remove them";
    if (r->n == 1)
        (void)snprintf(what, sizeof what, "%s U+%04X%s", r->kind->noun, r->first,
                       name_of(r->first, name));
    else
        (void)snprintf(what, sizeof what, "%zu %ss from U+%04X%s on", r->n, r->kind->noun, r->first,
                       name_of(r->first, name));
    if (r->kind->carries && r->n > 1)
        collect_say(s->found, f, "%s, which hide \"%s\"%s", what, show_carried(r, shown), advice);
    else
        collect_say(s->found, f, "%s in \"%s\"%s", what, show(shown, surroundings(s, r)), advice);
}

static void end_run(struct scan *s)
{
    struct run *r = &s->run;
    if (!r->kind)
        return;
    struct skillmd_finding *f = collect_add(s->found, r->kind->rule, r->kind->refuses, &r->at);
    if (f)
        say_run(s, r, f);
    r->kind = NULL;
}

static void tell(struct scan *s, const struct place *at, bool *told, const char *what)
{
    if (!*told)
        collect_say(s->found, collect_add(s->found, SKILLMD_RULE_TEXT, true, at), "%s", what);
    *told = true;
}

static void start_line(struct scan *s)
{
    const struct place *at = &s->at.at;
    str forged = prompt_lines_forged(s->at.rest);
    if (forged.len == 0)
        return;
    collect_say(s->found, collect_add(s->found, SKILLMD_RULE_FORGERY, true, at),
                "line %u %s \"%.*s\", as the section of another skill does in an agent's prompt; "
                "reword the line",
                at->line,
                at->column == 1 ? "starts with"
                                : "has a line end inside, behind which it starts with",
                STR_ARG(forged));
}

/* --- the pass --- */

/* Past the tags of the flag that was just seen, if it has any. */
static void take_flag(struct scan *s)
{
    struct place at = s->at.at;
    struct hidden_flag flag = hidden_flag(s->at.rest);
    if (flag.len == 0)
        return;
    cursor_to(&s->at, at.offset + flag.len);
    s->base = s->before = 0;
    if (!flag.recommended)
        collect_say(s->found, collect_add(s->found, SKILLMD_RULE_TAGS, false, &at),
                    "a flag that most fonts show as black, with the tags \"%s\"", flag.region);
}

static void take_seen(struct scan *s, uint32_t cp)
{
    end_run(s);
    s->before = cp;
    if (cp == '\n' || cp == '\r')
        s->base = 0;
    else if (!hidden_is_mark(cp))
        s->base = cp;
    if (cp == HIDDEN_BLACK_FLAG)
        take_flag(s);
}

static bool is_at_home(const struct scan *s, uint32_t cp)
{
    struct hidden_context c = {.base = s->base, .before = s->before};
    str rest = s->at.rest;
    if (s->base == 0)
        return false;
    (void)utf8_next(&rest, &c.next);
    return hidden_at_home(cp, &c);
}

/* from: the cursor at cp. */
static void take_hidden(struct scan *s, const struct cursor *from, const struct hidden_kind *kind,
                        uint32_t cp)
{
    s->before = cp;
    s->base = 0;
    if (s->run.kind != kind) {
        end_run(s);
        s->run = (struct run){.kind = kind, .text = from->rest, .at = from->at, .first = cp};
    }
    s->run.n++;
    s->run.len = (size_t)(s->at.at.offset - s->run.at.offset);
}

static void take(struct scan *s, const struct cursor *from, uint32_t cp)
{
    const struct hidden_kind *kind = hidden_kind(cp);
    if (cp == 0) {
        take_seen(s, cp);
        tell(s, &from->at, &s->told_nul, "SKILL.md has a NUL byte");
    } else if (!kind) {
        take_seen(s, cp);
    } else if (is_at_home(s, cp)) {
        s->before = cp;
    } else {
        take_hidden(s, from, kind, cp);
    }
    if (prompt_lines_end(cp))
        start_line(s);
}

static void step(struct scan *s)
{
    uint32_t cp;
    struct cursor from = s->at;
    if (cursor_skip_plain(&s->at)) {
        take_seen(s, (uint8_t)s->at.rest.p[-1]);
    } else if (cursor_next(&s->at, &cp)) {
        take(s, &from, cp);
    } else {
        take_seen(s, cp);
        tell(s, &from.at, &s->told_utf8, "SKILL.md is not valid UTF-8");
    }
}

void scan(struct cursor from, struct collect *c)
{
    struct scan s = {.found = c, .start = from.rest.p, .at = from};
    start_line(&s);
    while (s.at.rest.len)
        step(&s);
    end_run(&s);
}
