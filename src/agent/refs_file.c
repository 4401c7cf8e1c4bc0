#include "agent/refs_file.h"

#include "agent/yaml_tree.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "digest/sha256.h"

#include <fcntl.h>
#include <jansson.h>

enum { SKILL_KIND = 43, ORGANIZATION = 2 };

static const char *const list_keys[] = {"skills", "skill_refs", "skillRefs"};

static enum err bad(struct error *e, size_t at, const char *what)
{
    return FAIL(e, ERR_INVALID_ARGUMENT, "refs.item", "skill %zu of the list: %s", at + 1, what);
}

/* --- one item --- */

static str text_of(const json_t *j)
{
    return j ? str_of(json_string_value(j), json_string_length(j)) : STR_NULL;
}

/* An enum's value by name or number; YAML knows only texts. -1: neither. */
static int enum_of(const json_t *j, const char *const *names, const int *values, size_t n)
{
    uint64_t number;
    if (!j)
        return 0;
    if (json_is_integer(j))
        return json_integer_value(j) >= 0 && json_integer_value(j) < 1000
                   ? (int)json_integer_value(j)
                   : -1;
    for (size_t i = 0; i < n; i++)
        if (str_eq(text_of(j), str_c(names[i])))
            return values[i];
    return str_to_u64(text_of(j), &number) && number < 1000 ? (int)number : -1;
}

static enum err check_kind(const json_t *item, size_t at, struct error *e)
{
    static const char *const names[] = {"skill", "Skill", "unknown", ""};
    static const int values[] = {SKILL_KIND, SKILL_KIND, 0, 0};
    int kind = enum_of(json_object_get(item, "kind"), names, values, ARRAY_SIZE(names));
    return kind == 0 || kind == SKILL_KIND ? ERR_OK : bad(e, at, "its kind is not skill");
}

static enum err check_scope(const json_t *item, str org, size_t at, struct error *e)
{
    static const char *const names[] = {"platform", "organization",
                                        "api_resource_owner_scope_unspecified", ""};
    static const int values[] = {1, ORGANIZATION, 0, 0};
    int scope = enum_of(json_object_get(item, "scope"), names, values, ARRAY_SIZE(names));
    if (scope < 0 || scope > ORGANIZATION)
        return bad(e, at, "its scope is neither platform nor organization");
    if (scope == ORGANIZATION && org.len == 0)
        return bad(e, at, "scope organization needs an org");
    if (scope == 1 && org.len)
        return bad(e, at, "scope platform has no org");
    return ERR_OK;
}

static enum err check_keys(json_t *item, size_t at, struct error *e)
{
    static const char *const known[] = {"scope", "org", "kind", "slug", "version"};
    const char *key;
    json_t *value;
    json_object_foreach(item, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            found |= str_eq(str_c(key), str_c(known[i]));
        if (!found)
            return bad(e, at, "it has a field that no reference has");
        if (!json_is_string(value) && !json_is_integer(value))
            return bad(e, at, "a field of it is no text");
    }
    return ERR_OK;
}

/* Put together and read again, so that every part is held to the rules of references. */
static enum err of_object(json_t *item, struct arena *a, size_t at, struct ref *ret,
                          struct error *e)
{
    struct digest exact;
    str org = text_of(json_object_get(item, "org")), slug = text_of(json_object_get(item, "slug"));
    str version = text_of(json_object_get(item, "version"));
    TRY(check_keys(item, at, e));
    TRY(check_kind(item, at, e));
    TRY(check_scope(item, org, at, e));
    if (slug.len == 0)
        return bad(e, at, "it has no slug");
    if (org.len + slug.len + version.len > KIB(1))
        return bad(e, at, "it is too long");
    const char *mark = !version.len ? "" : digest_from_hex(version, &exact) ? "@" : ":";
    const char *text = arena_printf(a, "%s%.*s%s%.*s%s%.*s", org.len ? "@" : "", STR_ARG(org),
                                    org.len ? "/" : "", STR_ARG(slug), mark, STR_ARG(version));
    if (!text)
        return FAIL_NOMEM(e);
    if (ref_parse(str_c(text), ret, e) != ERR_OK)
        return err_wrap(e, "skill %zu of the list", at + 1);
    if (!str_eq(ret->slug, slug) || !str_eq(ret->org, org) || !str_eq(ret->version, version))
        return bad(e, at, "its slug is none");
    return ERR_OK;
}

static enum err of_item(json_t *item, struct arena *a, size_t at, struct ref *ret, struct error *e)
{
    str text;
    if (json_is_object(item))
        return of_object(item, a, at, ret, e);
    if (!json_is_string(item) || json_string_length(item) > KIB(1))
        return bad(e, at, "it is neither a text nor a reference");
    if (!arena_dup(a, text_of(item), &text))
        return FAIL_NOMEM(e);
    return ref_parse(text, ret, e) == ERR_OK ? ERR_OK
                                             : err_wrap(e, "skill %zu of the list", at + 1);
}

/* --- the list --- */

static json_t *list_in(const json_t *object)
{
    for (size_t i = 0; i < ARRAY_SIZE(list_keys); i++) {
        json_t *list = json_object_get(object, list_keys[i]);
        if (list)
            return list;
    }
    return NULL;
}

static json_t *find_list(json_t *root)
{
    if (json_is_array(root))
        return root;
    json_t *list = list_in(root);
    return list ? list : list_in(json_object_get(root, "spec"));
}

static enum err read_list(json_t *root, struct arena *a, struct ref **ret, size_t *ret_n,
                          struct error *e)
{
    json_t *list = find_list(root);
    if (!json_is_array(list) || json_array_size(list) > REFS_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "refs.list",
                    "it holds no list of at most %d skills: an array, or one under \"skills\"",
                    REFS_MAX);
    size_t n = json_array_size(list);
    struct ref *refs = arena_calloc(a, n + 1, sizeof *refs);
    if (!refs)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        TRY(of_item(json_array_get(list, i), a, i, &refs[i], e));
    *ret = refs;
    *ret_n = n;
    return ERR_OK;
}

static enum err tree_of(str text, json_t **ret, struct error *e)
{
    json_error_t where;
    str start = str_trim(text);
    bool json = start.len && (start.p[0] == '[' || start.p[0] == '{');
    if (!json)
        return yaml_tree(text, ret, e);
    *ret = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &where);
    if (*ret)
        return ERR_OK;
    CLEANUP(buf_deinit) struct buf why;
    buf_init(&why, KIB(2));
    utf8_add_escaped(&why, str_c(where.text));
    return FAIL(e, ERR_INVALID_ARGUMENT, "refs.json", "it is not JSON: line %d: %.*s", where.line,
                STR_ARG(buf_view(&why)));
}

enum err refs_parse(str text, struct arena *a, struct ref **ret, size_t *ret_n, struct error *e)
{
    CLEANUP(json_decrefp) json_t *root = NULL;
    if (text.len > REFS_FILE_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "refs.size", "it has more than %d bytes",
                    REFS_FILE_MAX);
    TRY(tree_of(text, &root, e));
    return read_list(root, a, ret, ret_n, e);
}

static enum err read_all(const char *path, struct buf *text, struct error *e)
{
    CLEANUP(sys_closep) int opened = -1;
    int fd = 0;
    if (!str_eq(str_c(path), STR("-"))) {
        TRY(sys_openat(AT_FDCWD, path, O_RDONLY, 0, &opened, e));
        fd = opened;
    }
    for (size_t n = 1; n > 0 && text->len <= REFS_FILE_MAX;) {
        char *at = buf_reserve(text, KIB(64));
        if (!at)
            return FAIL_NOMEM(e);
        TRY(sys_read(fd, at, KIB(64), &n, e));
        text->len += n;
    }
    return ERR_OK;
}

enum err refs_read(const char *path, struct arena *a, struct ref **ret, size_t *ret_n,
                   struct error *e)
{
    CLEANUP(buf_deinit) struct buf text;
    buf_init(&text, REFS_FILE_MAX + KIB(256));
    enum err err = read_all(path, &text, e);
    if (err == ERR_OK)
        err = refs_parse(buf_view(&text), a, ret, ret_n, e);
    return err == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}
