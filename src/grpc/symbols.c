#include "grpc/symbols.h"

#include "base/arena.h"
#include "base/macro.h"
#include "grpc/wire.h"

#include <stdlib.h>

/* Field numbers of descriptor.proto. */
enum {
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    ANY_NAME = 1, /* of every descriptor */
};

#define MAX_DEPTH   32 /* of nested messages */
#define MAX_SYMBOLS 65536
#define MAX_MEMORY  MIB(16)

/* What may be declared inside what: the field of the container, and what it contains in turn. */
struct rule {
    const struct rule *inside;
    uint32_t field;
    bool beside; /* its content is named beside it: values of an enum */
};
static const struct rule nothing[] = {{NULL}};
static const struct rule in_enum[] = {{nothing, 2, false}, {NULL}};
static const struct rule in_service[] = {{nothing, 2, false}, {NULL}};
static const struct rule in_message[] = {
    {nothing, 2, false}, {in_message, 3, false}, {in_enum, 4, true},
    {nothing, 6, false}, {nothing, 8, false},    {NULL},
};
static const struct rule in_file[] = {
    {in_message, 4, false}, {in_enum, 5, true}, {in_service, 6, false}, {nothing, 7, false}, {NULL},
};

struct symbol {
    str name;
    size_t file;
};

struct symbols {
    const str *files;
    size_t n_files;
    struct symbol *rows; /* sorted by name */
    size_t n_rows, cap;
    struct arena names;
};

static enum err add_row(struct symbols *s, str name, size_t file, struct error *e)
{
    if (s->n_rows == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct symbol *rows =
            cap > MAX_SYMBOLS ? NULL : reallocarray(s->rows, cap, sizeof *s->rows);
        if (!rows)
            return FAIL_NOMEM(e);
        s->rows = rows;
        s->cap = cap;
    }
    s->rows[s->n_rows++] = (struct symbol){name, file};
    return ERR_OK;
}

static const struct rule *find_rule(const struct rule *rules, uint32_t field)
{
    while (rules->field && rules->field != field)
        rules++;
    return rules->field ? rules : NULL;
}

static enum err join(struct symbols *s, str scope, str name, str *ret, struct error *e)
{
    const char *full = scope.len
                           ? arena_printf(&s->names, "%.*s.%.*s", STR_ARG(scope), STR_ARG(name))
                           : arena_printf(&s->names, "%.*s", STR_ARG(name));
    if (!full)
        return FAIL_NOMEM(e);
    *ret = str_c(full);
    return ERR_OK;
}

/* Adds what `message` declares, by these rules, under the scope. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as messages are nested, at most MAX_DEPTH */
static enum err add_declared(struct symbols *s, size_t file, str message, str scope,
                             const struct rule *rules, unsigned depth, struct error *e)
{
    struct wire_field f;
    while (wire_next(&message, &f)) {
        const struct rule *r = find_rule(rules, f.number);
        str name;
        if (!r || !f.is_bytes)
            continue;
        TRY(join(s, scope, wire_find(f.bytes, ANY_NAME), &name, e));
        TRY(add_row(s, name, file, e));
        if (depth < MAX_DEPTH)
            TRY(add_declared(s, file, f.bytes, r->beside ? scope : name, r->inside, depth + 1, e));
    }
    if (message.len)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.descriptor",
                    "descriptor number %zu is not a FileDescriptorProto", file);
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

static enum err fill(struct symbols *s, struct error *e)
{
    for (size_t i = 0; i < s->n_files; i++) {
        str package = wire_find(s->files[i], FILE_PACKAGE);
        TRY(add_declared(s, i, s->files[i], package, in_file, 0, e));
    }
    if (s->n_rows)
        qsort(s->rows, s->n_rows, sizeof *s->rows, by_name);
    return ERR_OK;
}

enum err symbols_new(const str *files, size_t n_files, struct symbols **ret, struct error *e)
{
    struct symbols *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NOMEM(e);
    s->files = files;
    s->n_files = n_files;
    arena_init(&s->names, MAX_MEMORY);
    enum err err = fill(s, e);
    if (err != ERR_OK) {
        symbols_free(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    arena_deinit(&s->names);
    free(s->rows);
    free(s);
}

ptrdiff_t symbols_file(const struct symbols *s, str name)
{
    for (size_t i = 0; i < s->n_files; i++)
        if (str_eq(wire_find(s->files[i], FILE_NAME), name))
            return (ptrdiff_t)i;
    return -1;
}

ptrdiff_t symbols_find(const struct symbols *s, str name)
{
    struct symbol key = {.name = name};
    const struct symbol *row =
        s->n_rows ? bsearch(&key, s->rows, s->n_rows, sizeof *s->rows, by_name) : NULL;
    return row ? (ptrdiff_t)row->file : -1;
}

/* NOLINTNEXTLINE(misc-no-recursion): each file is entered once */
void symbols_mark_imports(const struct symbols *s, size_t file, bool *marks)
{
    struct wire_field f;
    str m = s->files[file];
    if (marks[file])
        return;
    marks[file] = true;
    while (wire_next(&m, &f)) {
        ptrdiff_t i = f.number == FILE_DEPENDENCY ? symbols_file(s, f.bytes) : -1;
        if (i >= 0)
            symbols_mark_imports(s, (size_t)i, marks);
    }
}
