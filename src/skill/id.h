/* Which skill is meant: scopes, orgs and slugs become ids. Private to src/skill. */
#ifndef STIGMER_SKILL_ID_H
#define STIGMER_SKILL_ID_H

#include "skill/skill.h"

/* (scope, org) as every skill has them: unspecified is organization with an org and platform
 * without; a platform skill has no org.
 * INVALID_ARGUMENT: identity_account, an unknown number, organization without an org. */
enum err id_scope(enum skill_scope scope, str org, enum skill_scope *ret_scope, str *ret_org,
                  struct error *e);
/* "platform/skill/<slug>" or "org/<org>/skill/<slug>"; scope and org as id_scope gives them. */
enum err id_of(enum skill_scope scope, str org, str slug, struct arena *a, str *ret,
               struct error *e);
/* What the ids of an org's skills start with. */
enum err id_prefix_of_org(str org, struct arena *a, str *ret, struct error *e);

#endif
