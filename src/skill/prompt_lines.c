#include "skill/prompt_lines.h"

#include "base/utf8.h"

static const str forbidden[] = {
    {"### SKILL:", 10},
    {"LOCATION: /bin/skills/", 22},
};

static enum err check_line(str rest, unsigned line, struct error *e)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (str_starts_with(rest, forbidden[i]))
            return FAIL(e, ERR_INVALID_ARGUMENT, "skill.forged_section",
                        "failed to extract SKILL.md: line %u starts with \"%.*s\", as the section "
                        "of another skill does in an agent's prompt; reword the line",
                        line, STR_ARG(forbidden[i]));
    return ERR_OK;
}

/* Whatever some reader takes for the end of a line (Unicode 15, section 5.8). */
static bool ends_line(uint32_t cp)
{
    return (cp >= '\n' && cp <= '\r') || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

enum err prompt_lines_check(str text, struct error *e)
{
    uint32_t cp;
    unsigned line = 1;
    bool after_cr = false;
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) /* a byte order mark is not seen */
        text = str_skip(text, 3);
    TRY(check_line(text, line, e));
    while (utf8_next(&text, &cp)) {
        if (!ends_line(cp)) {
            after_cr = false;
            continue;
        }
        line += !(after_cr && cp == '\n');
        after_cr = cp == '\r';
        TRY(check_line(text, line, e));
    }
    return ERR_OK;
}
