/*
 * The requests: from bytes to what the skill service takes, validated as API.md section 3 says.
 *
 * Everything answered lives in the arena, where there is one. Errors: INVALID_ARGUMENT with a text
 * for the client. Pages: no size, or 0, means 20; more than 100 gives 100 (the answer's
 * next_page_token leads on). A page of files has SKILL_FILES_PAGE_MAX in both cases.
 */
#ifndef STIGMER_API_REQUEST_H
#define STIGMER_API_REQUEST_H

#include "skill/skill.h"

enum { REQUEST_PAGE_DEFAULT = 20, REQUEST_PAGE_MAX = 100 };

/* rest: the message without its artifact, of which there were artifact_len bytes. */
enum err request_push(str rest, uint64_t artifact_len, struct arena *a, struct skill_push *ret,
                      struct error *e);
/* SkillId; the id is a view into bytes. */
enum err request_id(str bytes, str *ret_id, struct error *e);
/* ApiResourceReference. */
enum err request_reference(str bytes, struct arena *a, struct skill_ref *ret, struct error *e);
/* GetSkillByTagRequest; ret->version is the tag. */
enum err request_by_tag(str bytes, struct arena *a, struct skill_ref *ret, struct error *e);
/* GetSkillByHashRequest; ret->version is the text given, which may be no hash at all. */
enum err request_by_hash(str bytes, struct arena *a, struct skill_ref *ret, struct error *e);
/* GetArtifactRequest; the key is a view into bytes, the offset at least 0. */
enum err request_artifact(str bytes, str *ret_key, int64_t *ret_offset, struct error *e);
/* FindApiResourcesRequest. */
enum err request_find(str bytes, struct arena *a, struct skill_find *ret, struct error *e);
/* ListSkillVersionsRequest. */
enum err request_versions(str bytes, struct arena *a, struct skill_versions *ret, struct error *e);
/* ListSkillFilesRequest. */
enum err request_files(str bytes, struct arena *a, struct skill_files *ret, struct error *e);
/* MoveTagRequest. */
enum err request_move_tag(str bytes, struct arena *a, struct skill_ref *ret_ref, str *ret_tag,
                          struct error *e);

#endif
