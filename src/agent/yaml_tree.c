#include "agent/yaml_tree.h"

#include "base/macro.h"

#include <yaml.h>

enum { EVENTS_MAX = 100000, DEPTH_MAX = 32 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    unsigned n_events, depth;
};

static void reader_deinit(struct reader *r)
{
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

static enum err bad(const struct reader *r, struct error *e, const char *why)
{
    size_t line = r->parser.problem ? r->parser.problem_mark.line : r->event.start_mark.line;
    return FAIL(e, ERR_INVALID_ARGUMENT, "yaml.bad",
                "it is not YAML that is understood: line %zu: %s", line + 1, why);
}

static enum err next(struct reader *r, struct error *e)
{
    yaml_event_delete(&r->event);
    memset(&r->event, 0, sizeof r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return r->parser.error == YAML_MEMORY_ERROR
                   ? FAIL_NOMEM(e)
                   : bad(r, e, r->parser.problem ? r->parser.problem : "unknown problem");
    if (++r->n_events > EVENTS_MAX)
        return bad(r, e, "too many values");
    return ERR_OK;
}

/* The current event's value; a NULL of jansson is memory, or a text that is not UTF-8. */
static enum err value(struct reader *r, json_t **ret, struct error *e);

static enum err sequence(struct reader *r, json_t *to, struct error *e)
{
    for (;;) {
        json_t *item = NULL;
        TRY(next(r, e));
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return ERR_OK;
        TRY(value(r, &item, e));
        if (json_array_append_new(to, item) != 0)
            return FAIL_NOMEM(e);
    }
}

static enum err mapping_entry(struct reader *r, json_t *to, struct error *e)
{
    CLEANUP(json_decrefp) json_t *key = NULL;
    json_t *item = NULL;
    if (r->event.type != YAML_SCALAR_EVENT)
        return bad(r, e, "a key that is no text");
    TRY(value(r, &key, e));
    const char *name = json_string_value(key);
    if (strlen(name) != json_string_length(key))
        return bad(r, e, "a key with a NUL");
    if (json_object_get(to, name))
        return bad(r, e, "a key that is there twice");
    TRY(next(r, e));
    TRY(value(r, &item, e));
    return json_object_set_new(to, name, item) == 0 ? ERR_OK : FAIL_NOMEM(e);
}

static enum err mapping(struct reader *r, json_t *to, struct error *e)
{
    for (;;) {
        TRY(next(r, e));
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return ERR_OK;
        TRY(mapping_entry(r, to, e));
    }
}

static enum err nested(struct reader *r, json_t **ret, struct error *e)
{
    bool list = r->event.type == YAML_SEQUENCE_START_EVENT;
    CLEANUP(json_decrefp) json_t *to = list ? json_array() : json_object();
    if (!to)
        return FAIL_NOMEM(e);
    if (++r->depth > DEPTH_MAX)
        return bad(r, e, "too many levels");
    TRY(list ? sequence(r, to, e) : mapping(r, to, e));
    r->depth--;
    *ret = STEAL(to);
    return ERR_OK;
}

static enum err value(struct reader *r, json_t **ret, struct error *e)
{
    const yaml_event_t *ev = &r->event;
    if (ev->type == YAML_SEQUENCE_START_EVENT || ev->type == YAML_MAPPING_START_EVENT)
        return nested(r, ret, e);
    if (ev->type == YAML_SCALAR_EVENT)
        *ret = json_stringn((const char *)ev->data.scalar.value, ev->data.scalar.length);
    else
        *ret = json_null(); /* an alias */
    return *ret ? ERR_OK : bad(r, e, "a text that is not UTF-8");
}

static enum err document(struct reader *r, json_t **ret, struct error *e)
{
    TRY(next(r, e)); /* the stream's start */
    TRY(next(r, e));
    if (r->event.type != YAML_DOCUMENT_START_EVENT) {
        *ret = json_null();
        return ERR_OK;
    }
    TRY(next(r, e));
    return value(r, ret, e);
}

enum err yaml_tree(str text, json_t **ret, struct error *e)
{
    static const unsigned char nothing[1];
    CLEANUP(reader_deinit) struct reader r = {0};
    if (!yaml_parser_initialize(&r.parser))
        return FAIL_NOMEM(e);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, text.len ? (const unsigned char *)text.p : nothing,
                                 text.len);
    return document(&r, ret, e);
}
