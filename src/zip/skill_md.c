/* The rule skill-md: what an agent will be told must be there, once, whole, and nothing like it. */
#include "zip/audit.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "zip/names.h"
#include "zip/unicode.h"

#define SKILL_MD STR("SKILL.md")

/* UTS 39 takes I, 1 and | for l, and m for rn; so the skeleton of SKILL.md is SKlLL.rnd, and that
 * of skill.md is skill.rnd. No name longer than this has such a skeleton. */
#define LOOKALIKE_MAX 64

bool skill_md_is(str name)
{
    return str_eq(name, SKILL_MD);
}

static bool is_skeleton(str s)
{
    return str_eq_nocase(s, STR("SKlLL.rnd")) || str_eq_nocase(s, STR("skill.rnd"));
}

static char skeleton_char(char c)
{
    return c == 'I' || c == '1' || c == '|' ? 'l' : c == '0' ? 'O' : c;
}

/* The ASCII part of UTS 39's table, as far as these names go. out has room for two bytes of each.
 */
static str ascii_skeleton(str name, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        bool m = name.p[i] == 'm';
        out[len++] = m ? 'r' : skeleton_char(name.p[i]);
        if (m)
            out[len++] = 'n';
    }
    return str_of(out, len);
}

static bool ascii_lookalike(str name)
{
    char skeleton[2 * LOOKALIKE_MAX];
    return str_eq_nocase(name, SKILL_MD) || is_skeleton(ascii_skeleton(name, skeleton));
}

static enum err lookalike(struct unicode *u, str name, bool *ret, struct error *e)
{
    str s;
    char folded[LOOKALIKE_MAX * 2];
    TRY(unicode_skeleton(u, name, &s, e));
    *ret = is_skeleton(s);
    TRY(unicode_fold(u, name, &s, e));
    *ret = *ret || str_eq_nocase(s, SKILL_MD);
    if (*ret || s.len > sizeof folded)
        return ERR_OK;
    memcpy(folded, s.p, s.len);
    TRY(unicode_skeleton(u, str_of(folded, s.len), &s, e));
    *ret = is_skeleton(s);
    return ERR_OK;
}

static enum err rule_no_lookalike(struct audit *a, struct unicode *u, const struct entry *en,
                                  struct error *e)
{
    str root, rest, name = entry_name(a, en);
    bool hit = false;
    (void)str_cut(name, '/', &root, &rest);
    if (en->skill_md || root.len > LOOKALIKE_MAX)
        return ERR_OK;
    if (str_is_ascii(root))
        hit = ascii_lookalike(root);
    else if (utf8_valid(root))
        TRY(lookalike(u, root, &hit, e));
    if (hit)
        findings_add(&a->found, ZIP_RULE_SKILL_MD, name, en->at,
                     "invalid ZIP file: \"%s\" can be taken for SKILL.md",
                     findings_show(&a->found, name));
    return ERR_OK;
}

static void skill_md_finding(struct audit *a, const struct entry *en, const char *text)
{
    findings_add(&a->found, ZIP_RULE_SKILL_MD, entry_name(a, en), en->at, "%s", text);
}

static void rule_text(struct audit *a, const struct entry *en)
{
    str text = buf_view(&a->report->skill_md);
    if (en->pub->usize > a->limits->max_skill_md)
        findings_add(&a->found, ZIP_RULE_SKILL_MD, entry_name(a, en), en->at,
                     "SKILL.md too large (max: %u bytes)", a->limits->max_skill_md);
    else if (en->pub->usize == 0)
        skill_md_finding(a, en, "SKILL.md is empty");
    else if (!utf8_valid(text))
        skill_md_finding(a, en, "SKILL.md is not valid UTF-8");
    else if (str_find(text, '\0') >= 0)
        skill_md_finding(a, en, "SKILL.md has a NUL byte");
}

static void rule_exactly_one(struct audit *a, const struct entry *only, size_t n)
{
    if (n == 0)
        findings_add(&a->found, ZIP_RULE_SKILL_MD, STR_NULL, a->eocd_at,
                     "SKILL.md not found in ZIP archive");
    else if (n > 1)
        skill_md_finding(a, only, "invalid ZIP file: several entries are named SKILL.md");
    else if (only->measured)
        rule_text(a, only);
}

enum err audit_skill_md(struct audit *a, struct error *e)
{
    CLEANUP(unicode_deinit) struct unicode u;
    const struct entry *last = NULL;
    size_t n = 0;
    unicode_init(&u);
    for (size_t i = 0; i < a->n_entries; i++) {
        const struct entry *en = &a->entries[i];
        TRY(rule_no_lookalike(a, &u, en, e));
        if (en->skill_md) {
            last = en;
            n++;
        }
    }
    rule_exactly_one(a, last, n);
    return ERR_OK;
}
