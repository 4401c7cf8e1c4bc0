#include "agent/pin.h"

#include "base/utf8.h"

enum { NAME_MAX_BYTES = 256 };

bool pin_reference(const struct ref *r, struct arena *a, str *ret)
{
    struct digest d;
    bool latest = r->version.len == 0 || str_eq(r->version, STR("latest"));
    const char *mark = latest ? "" : digest_from_hex(r->version, &d) ? "@" : ":";
    const char *text = arena_printf(
        a, "%s%.*s%s%.*s%s%.*s", r->org.len ? "@" : "", STR_ARG(r->org), r->org.len ? "/" : "",
        STR_ARG(r->slug), mark, latest ? 0 : (int)r->version.len, r->version.p ? r->version.p : "");
    *ret = str_c(text);
    return text != NULL;
}

/* Ends of lines beyond those that are controls. */
static bool is_line_end(uint32_t cp)
{
    return cp == 0x2028 || cp == 0x2029;
}

bool pin_name_is_safe(str name)
{
    struct buf shown;
    uint32_t cp;
    if (name.len == 0 || name.len > NAME_MAX_BYTES || !utf8_valid(name))
        return false;
    for (str rest = name; utf8_next(&rest, &cp);)
        if (is_line_end(cp))
            return false;
    /* What a terminal must not be shown as it is (but a backslash) has no place in a heading. */
    buf_init(&shown, NAME_MAX_BYTES * UTF8_ESCAPED_MAX);
    for (str rest = name, part; rest.len;) {
        (void)str_cut(rest, '\\', &part, &rest);
        utf8_add_escaped(&shown, part);
    }
    size_t backslashes = 0;
    for (size_t i = 0; i < name.len; i++)
        backslashes += name.p[i] == '\\';
    bool safe = !shown.failed && shown.len == name.len - backslashes;
    buf_deinit(&shown);
    return safe;
}
