#include "zip/names.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "zip/record.h"
#include "zip/unicode.h"

struct name {
    struct findings *found;
    struct unicode *unicode;
    const struct name_ref *ref;
    str path; /* without a directory's slash */
};

#define NAME_FINDING(n, rule, fmt, ...)                                                            \
    findings_add((n)->found, rule, (n)->ref->name, (n)->ref->offset, fmt,                          \
                 findings_show((n)->found, (n)->ref->name) __VA_OPT__(, ) __VA_ARGS__)

/* --- name-utf8 --- */

static bool is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f);
}

static bool characters_ok(const struct name *n)
{
    uint32_t cp;
    for (str s = n->ref->name; s.len;) {
        if (!utf8_next(&s, &cp)) {
            NAME_FINDING(n, ZIP_RULE_NAME_UTF8, "invalid character in filename: %s (not UTF-8)");
            return false;
        }
        if (is_control(cp)) {
            NAME_FINDING(n, ZIP_RULE_NAME_UTF8,
                         "invalid character in filename: %s (control character U+%04X)", cp);
            return false;
        }
    }
    return true;
}

static const char *too_long(str path)
{
    size_t depth = 0;
    str part;
    if (path.len == 0)
        return "is empty";
    if (path.len > NAME_PATH_MAX)
        return "is longer than 1024 bytes";
    while (path.len) {
        (void)str_cut(path, '/', &part, &path);
        if (part.len > NAME_COMPONENT_MAX)
            return "has a part longer than 255 bytes";
        depth++;
    }
    return depth > NAME_DEPTH_MAX ? "has more than 32 levels" : NULL;
}

/* Whether the other rules can make sense of the name. */
static bool rule_name_utf8(const struct name *n)
{
    const char *problem = too_long(n->ref->name.len > 1 ? n->path : n->ref->name);
    if (problem)
        NAME_FINDING(n, ZIP_RULE_NAME_UTF8, "invalid filename: \"%s\" %s", problem);
    return characters_ok(n) && !problem;
}

/* --- name-path --- */

static bool is_drive(str path)
{
    return path.len >= 2 && path.p[1] == ':' &&
           ((path.p[0] >= 'a' && path.p[0] <= 'z') || (path.p[0] >= 'A' && path.p[0] <= 'Z'));
}

static const char *bad_part(str part)
{
    if (part.len == 0)
        return "has an empty part";
    if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
        return "has a \".\" or \"..\" part";
    return NULL;
}

static const char *path_problem(str path)
{
    const char *problem = NULL;
    bool more = true;
    str part;
    if (str_starts_with(path, STR("/")) || path.len == 0)
        return "is absolute";
    if (is_drive(path))
        return "begins with a drive letter";
    if (str_find(path, '\\') >= 0)
        return "has a backslash";
    while (more && !problem) {
        more = str_cut(path, '/', &part, &path);
        problem = bad_part(part);
    }
    return problem;
}

static void rule_name_path(const struct name *n)
{
    const char *problem = path_problem(n->path);
    if (problem)
        NAME_FINDING(n, ZIP_RULE_NAME_PATH, "invalid ZIP file: the name \"%s\" %s", problem);
}

/* --- name-windows --- */

static bool is_forbidden(char c)
{
    return c && strchr(":<>\"|?*", c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "1" to "9", or a superscript 1, 2, 3 in UTF-8 (U+00B9, U+00B2, U+00B3). */
static bool is_port_digit(str s)
{
    if (s.len == 1)
        return is_digit(s.p[0]) && s.p[0] != '0';
    return str_eq(s, STR("\xc2\xb9")) || str_eq(s, STR("\xc2\xb2")) || str_eq(s, STR("\xc2\xb3"));
}

/* "Naming Files, Paths, and Namespaces", Windows: also with an extension, in any case. */
static bool is_device(str part)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    str base, unused;
    (void)str_cut(part, '.', &base, &unused);
    base = str_trim(base);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq_nocase(base, str_c(names[i])))
            return true;
    str kind = str_head(base, 3);
    return base.len > 3 && (str_eq_nocase(kind, STR("COM")) || str_eq_nocase(kind, STR("LPT"))) &&
           is_port_digit(str_skip(base, 3));
}

/* LONGNA~1: Windows makes such second names for long ones, of one to six characters, none of them
 * a dot, a tilde and a digit. */
static bool is_short_alias(str part)
{
    uint32_t cp;
    for (size_t n = 0; n <= 6 && utf8_next(&part, &cp) && cp != '.'; n++)
        if (n > 0 && cp == '~' && part.len && is_digit(part.p[0]))
            return true;
    return false;
}

static const char *windows_problem(str part)
{
    for (size_t i = 0; i < part.len; i++)
        if (is_forbidden(part.p[i]))
            return "one of : < > \" | ? *";
    if (bad_part(part)) /* name-path says so */
        return NULL;
    if (part.p[part.len - 1] == '.' || part.p[part.len - 1] == ' ')
        return "a final dot or space";
    if (is_device(part))
        return "a device name of Windows";
    return is_short_alias(part) ? "a short alias of Windows" : NULL;
}

static void rule_name_windows(const struct name *n)
{
    str part, rest = n->path;
    const char *problem = NULL;
    while (rest.len && !problem) {
        (void)str_cut(rest, '/', &part, &rest);
        problem = windows_problem(part);
    }
    if (problem)
        NAME_FINDING(n, ZIP_RULE_NAME_WINDOWS, "invalid character in filename: %s (%s)", problem);
}

/* --- name-hidden, name-encoding, name-option --- */

static void rule_name_hidden(const struct name *n)
{
    uint32_t cp;
    const char *problem;
    for (str s = n->path; utf8_next(&s, &cp);)
        if ((problem = unicode_hidden(cp))) {
            NAME_FINDING(n, ZIP_RULE_NAME_HIDDEN, "invalid character in filename: %s (%s U+%04X)",
                         problem, cp);
            return;
        }
}

static void rule_name_encoding(const struct name *n)
{
    const struct name_ref *r = n->ref;
    if (!r->utf8_flag && r->host != HOST_UNIX && r->host != HOST_DARWIN && !str_is_ascii(r->name))
        NAME_FINDING(n, ZIP_RULE_NAME_ENCODING,
                     "invalid ZIP file: the name \"%s\" does not say that it is UTF-8");
}

/* "a;1": Info-ZIP takes off what VMS puts behind names, its unzip also on Unix. */
static bool has_vms_version(str name)
{
    while (name.len && is_digit(name.p[name.len - 1]))
        name.len--;
    return str_ends_with(name, STR(";"));
}

/* A JavaScript object that files are put into by name loses the one named __proto__ (fflate). */
static void rule_name_option(const struct name *n)
{
    if (str_starts_with(n->path, STR("-")) || str_starts_with(n->path, STR("~")))
        NAME_FINDING(n, ZIP_RULE_NAME_OPTION, "invalid ZIP file: the name \"%s\" begins with %c",
                     n->path.p[0]);
    else if (has_vms_version(n->ref->name))
        NAME_FINDING(n, ZIP_RULE_NAME_OPTION,
                     "invalid ZIP file: the name \"%s\" ends like a version number of VMS");
    else if (str_eq(n->path, STR("__proto__")))
        NAME_FINDING(n, ZIP_RULE_NAME_OPTION,
                     "invalid ZIP file: the name \"%s\" is lost by readers in JavaScript");
}

/* --- name-git --- */

static enum err rule_name_git(const struct name *n, struct error *e)
{
    bool hit = false;
    str part, rest;
    TRY(unicode_fold(n->unicode, n->path, &rest, e));
    while (rest.len && !hit) {
        (void)str_cut(rest, '/', &part, &rest);
        hit = str_eq(part, STR(".git")) || str_eq(part, STR("git~1"));
    }
    if (hit)
        NAME_FINDING(n, ZIP_RULE_NAME_GIT, "invalid ZIP file: \"%s\" is or is in a .git directory");
    return ERR_OK;
}

typedef void name_rule_fn(const struct name *n);
static name_rule_fn *const name_rules[] = {
    rule_name_path, rule_name_windows, rule_name_hidden, rule_name_encoding, rule_name_option,
};

static enum err check_one(const struct name *n, struct error *e)
{
    if (!rule_name_utf8(n))
        return ERR_OK;
    for (size_t i = 0; i < ARRAY_SIZE(name_rules); i++)
        name_rules[i](n);
    return rule_name_git(n, e);
}

enum err names_check(struct findings *f, const struct name_source *s, struct error *e)
{
    CLEANUP(unicode_deinit) struct unicode u;
    struct name_ref ref;
    unicode_init(&u);
    for (size_t i = 0; i < s->n; i++) {
        TRY(s->get(s->ctx, i, &ref, e));
        struct name one = {.found = f, .unicode = &u, .ref = &ref, .path = name_path(ref.name)};
        TRY(check_one(&one, e));
    }
    return names_check_together(f, s, &u, e);
}
