#include "skillmd/frontmatter.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "skillmd/scan.h"
#include "skillmd/show.h"
#include "skillmd/yaml_reader.h"

struct reader {
    struct yaml_reader yaml;
    struct frontmatter *fm;
    struct frontmatter_pair *metadata;
    struct place fence; /* the first line */
    unsigned seen;      /* bits: index into fields */
};

static void warn(struct reader *r, const char *text)
{
    collect_say(r->yaml.found, yaml_reader_warn(&r->yaml, yaml_reader_place(&r->yaml)), "%s", text);
}

/* fmt has one %s: the current scalar. */
#define WARN_OF_KEY(r, fmt)                                                                        \
    do {                                                                                           \
        char shown_[SHOWN_MAX + 1];                                                                \
        struct skillmd_finding *f_ = yaml_reader_warn(&(r)->yaml, yaml_reader_place(&(r)->yaml));  \
        if (f_)                                                                                    \
            collect_say((r)->yaml.found, f_, fmt, show(shown_, yaml_reader_scalar(&(r)->yaml)));   \
    } while (0)

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

/* Why the block is not read, at its first line. */
static bool refuse_block(struct collect *found, const struct place *at, const char *why)
{
    collect_say(found, collect_add(found, SKILLMD_RULE_FRONT_MATTER, false, at),
                "the front matter %s", why);
    return false;
}

static bool ends_line(str before)
{
    static const str breaks[] = {
        {"\n", 1}, {"\r", 1}, {"\xc2\x85", 2}, {"\xe2\x80\xa8", 3}, {"\xe2\x80\xa9", 3}};
    for (size_t i = 0; i < ARRAY_SIZE(breaks); i++)
        if (str_ends_with(before, breaks[i]))
            return true;
    return before.len == 0;
}

/* Where the first YAML directive is, or -1: libyaml's time is quadratic in their number. */
static ptrdiff_t find_directive(str block)
{
    ptrdiff_t at, past = 0;
    while ((at = str_find(str_skip(block, (size_t)past), '%')) >= 0) {
        if (ends_line(str_head(block, (size_t)(past + at))))
            return past + at;
        past += at + 1;
    }
    return -1;
}

/* The length of the block up to the closing fence. */
static bool find_end(str block, size_t *ret_len, const char **ret_why)
{
    str line, rest = block;
    *ret_why = "is not closed by a line of three hyphens";
    while (take_line(&rest, &line)) {
        *ret_len = (size_t)(line.p - block.p);
        if (*ret_len > FRONTMATTER_MAX) {
            *ret_why = "is longer than 32 KiB and was not read";
            return false;
        }
        if (is_fence(line))
            return true;
    }
    return false;
}

/* What lies between the fences. False: there is no front matter that can be read. */
static bool cut_block(const struct cursor *start, struct collect *found, bool *ret_present,
                      struct cursor *ret)
{
    const char *why;
    str line, rest = start->rest;
    if (!take_line(&rest, &line) || !is_fence(line))
        return false;
    *ret_present = true;
    *ret = *start;
    cursor_to(ret, start->at.offset + (start->rest.len - rest.len));
    if (!find_end(ret->rest, &ret->rest.len, &why))
        return refuse_block(found, &start->at, why);
    ptrdiff_t directive = find_directive(ret->rest);
    if (directive < 0)
        return true;
    cursor_to(ret, ret->at.offset + (uint64_t)directive);
    return refuse_block(found, &ret->at, "has a YAML directive (%...) and was not read");
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

static size_t n_findings(struct cursor text)
{
    struct collect count;
    collect_init(&count, NULL);
    scan(text, &count);
    return count.n_all;
}

/* YAML takes escapes and indentation away: a value can hold what its bytes in the file do not. */
static void check_as_read(struct reader *r, str value)
{
    struct cursor as_read = {.rest = value};
    if (r->yaml.event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE &&
        n_findings(as_read) > n_findings(yaml_reader_source(&r->yaml)))
        warn(r, "a value has hidden characters or a forged section once YAML is read");
}

/* A copy of the current scalar. */
static bool take_scalar(struct reader *r, str *ret)
{
    if (!arena_dup(r->yaml.found->arena, yaml_reader_scalar(&r->yaml), ret))
        r->yaml.found->no_memory = true;
    check_as_read(r, *ret);
    return !r->yaml.found->no_memory;
}

static bool has_key(const struct frontmatter *fm, str key)
{
    for (size_t i = 0; i < fm->n_metadata; i++)
        if (str_eq(fm->metadata[i].key, key))
            return true;
    return false;
}

/* Past an entry that is left out, from its key on. */
static bool skip_entry(struct reader *r)
{
    return yaml_reader_skip(&r->yaml) && yaml_reader_next(&r->yaml) && yaml_reader_skip(&r->yaml);
}

static bool read_metadata_entry(struct reader *r)
{
    struct frontmatter_pair pair;
    if (!yaml_reader_is(&r->yaml, YAML_SCALAR_EVENT)) {
        warn(r, "the keys of metadata should be texts");
        return skip_entry(r);
    }
    if (has_key(r->fm, yaml_reader_scalar(&r->yaml))) {
        WARN_OF_KEY(r, "metadata has the key \"%s\" twice; the first one counts");
        return skip_entry(r);
    }
    if (!take_scalar(r, &pair.key) || !yaml_reader_next(&r->yaml))
        return false;
    if (!yaml_reader_is(&r->yaml, YAML_SCALAR_EVENT)) {
        warn(r, "the values of metadata should be texts");
        return yaml_reader_skip(&r->yaml);
    }
    if (!take_scalar(r, &pair.value))
        return false;
    r->metadata[r->fm->n_metadata++] = pair;
    return true;
}

/* The rest of the map, of which enough was read. */
static bool skip_metadata(struct reader *r)
{
    warn(r, "metadata has more than 64 entries; the first ones count");
    do
        if (!skip_entry(r) || !yaml_reader_next(&r->yaml))
            return false;
    while (!yaml_reader_is(&r->yaml, YAML_MAPPING_END_EVENT));
    return true;
}

static bool read_metadata(struct reader *r)
{
    if (!yaml_reader_is(&r->yaml, YAML_MAPPING_START_EVENT)) {
        warn(r, "metadata should be a map of texts");
        return yaml_reader_skip(&r->yaml);
    }
    while (yaml_reader_next(&r->yaml)) {
        if (yaml_reader_is(&r->yaml, YAML_MAPPING_END_EVENT))
            return true;
        if (r->fm->n_metadata == FRONTMATTER_METADATA_MAX)
            return skip_metadata(r);
        if (!read_metadata_entry(r))
            return false;
    }
    return false;
}

static bool read_field(struct reader *r, const struct field *f)
{
    str value;
    if (!yaml_reader_is(&r->yaml, YAML_SCALAR_EVENT)) {
        warn(r, f->not_text);
        return yaml_reader_skip(&r->yaml);
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

/* The bit of the field whose key is the current event; 0 when it is to be left out. */
static unsigned take_key(struct reader *r)
{
    if (!yaml_reader_is(&r->yaml, YAML_SCALAR_EVENT)) {
        warn(r, "the fields of the front matter should be named by texts");
        return 0;
    }
    unsigned bit = bit_of(yaml_reader_scalar(&r->yaml));
    if (bit == 0)
        WARN_OF_KEY(r, "the specification knows no field \"%s\"; metadata is the place for it");
    else if (r->seen & bit)
        WARN_OF_KEY(r, "the field \"%s\" is there twice; the first one counts");
    return bit & ~r->seen;
}

static bool read_entry(struct reader *r)
{
    unsigned bit = take_key(r);
    if (bit == 0)
        return skip_entry(r);
    r->seen |= bit;
    if (!yaml_reader_next(&r->yaml))
        return false;
    return bit == METADATA_BIT ? read_metadata(r) : read_field(r, &fields[__builtin_ctz(bit)]);
}

/* --- the document --- */

static bool read_map(struct reader *r)
{
    if (!yaml_reader_is(&r->yaml, YAML_MAPPING_START_EVENT)) {
        warn(r, "the front matter should be a map");
        return false;
    }
    while (yaml_reader_next(&r->yaml)) {
        if (yaml_reader_is(&r->yaml, YAML_MAPPING_END_EVENT))
            return true;
        if (!read_entry(r))
            return false;
    }
    return false;
}

/* Behind the map; its document's end comes first. */
static bool read_stream_end(struct reader *r)
{
    bool more = yaml_reader_next(&r->yaml);
    if (!more || !yaml_reader_next(&r->yaml))
        return false;
    if (!yaml_reader_is(&r->yaml, YAML_STREAM_END_EVENT))
        warn(r, "the front matter has more than one document; the first one counts");
    return true;
}

/* The stream's start comes first. False: something kept it from being read as a whole. */
static bool read_stream(struct reader *r)
{
    bool more = yaml_reader_next(&r->yaml);
    if (!more || !yaml_reader_next(&r->yaml))
        return false;
    if (yaml_reader_is(&r->yaml, YAML_STREAM_END_EVENT))
        return true; /* nothing but comments */
    return yaml_reader_next(&r->yaml) && read_map(r) && read_stream_end(r);
}

static void warn_of_missing(struct reader *r, unsigned bit, const char *text)
{
    if (!(r->seen & bit))
        collect_say(r->yaml.found, yaml_reader_warn(&r->yaml, r->fence), "%s", text);
}

void frontmatter_read(struct cursor start, struct collect *found, struct frontmatter *ret)
{
    struct cursor block;
    struct reader r = {.fm = ret, .fence = start.at};
    *ret = (struct frontmatter){0};
    if (!cut_block(&start, found, &ret->present, &block))
        return;
    r.metadata = arena_calloc(found->arena, FRONTMATTER_METADATA_MAX, sizeof *r.metadata);
    ret->metadata = r.metadata;
    found->no_memory |= !r.metadata;
    if (!r.metadata || !yaml_reader_open(&r.yaml, block, found))
        return;
    if (read_stream(&r)) {
        warn_of_missing(&r, bit_of(STR("name")), "the front matter has no name");
        warn_of_missing(&r, bit_of(STR("description")), "the front matter has no description");
    }
    yaml_reader_close(&r.yaml);
}
