/*
 * The answers: what the skill service found becomes protobuf bytes.
 *
 * Every Skill carries metadata, spec and status, also where all their fields are empty: existing
 * clients dereference them unchecked. The arena holds the message while it is packed.
 * Errors: RESOURCE_EXHAUSTED when the arena or `out` is full.
 */
#ifndef STIGMER_API_REPLY_H
#define STIGMER_API_REPLY_H

#include "base/buf.h"
#include "skill/skill.h"

#define REPLY_API_VERSION "agentic.stigmer.ai/v1"

/* Skill, appended to out. */
enum err reply_skill(const struct skill *s, struct arena *a, struct buf *out, struct error *e);
/* SkillList. */
enum err reply_list(const struct skill_list *l, struct arena *a, struct buf *out, struct error *e);
/* SkillVersionList. */
enum err reply_versions(const struct skill_list *l, struct arena *a, struct buf *out,
                        struct error *e);
/* SkillTag. */
enum err reply_tag(const struct skill_tag *t, struct arena *a, struct buf *out, struct error *e);
/* SkillFileList. */
enum err reply_files(const struct skill_file_list *l, struct arena *a, struct buf *out,
                     struct error *e);
/* The first bytes of a GetArtifactResponse whose artifact of len bytes follows. */
void reply_artifact_head(uint64_t len, struct buf *out);
/* The first bytes of an ArtifactChunk whose data, the bytes [offset, offset + len) of total,
 * follows. */
void reply_chunk_head(uint64_t total, uint64_t offset, uint64_t len, struct buf *out);

#endif
