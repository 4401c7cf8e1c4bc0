#include "skill/frontmatter.h"

#include "base/macro.h"
#include "base/utf8.h"

#include <yaml.h>

struct reader {
    yaml_parser_t yaml;
    yaml_event_t event; /* the current one */
    struct arena *a;
    struct frontmatter *fm;
    struct frontmatter_pair *metadata;
    const char **warnings;
    unsigned n_events, depth;
    unsigned seen; /* bits: index into fields */
    bool no_memory;
};

static void warn(struct reader *r, const char *text)
{
    if (r->fm->n_warnings < FRONTMATTER_WARNINGS_MAX)
        r->warnings[r->fm->n_warnings++] = text;
}

/* --- the block --- */

/* The first line of *text without its end, and past it. False: no text. */
static bool take_line(str *text, str *ret_line)
{
    if (text->len == 0)
        return false;
    if (!str_cut(*text, '\n', ret_line, text))
        *text = STR_NULL;
    if (str_ends_with(*ret_line, STR("\r")))
        ret_line->len--;
    return true;
}

static bool is_fence(str line)
{
    while (str_ends_with(line, STR(" ")) || str_ends_with(line, STR("\t")))
        line.len--;
    return str_eq(line, STR("---"));
}

/* What lies between the fences. False: there is no front matter that can be read. */
static bool cut_block(struct reader *r, str text, str *ret)
{
    str line;
    if (str_starts_with(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);
    if (!take_line(&text, &line) || !is_fence(line))
        return false;
    r->fm->present = true;
    const char *start = text.p;
    while (take_line(&text, &line)) {
        if ((size_t)(line.p - start) > FRONTMATTER_MAX) {
            warn(r, "the front matter is longer than 64 KiB and was not read");
            return false;
        }
        if (!is_fence(line))
            continue;
        *ret = str_of(start, (size_t)(line.p - start));
        return true;
    }
    warn(r, "the front matter is not closed by a line of three hyphens");
    return false;
}

/* --- events --- */

static bool stop(struct reader *r, const char *why)
{
    warn(r, why);
    return false;
}

static bool count_depth(struct reader *r)
{
    yaml_event_type_t type = r->event.type;
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
        r->depth++;
    if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
        r->depth--;
    return r->depth <= FRONTMATTER_DEPTH_MAX;
}

static bool has_anchor(const yaml_event_t *ev)
{
    switch ((int)ev->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return ev->data.scalar.anchor != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return ev->data.sequence_start.anchor != NULL;
    case YAML_MAPPING_START_EVENT:
        return ev->data.mapping_start.anchor != NULL;
    default:
        return false;
    }
}

/* To the next event. False: the end of what may be read. */
static bool advance(struct reader *r)
{
    yaml_event_delete(&r->event);
    memset(&r->event, 0, sizeof r->event);
    if (!yaml_parser_parse(&r->yaml, &r->event)) {
        r->no_memory = r->yaml.error == YAML_MEMORY_ERROR;
        return stop(r, "the front matter is not valid YAML");
    }
    if (++r->n_events > FRONTMATTER_EVENTS_MAX)
        return stop(r, "the front matter holds too many values");
    if (!count_depth(r))
        return stop(r, "the front matter is nested too deeply");
    if (has_anchor(&r->event))
        return stop(r, "the front matter uses anchors or aliases, which are not followed");
    return true;
}

/* Past the value that starts at the current event, to its last event. */
static bool skip_value(struct reader *r)
{
    unsigned outer = r->depth;
    if (r->event.type != YAML_MAPPING_START_EVENT && r->event.type != YAML_SEQUENCE_START_EVENT)
        return true;
    while (r->depth >= outer)
        if (!advance(r))
            return false;
    return true;
}

/* A copy of the current scalar. */
static bool take_scalar(struct reader *r, str *ret)
{
    str view = str_of(r->event.data.scalar.value, r->event.data.scalar.length);
    if (!arena_dup(r->a, view, ret))
        r->no_memory = true;
    return !r->no_memory;
}

/* --- fields --- */

static size_t n_characters(str s)
{
    uint32_t cp;
    size_t n = 0;
    while (utf8_next(&s, &cp))
        n++;
    return n;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static void check_name(struct reader *r, str s)
{
    bool ok = s.len >= 1 && s.len <= FRONTMATTER_NAME_MAX && s.p[0] != '-' &&
              !str_ends_with(s, STR("-")) && str_find_str(s, STR("--")) < 0;
    for (size_t i = 0; ok && i < s.len; i++)
        ok = name_char(s.p[i]);
    if (!ok)
        warn(r, "name should be 1 to 64 of a-z, 0-9 and single hyphens inside");
}

static void check_description(struct reader *r, str s)
{
    if (s.len == 0 || n_characters(s) > FRONTMATTER_DESCRIPTION_MAX)
        warn(r, "description should have 1 to 1024 characters");
}

static void check_compatibility(struct reader *r, str s)
{
    if (s.len == 0 || n_characters(s) > FRONTMATTER_COMPATIBILITY_MAX)
        warn(r, "compatibility should have 1 to 500 characters");
}

struct field {
    const char *key;
    size_t offset; /* of its str in struct frontmatter */
    void (*check)(struct reader *r, str s);
    const char *not_text;
};

static const struct field fields[] = {
    {"name", offsetof(struct frontmatter, name), check_name, "name should be a text"},
    {"description", offsetof(struct frontmatter, description), check_description,
     "description should be a text"},
    {"license", offsetof(struct frontmatter, license), NULL, "license should be a text"},
    {"compatibility", offsetof(struct frontmatter, compatibility), check_compatibility,
     "compatibility should be a text"},
    {"allowed-tools", offsetof(struct frontmatter, allowed_tools), NULL,
     "allowed-tools should be a text of names between spaces"},
};
#define METADATA_BIT (1U << ARRAY_SIZE(fields))

static bool read_metadata_entry(struct reader *r)
{
    struct frontmatter_pair pair;
    if (r->event.type != YAML_SCALAR_EVENT) {
        warn(r, "the keys of metadata should be texts");
        return skip_value(r) && advance(r) && skip_value(r);
    }
    if (!take_scalar(r, &pair.key) || !advance(r))
        return false;
    if (r->event.type != YAML_SCALAR_EVENT) {
        warn(r, "the values of metadata should be texts");
        return skip_value(r);
    }
    if (r->fm->n_metadata == FRONTMATTER_METADATA_MAX)
        return stop(r, "metadata has more than 64 entries");
    if (!take_scalar(r, &pair.value))
        return false;
    r->metadata[r->fm->n_metadata++] = pair;
    return true;
}

static bool read_metadata(struct reader *r)
{
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        warn(r, "metadata should be a map of texts");
        return skip_value(r);
    }
    while (advance(r) && r->event.type != YAML_MAPPING_END_EVENT)
        if (!read_metadata_entry(r))
            return false;
    return r->event.type == YAML_MAPPING_END_EVENT;
}

static bool read_field(struct reader *r, const struct field *f)
{
    str value;
    if (r->event.type != YAML_SCALAR_EVENT) {
        warn(r, f->not_text);
        return skip_value(r);
    }
    if (!take_scalar(r, &value))
        return false;
    if (f->check)
        f->check(r, value);
    *(str *)(void *)((char *)r->fm + f->offset) = value;
    return true;
}

/* The bit of a key; 0 for one that the specification does not know. */
static unsigned bit_of(str key)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
        if (str_eq(key, str_c(fields[i].key)))
            return 1U << i;
    return str_eq(key, STR("metadata")) ? METADATA_BIT : 0;
}

static bool read_value(struct reader *r, unsigned bit)
{
    if (bit == 0)
        warn(r, "the front matter has a field that the specification does not know");
    else if (r->seen & bit)
        warn(r, "the front matter has a field twice; the first one counts");
    if (bit == 0 || (r->seen & bit))
        return skip_value(r);
    r->seen |= bit;
    return bit == METADATA_BIT ? read_metadata(r) : read_field(r, &fields[__builtin_ctz(bit)]);
}

static bool read_entry(struct reader *r)
{
    unsigned bit = 0;
    if (r->event.type == YAML_SCALAR_EVENT)
        bit = bit_of(str_of(r->event.data.scalar.value, r->event.data.scalar.length));
    return skip_value(r) && advance(r) && read_value(r, bit);
}

static bool read_document(struct reader *r)
{
    while (advance(r) && r->event.type != YAML_DOCUMENT_START_EVENT)
        if (r->event.type == YAML_STREAM_END_EVENT)
            return true;
    if (r->event.type != YAML_DOCUMENT_START_EVENT || !advance(r))
        return false;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return stop(r, "the front matter should be a map");
    while (advance(r) && r->event.type != YAML_MAPPING_END_EVENT)
        if (!read_entry(r))
            return false;
    return true;
}

static void read_block(struct reader *r, str block)
{
    static const unsigned char nothing[1];
    const unsigned char *p = block.len ? (const unsigned char *)block.p : nothing;
    r->no_memory = !yaml_parser_initialize(&r->yaml);
    if (r->no_memory)
        return;
    yaml_parser_set_encoding(&r->yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->yaml, p, block.len);
    bool whole = read_document(r);
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->yaml);
    if (whole && !(r->seen & 1U))
        warn(r, "the front matter has no name");
    if (whole && !(r->seen & 2U))
        warn(r, "the front matter has no description");
}

enum err frontmatter_parse(str skill_md, struct arena *a, struct frontmatter *ret, struct error *e)
{
    str block;
    struct reader r = {.a = a, .fm = ret};
    *ret = (struct frontmatter){0};
    r.metadata = arena_calloc(a, FRONTMATTER_METADATA_MAX, sizeof *r.metadata);
    r.warnings = arena_calloc(a, FRONTMATTER_WARNINGS_MAX, sizeof *r.warnings);
    if (!r.metadata || !r.warnings)
        return FAIL_NOMEM(e);
    ret->metadata = r.metadata;
    ret->warnings = r.warnings;
    if (cut_block(&r, skill_md, &block))
        read_block(&r, block);
    return r.no_memory ? FAIL_NOMEM(e) : ERR_OK;
}
