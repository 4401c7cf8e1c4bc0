/* What the skill tests share: a service over a pair of backends, archives, calls that must succeed.
 */
#ifndef STIGMER_TESTS_SKILL_KIT_H
#define STIGMER_TESTS_SKILL_KIT_H

#include "base/arena.h"
#include "base/buf.h"
#include "meta/meta.h"
#include "skill/skill.h"
#include "store/store.h"
#include "test.h"

struct kit {
    struct store *store;
    struct meta *meta;
    struct skill_service *service;
    struct arena a; /* of the results */
    struct error e;
};

/* The wall clock of the service; 0: the real one. */
extern _Atomic int64_t kit_now;

void kit_open(struct kit *k, bool on_disk);
void kit_close(struct kit *k);
/* Closes and opens again what is on disk. */
void kit_reopen(struct kit *k);
/* Forgets all results. */
void kit_forget(struct kit *k);

/* A sealed spool with an archive whose SKILL.md is that text. */
struct spool *kit_archive(struct kit *k, const char *skill_md);

struct kit_file {
    const char *name, *data;
    unsigned mode; /* as on Unix; 0: none */
};
/* A sealed spool with an archive of those, stored. */
struct spool *kit_archive_of(struct kit *k, const struct kit_file *files, size_t n);

/* Pushes such an archive: "<org>/<name>@<tag>", org and tag may be left out. */
enum err kit_try_push(struct kit *k, const char *what, const char *skill_md, struct skill *ret);
struct skill kit_push(struct kit *k, const char *what, const char *skill_md);
/* The same with an archive of those. */
struct skill kit_push_files(struct kit *k, const char *what, const struct kit_file *files,
                            size_t n);
enum err kit_push_as(struct kit *k, const struct skill_push *in, const char *skill_md,
                     struct skill *ret);

/* "<org>/<slug>@<version>" as a reference: scope organization with an org, else unspecified. */
struct skill_ref kit_ref(const char *what);
enum err kit_try_resolve(struct kit *k, const char *what, struct skill *ret);
struct skill kit_resolve(struct kit *k, const char *what);
/* kit_resolve(what) is version number want. */
void kit_check_version(struct kit *k, const char *what, uint64_t want);

/* Runs the test over both pairs. */
#define BOTH(ident)                                                                                \
    static void both_##ident(struct kit *k);                                                       \
    TEST(mem_##ident)                                                                              \
    {                                                                                              \
        struct kit k;                                                                              \
        kit_open(&k, false);                                                                       \
        both_##ident(&k);                                                                          \
        kit_close(&k);                                                                             \
    }                                                                                              \
    TEST(disk_##ident)                                                                             \
    {                                                                                              \
        struct kit k;                                                                              \
        kit_open(&k, true);                                                                        \
        both_##ident(&k);                                                                          \
        kit_close(&k);                                                                             \
    }                                                                                              \
    static void both_##ident(struct kit *k)

#endif
