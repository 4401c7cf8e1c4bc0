#include "skillmd/prompt_lines.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "skillmd/hidden.h"

static const str forged[] = {
    {"### SKILL:", 10},
    {"LOCATION: /bin/skills/", 22},
};

bool prompt_lines_end(uint32_t cp)
{
    return (cp >= '\n' && cp <= '\r') || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

static bool is_skipped(uint32_t cp)
{
    return hidden_kind(cp) && !prompt_lines_end(cp);
}

/* Most lines need no closer look. */
static bool may_start(char first)
{
    return first == '#' || first == 'L' || (uint8_t)first >= 0x80 || hidden_kind((uint8_t)first);
}

static bool starts_with(str line, str want)
{
    uint32_t cp;
    while (want.len) {
        if (!utf8_next(&line, &cp))
            return false;
        if (is_skipped(cp))
            continue;
        if (cp != (uint8_t)want.p[0])
            return false;
        want = str_skip(want, 1);
    }
    return true;
}

str prompt_lines_forged(str line)
{
    if (line.len == 0 || !may_start(line.p[0]))
        return STR_NULL;
    for (size_t i = 0; i < ARRAY_SIZE(forged); i++)
        if (starts_with(line, forged[i]))
            return forged[i];
    return STR_NULL;
}
