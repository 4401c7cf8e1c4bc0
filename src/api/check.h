/*
 * Validation of requests: violations are collected in field order and become one error.
 *
 *     struct check c = CHECK_INIT;
 *     check_text(&c, "name", str_c(r->name), CHECK_REQUIRED, SKILL_NAME_MAX);
 *     TRY(check_end(&c, e));
 *
 * One violation reads "validation error: <field>: <message>", several are listed below
 * "validation errors:". A field gets at most one.
 */
#ifndef STIGMER_API_CHECK_H
#define STIGMER_API_CHECK_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct check {
    unsigned n;
    size_t len;
    const char *prefix;     /* of the fields: where they are in the request, with the dot */
    char list[ERR_MSG_MAX]; /* "\n - <field>: <message>" each */
};
#define CHECK_INIT ((struct check){.prefix = ""})

/* Records a violation. */
void check_add(struct check *c, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* ERR_OK, or INVALID_ARGUMENT with all violations. */
enum err check_end(const struct check *c, struct error *e);

/* Not empty. False when violated. */
bool check_required(struct check *c, const char *field, size_t len);

enum check_text {
    CHECK_ANY = 0,
    CHECK_REQUIRED = 1, /* not empty */
    CHECK_LABEL = 2,    /* empty or [a-zA-Z0-9._-]+ */
    CHECK_NOT_HASH = 4, /* not 64 lower-case hex digits */
};
/* rules: enum check_text, or-ed. max: bytes. */
bool check_text(struct check *c, const char *field, str value, unsigned rules, size_t max);
/* One of ApiResourceOwnerScope's values; 0 is one. */
bool check_scope(struct check *c, const char *field, int scope);
/* An organization's name, needed when scope is organization. */
bool check_org(struct check *c, const char *field, str org, int scope);
/* Not negative. */
bool check_count(struct check *c, const char *field, int32_t n);

#endif
