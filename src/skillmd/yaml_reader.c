#include "skillmd/yaml_reader.h"

#include "base/macro.h"
#include "skillmd/frontmatter.h"

bool yaml_reader_open(struct yaml_reader *r, struct cursor block, struct collect *found)
{
    static const unsigned char nothing[1];
    const unsigned char *p = block.rest.len ? (const unsigned char *)block.rest.p : nothing;
    *r = (struct yaml_reader){.block = block, .mark = block, .found = found};
    if (!yaml_parser_initialize(&r->parser)) {
        found->no_memory = true;
        return false;
    }
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, p, block.rest.len);
    return true;
}

void yaml_reader_close(struct yaml_reader *r)
{
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

/* --- places --- */

/* libyaml counts characters; its marks hardly ever go back. */
static struct cursor cursor_of(struct yaml_reader *r, size_t index)
{
    uint32_t cp;
    if (index < r->mark_index) {
        r->mark = r->block;
        r->mark_index = 0;
    }
    for (; r->mark_index < index && r->mark.rest.len; r->mark_index++)
        (void)cursor_next(&r->mark, &cp);
    return r->mark;
}

struct place yaml_reader_place(struct yaml_reader *r)
{
    return cursor_of(r, r->event.start_mark.index).at;
}

struct cursor yaml_reader_source(struct yaml_reader *r)
{
    struct cursor from = cursor_of(r, r->event.start_mark.index);
    struct cursor to = cursor_of(r, r->event.end_mark.index);
    from.rest = str_head(from.rest, (size_t)(to.at.offset - from.at.offset));
    return from;
}

struct skillmd_finding *yaml_reader_warn(struct yaml_reader *r, struct place at)
{
    if (r->n_warnings++ < FRONTMATTER_WARNINGS_MAX)
        return collect_add(r->found, SKILLMD_RULE_FRONT_MATTER, false, &at);
    r->found->n_all++;
    return NULL;
}

/* --- events --- */

static bool stop(struct yaml_reader *r, const char *why)
{
    collect_say(r->found, yaml_reader_warn(r, yaml_reader_place(r)), "the front matter %s", why);
    return false;
}

/* libyaml's texts are literals: "mapping values are not allowed in this context". */
static bool stop_at_problem(struct yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct cursor at = r->block;
    if (p->error == YAML_MEMORY_ERROR) {
        r->found->no_memory = true;
        return false;
    }
    if (p->error == YAML_READER_ERROR)
        cursor_to(&at, r->block.at.offset + MIN(p->problem_offset, r->block.rest.len));
    else
        at = cursor_of(r, p->problem_mark.index);
    collect_say(r->found, yaml_reader_warn(r, at.at), "the front matter is not valid YAML: %s",
                p->problem ? p->problem : "unknown problem");
    return false;
}

static bool count_depth(struct yaml_reader *r)
{
    yaml_event_type_t type = r->event.type;
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
        r->depth++;
    if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
        r->depth--;
    return r->depth <= FRONTMATTER_DEPTH_MAX;
}

/* What a value may have in front: YAML 1.2, section 6.9. */
struct properties {
    bool anchor, tag;
};

static struct properties properties_of(const yaml_event_t *ev)
{
    switch ((int)ev->type) {
    case YAML_ALIAS_EVENT:
        return (struct properties){.anchor = true};
    case YAML_SCALAR_EVENT:
        return (struct properties){ev->data.scalar.anchor, ev->data.scalar.tag};
    case YAML_SEQUENCE_START_EVENT:
        return (struct properties){ev->data.sequence_start.anchor, ev->data.sequence_start.tag};
    case YAML_MAPPING_START_EVENT:
        return (struct properties){ev->data.mapping_start.anchor, ev->data.mapping_start.tag};
    default:
        return (struct properties){0};
    }
}

bool yaml_reader_next(struct yaml_reader *r)
{
    yaml_event_delete(&r->event);
    memset(&r->event, 0, sizeof r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return stop_at_problem(r);
    if (++r->n_events > FRONTMATTER_EVENTS_MAX)
        return stop(r, "holds too many values");
    if (!count_depth(r))
        return stop(r, "is nested too deeply");
    struct properties has = properties_of(&r->event);
    if (has.anchor)
        return stop(r, "uses anchors or aliases, which are not followed");
    if (has.tag)
        collect_say(r->found, yaml_reader_warn(r, yaml_reader_place(r)),
                    "the front matter uses a tag (!...), which is not followed");
    return true;
}

bool yaml_reader_skip(struct yaml_reader *r)
{
    unsigned outer = r->depth;
    if (!yaml_reader_is(r, YAML_MAPPING_START_EVENT) &&
        !yaml_reader_is(r, YAML_SEQUENCE_START_EVENT))
        return true;
    while (r->depth >= outer)
        if (!yaml_reader_next(r))
            return false;
    return true;
}
