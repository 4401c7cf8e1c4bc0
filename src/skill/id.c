#include "skill/id.h"

#include "base/macro.h"

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

static enum err join(const str *parts, size_t n, struct arena *a, str *ret, struct error *e)
{
    return arena_join(a, parts, n, ret) ? ERR_OK : FAIL_NOMEM(e);
}

enum err id_of(enum skill_scope scope, str org, str slug, struct arena *a, str *ret,
               struct error *e)
{
    const str of_platform[] = {STR("platform/skill/"), slug};
    const str of_org[] = {STR("org/"), org, STR("/skill/"), slug};
    return scope == SKILL_SCOPE_PLATFORM ? join(of_platform, ARRAY_SIZE(of_platform), a, ret, e)
                                         : join(of_org, ARRAY_SIZE(of_org), a, ret, e);
}

enum err id_prefix_of_org(str org, struct arena *a, str *ret, struct error *e)
{
    const str parts[] = {STR("org/"), org, STR("/skill/")};
    return join(parts, ARRAY_SIZE(parts), a, ret, e);
}
