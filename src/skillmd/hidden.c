#include "skillmd/hidden.h"

#include "base/utf8.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

static const struct hidden_kind control = {SKILLMD_RULE_HIDDEN, false, false, "control character"};
static const struct hidden_kind separator = {SKILLMD_RULE_HIDDEN, false, false, "line separator"};
static const struct hidden_kind invisible = {SKILLMD_RULE_HIDDEN, false, false,
                                             "invisible character"};
static const struct hidden_kind selector = {SKILLMD_RULE_HIDDEN, false, true, "variation selector"};
static const struct hidden_kind override = {SKILLMD_RULE_BIDI, true, false,
                                            "bidirectional override"};
static const struct hidden_kind bidi = {SKILLMD_RULE_BIDI, false, false, "bidirectional control"};
static const struct hidden_kind tag = {SKILLMD_RULE_TAGS, true, true, "tag character"};

enum {
    ZERO_WIDTH_SPACE = 0x200b,
    ZERO_WIDTH_NON_JOINER = 0x200c,
    ZERO_WIDTH_JOINER = 0x200d,
    TEXT_PRESENTATION = 0xfe0e,
    EMOJI_PRESENTATION = 0xfe0f,
    TAGS = 0xe0000, /* a tag is this and the ASCII character it stands for */
    CANCEL_TAG = 0xe007f,
    SELECTOR_17 = 0xe0100,
};

static bool in(uint32_t cp, uint32_t first, uint32_t last)
{
    return cp >= first && cp <= last;
}

static bool is_selector(uint32_t cp)
{
    return in(cp, 0xfe00, 0xfe0f) || in(cp, SELECTOR_17, 0xe01ef);
}

/* Those that have code points of their own in the rules. */
static const struct hidden_kind *named_kind(uint32_t cp)
{
    if (in(cp, 0x202a, 0x202e))
        return &override;
    if (in(cp, 0x2066, 0x2069) || in(cp, 0x200e, 0x200f) || cp == 0x61c)
        return &bidi;
    if (in(cp, TAGS, CANCEL_TAG))
        return &tag;
    if (is_selector(cp))
        return &selector;
    if (in(cp, 0x2028, 0x2029))
        return &separator;
    return in(cp, 0xfff9, 0xfffb) ? &invisible : NULL; /* annotations */
}

const struct hidden_kind *hidden_kind(uint32_t cp)
{
    if (in(cp, ' ', '~') || cp == '\t' || cp == '\n' || cp == '\r')
        return NULL;
    if (cp < 0xa0)
        return &control;
    const struct hidden_kind *kind = named_kind(cp);
    if (kind)
        return kind;
    return u_hasBinaryProperty((UChar32)cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) ? &invisible : NULL;
}

uint8_t hidden_byte(uint32_t cp)
{
    if (in(cp, TAGS, CANCEL_TAG))
        return (uint8_t)(cp - TAGS);
    return (uint8_t)(cp >= SELECTOR_17 ? cp - SELECTOR_17 + 16 : cp - 0xfe00);
}

static bool is_skin_tone(uint32_t cp)
{
    return in(cp, 0x1f3fb, 0x1f3ff);
}

bool hidden_is_mark(uint32_t cp)
{
    return cp >= 0x300 && ((U_GET_GC_MASK((UChar32)cp) & U_GC_M_MASK) || is_skin_tone(cp));
}

/* --- where they belong --- */

static bool is_pictograph(uint32_t cp)
{
    return u_hasBinaryProperty((UChar32)cp, UCHAR_EXTENDED_PICTOGRAPHIC);
}

static UScriptCode script_of(uint32_t cp)
{
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript((UChar32)cp, &status);
    return U_FAILURE(status) ? USCRIPT_COMMON : script;
}

/* Emoji take the last two of the first sixteen, ideographs those of the supplement. The others are
 * for symbols, also letters used as such, for punctuation and for some scripts without case. */
static bool takes_selector(uint32_t base, uint32_t cp)
{
    UChar32 c = (UChar32)base;
    bool emoji = is_pictograph(base) || u_hasBinaryProperty(c, UCHAR_EMOJI);
    if (cp == TEXT_PRESENTATION || cp == EMOJI_PRESENTATION)
        return emoji;
    if (cp >= SELECTOR_17)
        return u_hasBinaryProperty(c, UCHAR_UNIFIED_IDEOGRAPH);
    return base > 0xa0 && !emoji &&
           (!u_hasBinaryProperty(c, UCHAR_CASED) || script_of(base) == USCRIPT_COMMON);
}

/* UTS 51, ED-16: between two emoji, of which the first may have a skin tone or be presented so. */
static bool joins_emoji(const struct hidden_context *c)
{
    bool close = c->before == c->base || c->before == EMOJI_PRESENTATION || is_skin_tone(c->before);
    return close && is_pictograph(c->base) && is_pictograph(c->next);
}

/* Whether cp is of a script whose letters change with their neighbours. */
static bool is_shaped(uint32_t cp)
{
    UChar32 c = (UChar32)cp;
    UScriptCode script = script_of(cp);
    if (script == USCRIPT_COMMON || script == USCRIPT_INHERITED || script == USCRIPT_LATIN)
        return false;
    int32_t joining = u_getIntPropertyValue(c, UCHAR_JOINING_TYPE);
    return uscript_isRightToLeft(script) ||
           (joining != U_JT_NON_JOINING && joining != U_JT_TRANSPARENT) ||
           u_getIntPropertyValue(c, UCHAR_INDIC_SYLLABIC_CATEGORY) != U_INSC_OTHER;
}

/* Whether cp is of a script that is written without spaces between its words. */
static bool is_unspaced(uint32_t cp)
{
    return u_getIntPropertyValue((UChar32)cp, UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT;
}

bool hidden_at_home(uint32_t cp, const struct hidden_context *c)
{
    if (is_selector(cp))
        return c->before == c->base && takes_selector(c->base, cp);
    if (cp == ZERO_WIDTH_JOINER && joins_emoji(c))
        return true;
    if (hidden_kind(c->before)) /* one is enough */
        return false;
    if (cp == ZERO_WIDTH_SPACE)
        return is_unspaced(c->base) || is_unspaced(c->next);
    if (cp == ZERO_WIDTH_NON_JOINER || cp == ZERO_WIDTH_JOINER)
        return is_shaped(c->base) || is_shaped(c->next);
    return in(cp, 0x180b, 0x180f) && script_of(c->base) == USCRIPT_MONGOLIAN;
}

/* --- flags --- */

static bool is_recommended(str region)
{
    return str_eq(region, STR("gbeng")) || str_eq(region, STR("gbsct")) ||
           str_eq(region, STR("gbwls"));
}

/* The tag character at the start of *text as ASCII, and past it; 0 when there is none. */
static char take_tag(str *text)
{
    uint32_t cp;
    str rest = *text;
    if (!utf8_next(&rest, &cp) || !in(cp, TAGS, CANCEL_TAG))
        return 0;
    *text = rest;
    return (char)(cp - TAGS);
}

static bool is_region_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

struct hidden_flag hidden_flag(str text)
{
    char c;
    size_t n = 0;
    str rest = text;
    struct hidden_flag flag = {0};
    while (is_region_char(c = take_tag(&rest)) && n < HIDDEN_REGION_MAX)
        flag.region[n++] = c;
    if (n < HIDDEN_REGION_MIN || c != (char)(CANCEL_TAG - TAGS))
        return flag;
    flag.len = text.len - rest.len;
    flag.recommended = is_recommended(str_of(flag.region, n));
    return flag;
}
