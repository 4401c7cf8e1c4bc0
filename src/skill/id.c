#include "skill/id.h"

enum err id_scope(enum skill_scope scope, str org, enum skill_scope *ret_scope, str *ret_org,
                  struct error *e)
{
    if (scope == SKILL_SCOPE_UNSPECIFIED)
        scope = org.len ? SKILL_SCOPE_ORGANIZATION : SKILL_SCOPE_PLATFORM;
    if (scope != SKILL_SCOPE_ORGANIZATION && scope != SKILL_SCOPE_PLATFORM)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.scope",
                    "Skill resources can only have platform or organization scope");
    if (scope == SKILL_SCOPE_ORGANIZATION && org.len == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.org_missing",
                    "org is required when the scope is organization");
    *ret_scope = scope;
    *ret_org = scope == SKILL_SCOPE_PLATFORM ? STR_NULL : org;
    return ERR_OK;
}

static enum err dup(const char *text, str *ret, struct error *e)
{
    *ret = str_c(text);
    return text ? ERR_OK : FAIL_NOMEM(e);
}

enum err id_of(enum skill_scope scope, str org, str slug, struct arena *a, str *ret,
               struct error *e)
{
    if (scope == SKILL_SCOPE_PLATFORM)
        return dup(arena_printf(a, "platform/skill/%.*s", STR_ARG(slug)), ret, e);
    return dup(arena_printf(a, "org/%.*s/skill/%.*s", STR_ARG(org), STR_ARG(slug)), ret, e);
}

enum err id_prefix_of_org(str org, struct arena *a, str *ret, struct error *e)
{
    return dup(arena_printf(a, "org/%.*s/skill/", STR_ARG(org)), ret, e);
}
