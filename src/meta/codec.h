/*
 * Between the structs of meta.h and the messages of record.proto. Private to src/meta.
 * Nothing is copied: a message made from a struct borrows its texts, and the other way round.
 */
#ifndef STIGMER_META_CODEC_H
#define STIGMER_META_CODEC_H

#include "meta/meta.h"
#include "stigmer/storage/v1/record.pb-c.h"

typedef Stigmer__Storage__V1__SkillRecord skill_record;
typedef Stigmer__Storage__V1__VersionRecord version_record;
typedef Stigmer__Storage__V1__Pair pair_record;
typedef Stigmer__Storage__V1__TagRecord tag_record;
typedef Stigmer__Storage__V1__SlugRecord slug_record;
typedef Stigmer__Storage__V1__ArtifactRecord artifact_record;
typedef Stigmer__Storage__V1__FileRecord file_record;
typedef Stigmer__Storage__V1__FilesRecord files_record;
typedef Stigmer__Storage__V1__EventRecord event_record;
typedef Stigmer__Storage__V1__ClockRecord clock_record;
typedef Stigmer__Storage__V1__CountRecord count_record;
typedef Stigmer__Storage__V1__ScrubRecord scrub_record;

static inline ProtobufCBinaryData bin_of(str s)
{
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.p};
}

static inline str str_of_bin(ProtobufCBinaryData b)
{
    return str_of(b.data, b.len);
}

void codec_skill_to(const struct meta_skill *s, skill_record *ret);
void codec_skill_from(const skill_record *m, str id, struct meta_skill *ret);

/* Lists go through the arena. */
enum err codec_version_to(const struct meta_version *v, struct arena *a, version_record *ret,
                          struct error *e);
/* DATA_LOSS when a digest has not the length of one. */
enum err codec_version_from(const version_record *m, uint64_t seq, struct arena *a,
                            struct meta_version *ret, struct error *e);

void codec_file_to(const struct meta_file *f, file_record *ret);
/* DATA_LOSS as codec_version_from. */
enum err codec_file_from(const file_record *m, struct meta_file *ret, struct error *e);

#endif
