#include "api/check.h"

#include "base/macro.h"
#include "digest/sha256.h"
#include "skill/skill.h"

#include <stdarg.h>
#include <stdio.h>

#define ITEM "\n - "

void check_add(struct check *c, const char *field, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    int n = snprintf(c->list + c->len, sizeof(c->list) - c->len, ITEM "%s%s: %s", c->prefix, field,
                     text);
    if (n > 0)
        c->len = MIN(c->len + (size_t)n, sizeof(c->list) - 1);
    c->n++;
}

enum err check_end(const struct check *c, struct error *e)
{
    if (c->n == 0)
        return ERR_OK;
    if (c->n == 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "api.validation", "validation error: %s",
                    c->list + sizeof(ITEM) - 1);
    return FAIL(e, ERR_INVALID_ARGUMENT, "api.validation", "validation errors:%s", c->list);
}

bool check_required(struct check *c, const char *field, size_t len)
{
    if (len == 0)
        check_add(c, field, "value is required");
    return len > 0;
}

static bool is_hash(str s)
{
    struct digest d;
    return digest_from_hex(s, &d);
}

bool check_text(struct check *c, const char *field, str value, unsigned rules, size_t max)
{
    if ((rules & CHECK_REQUIRED) && !check_required(c, field, value.len))
        return false;
    if (value.len > max) {
        check_add(c, field, "value must be at most %zu bytes, it has %zu", max, value.len);
        return false;
    }
    if ((rules & CHECK_LABEL) && value.len > 0 && !str_is_label(value)) {
        check_add(c, field, "value does not match regex pattern `^$|^[a-zA-Z0-9._-]+$`");
        return false;
    }
    if ((rules & CHECK_NOT_HASH) && is_hash(value)) {
        check_add(c, field,
                  "value must not be 64 lower-case hex digits: that names a version by "
                  "its hash, choose another tag");
        return false;
    }
    return true;
}

bool check_scope(struct check *c, const char *field, int scope)
{
    bool ok = scope >= SKILL_SCOPE_UNSPECIFIED && scope <= SKILL_SCOPE_IDENTITY_ACCOUNT;
    if (!ok)
        check_add(c, field, "value must be one of the defined enum values");
    return ok;
}

bool check_org(struct check *c, const char *field, str org, int scope)
{
    if (org.len == 0 && scope == SKILL_SCOPE_ORGANIZATION) {
        check_add(c, field, "value is required when scope is organization");
        return false;
    }
    return check_text(c, field, org, CHECK_LABEL, SKILL_ORG_MAX);
}

bool check_count(struct check *c, const char *field, int32_t n)
{
    if (n < 0)
        check_add(c, field, "value must not be negative");
    return n >= 0;
}
