/*
 * Short names for the generated protobuf-c identifiers, whose package prefixes are long:
 *
 *     PB_SKILL(PushSkillRequest) *r = pb_skill(push_skill_request__unpack)(NULL, n, p);
 *     PB_SKILL(Skill) s = PB_SKILL_C(SKILL__INIT);
 *
 * Three macros a package: its types, its functions and descriptors, its constants.
 */
#ifndef STIGMER_PROTO_PB_H
#define STIGMER_PROTO_PB_H

#include "ai/stigmer/agentic/agent/v1/agent.pb-c.h"
#include "ai/stigmer/agentic/skill/v1/io.pb-c.h"
#include "ai/stigmer/agentic/skill/v1/skill.pb-c.h"
#include "ai/stigmer/commons/apiresource/apiresourcekind/kind.pb-c.h"
#include "ai/stigmer/commons/apiresource/reference.pb-c.h"
#include "ai/stigmer/commons/apiresource/resource.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

/* ai.stigmer.agentic.skill.v1 */
#define PB_SKILL(Type)    Ai__Stigmer__Agentic__Skill__V1__##Type
#define pb_skill(name)    ai__stigmer__agentic__skill__v1__##name
#define PB_SKILL_C(CONST) AI__STIGMER__AGENTIC__SKILL__V1__##CONST

/* ai.stigmer.commons.apiresource */
#define PB_RES(Type)    Ai__Stigmer__Commons__Apiresource__##Type
#define pb_res(name)    ai__stigmer__commons__apiresource__##name
#define PB_RES_C(CONST) AI__STIGMER__COMMONS__APIRESOURCE__##CONST

/* ai.stigmer.agentic.agent.v1 */
#define PB_AGENT(Type)    Ai__Stigmer__Agentic__Agent__V1__##Type
#define pb_agent(name)    ai__stigmer__agentic__agent__v1__##name
#define PB_AGENT_C(CONST) AI__STIGMER__AGENTIC__AGENT__V1__##CONST

/* google.protobuf */
#define PB_TIMESTAMP      Google__Protobuf__Timestamp
#define PB_TIMESTAMP_INIT GOOGLE__PROTOBUF__TIMESTAMP__INIT

#endif
