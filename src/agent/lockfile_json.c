#include "agent/lockfile_json.h"

#include "agent/time_text.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/utf8.h"

#include <jansson.h>
#include <stdlib.h>

enum { FORMAT = 1, TEXT_MAX = 1024 };

/* --- reading --- */

static enum err bad(struct error *e, size_t at, const char *what)
{
    return FAIL(e, ERR_INVALID_ARGUMENT, "lock.entry", "skill %zu of it: %s", at + 1, what);
}

/* A text of the entry in the arena; absent is empty. */
static bool take(const json_t *entry, const char *key, struct arena *a, str *ret)
{
    const json_t *j = json_object_get(entry, key);
    str text = j ? str_of(json_string_value(j), json_string_length(j)) : STR_NULL;
    if ((j && !json_is_string(j)) || text.len > TEXT_MAX)
        return false;
    return arena_dup(a, text, ret);
}

static bool take_time(const json_t *entry, const char *key, int64_t *ret)
{
    const json_t *j = json_object_get(entry, key);
    *ret = 0;
    return !j || (json_is_string(j) && time_text_parse(str_c(json_string_value(j)), ret));
}

static bool is_empty_or_label(str s)
{
    return s.len == 0 || str_is_label(s);
}

static enum err check_pin(const struct agent_pin *p, struct arena *a, size_t at, struct error *e)
{
    struct ref r;
    struct digest exact;
    str canonical;
    if (ref_parse(p->reference, &r, e) != ERR_OK)
        return bad(e, at, "its reference is none");
    if (!pin_reference(&r, a, &canonical))
        return FAIL_NOMEM(e);
    if (!str_eq(canonical, p->reference))
        return bad(e, at, "its reference is written in an unusual way");
    if (digest_from_hex(r.version, &exact) && !digest_eq(&exact, &p->hash))
        return bad(e, at, "its reference and its hash differ");
    if (!str_eq(r.slug, p->slug) || (r.org.len && !str_eq(r.org, p->org)))
        return bad(e, at, "its reference names another skill");
    if (!pin_name_is_safe(p->name))
        return bad(e, at, "its name is none");
    if (!is_empty_or_label(p->org) || !is_empty_or_label(p->tag))
        return bad(e, at, "its org or its tag is none");
    return ERR_OK;
}

static enum err read_pin(const json_t *entry, struct arena *a, size_t at, struct agent_pin *ret,
                         struct error *e)
{
    str hash;
    if (!json_is_object(entry))
        return bad(e, at, "it is no object");
    if (!take(entry, "reference", a, &ret->reference) || !take(entry, "hash", a, &hash) ||
        !take(entry, "name", a, &ret->name) || !take(entry, "org", a, &ret->org) ||
        !take(entry, "slug", a, &ret->slug) || !take(entry, "tag", a, &ret->tag) ||
        !take(entry, "pushedBy", a, &ret->pushed_by))
        return bad(e, at, "a field is no text, or is too long");
    if (!take_time(entry, "pushedAt", &ret->pushed_ns) ||
        !take_time(entry, "resolvedAt", &ret->resolved_ns))
        return bad(e, at, "a time is none");
    if (!digest_from_hex(hash, &ret->hash))
        return bad(e, at, "its hash is not 64 digits of 0-9 a-f");
    return check_pin(ret, a, at, e);
}

static enum err read_pins(const json_t *root, struct lockfile *ret, struct error *e)
{
    const json_t *list = json_object_get(root, "skills");
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version) || json_integer_value(version) != FORMAT)
        return FAIL(e, ERR_INVALID_ARGUMENT, "lock.version",
                    "it is no skills.lock of version %d: \"version\" is missing or another one",
                    FORMAT);
    if (!json_is_array(list) || json_array_size(list) > LOCKFILE_PINS_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "lock.skills",
                    "\"skills\" is no list of at most %d skills", LOCKFILE_PINS_MAX);
    ret->pins = arena_calloc(&ret->arena, json_array_size(list) + 1, sizeof *ret->pins);
    if (!ret->pins)
        return FAIL_NOMEM(e);
    for (; ret->n_pins < json_array_size(list); ret->n_pins++) {
        struct agent_pin *p = &ret->pins[ret->n_pins];
        TRY(read_pin(json_array_get(list, ret->n_pins), &ret->arena, ret->n_pins, p, e));
        if (ret->n_pins && str_cmp(p[-1].reference, p->reference) >= 0)
            return bad(e, ret->n_pins, "it is there twice, or not in order");
    }
    return ERR_OK;
}

enum err lockfile_json_read(str text, struct lockfile *ret, struct error *e)
{
    json_error_t where;
    CLEANUP(json_decrefp)
    json_t *root = json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        CLEANUP(buf_deinit) struct buf why;
        buf_init(&why, KIB(2));
        utf8_add_escaped(&why, str_c(where.text));
        return FAIL(e, ERR_INVALID_ARGUMENT, "lock.json", "it is not JSON: line %d: %.*s",
                    where.line, STR_ARG(buf_view(&why)));
    }
    return read_pins(root, ret, e);
}

/* --- printing --- */

static json_t *of_text(str s)
{
    return json_stringn(s.p ? s.p : "", s.len);
}

static json_t *of_time(int64_t ns)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format_rfc3339(ns, text);
    return json_string(text);
}

static json_t *of_pin(const struct agent_pin *p)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(&p->hash, hex);
    return json_pack("{so ss so so so so so so so}", "reference", of_text(p->reference), "hash",
                     hex, "name", of_text(p->name), "org", of_text(p->org), "slug",
                     of_text(p->slug), "tag", of_text(p->tag), "pushedAt", of_time(p->pushed_ns),
                     "pushedBy", of_text(p->pushed_by), "resolvedAt", of_time(p->resolved_ns));
}

enum err lockfile_json_print(const struct agent_pin *pins, size_t n, struct buf *to,
                             struct error *e)
{
    CLEANUP(json_decrefp) json_t *root = NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, of_pin(&pins[i])) != 0) {
            json_decref(list);
            return FAIL_NOMEM(e);
        }
    root = json_pack("{si so}", "version", FORMAT, "skills", list);
    CLEANUP(freep) char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    buf_add_c(to, text);
    buf_add_char(to, '\n');
    return buf_status(to, e);
}
