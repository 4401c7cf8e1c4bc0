#include "kit.h"

#include <stdio.h>
#include <zlib.h>

_Atomic int64_t kit_now;

static int64_t kit_clock(void)
{
    return kit_now ? kit_now : clock_real_ns();
}

static void open_parts(struct kit *k, bool on_disk)
{
    char dir[200];
    if (!on_disk) {
        CHECK_OK(store_open_mem(&k->store, &k->e), &k->e);
        CHECK_OK(meta_open_mem(&k->meta, &k->e), &k->e);
        return;
    }
    (void)snprintf(dir, sizeof dir, "%s/storage", test_dir());
    CHECK_OK(store_open_fs(dir, &k->store, &k->e), &k->e);
    (void)snprintf(dir, sizeof dir, "%s/db", test_dir());
    CHECK_OK(meta_open_lmdb(dir, NULL, &k->meta, &k->e), &k->e);
}

void kit_open(struct kit *k, bool on_disk)
{
    *k = (struct kit){0};
    arena_init(&k->a, MIB(64));
    open_parts(k, on_disk);
    CHECK_OK(skill_service_new(k->store, k->meta, NULL, kit_clock, &k->service, &k->e), &k->e);
}

void kit_close(struct kit *k)
{
    skill_service_free(k->service);
    meta_close(k->meta);
    store_close(k->store);
    arena_deinit(&k->a);
}

void kit_reopen(struct kit *k)
{
    kit_close(k);
    kit_open(k, true);
}

void kit_forget(struct kit *k)
{
    arena_deinit(&k->a);
}

/* --- archives --- */

static void u16(struct buf *b, unsigned v)
{
    buf_add_char(b, (char)v);
    buf_add_char(b, (char)(v >> 8));
}

static void u32(struct buf *b, uint32_t v)
{
    u16(b, v & 0xffff);
    u16(b, v >> 16);
}

/* What local and central headers share (APPNOTE 4.3.7 and 4.3.12): from version to extra length. */
static void common(struct buf *b, const struct kit_file *f)
{
    u16(b, 20); /* version needed */
    u16(b, 0);  /* flags */
    u16(b, 0);  /* stored */
    u16(b, 0);
    u16(b, 0x21); /* 1980-01-01 */
    u32(b, (uint32_t)crc32(0, (const Bytef *)f->data, (uInt)strlen(f->data)));
    u32(b, (uint32_t)strlen(f->data));
    u32(b, (uint32_t)strlen(f->data));
    u16(b, (unsigned)strlen(f->name));
    u16(b, 0); /* no extra */
}

static void local_entry(struct buf *b, const struct kit_file *f)
{
    u32(b, 0x04034b50);
    common(b, f);
    buf_add_c(b, f->name);
    buf_add_c(b, f->data);
}

static void central_header(struct buf *b, const struct kit_file *f, uint32_t at)
{
    u32(b, 0x02014b50);
    u16(b, 3 << 8 | 20); /* made by: version 2.0, Unix */
    common(b, f);
    u16(b, 0); /* no comment */
    u16(b, 0);
    u16(b, 0);
    u32(b, (uint32_t)f->mode << 16);
    u32(b, at);
    buf_add_c(b, f->name);
}

static void zip_of(struct buf *b, const struct kit_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        local_entry(b, &files[i]);
    uint32_t cd = (uint32_t)b->len, at = 0;
    for (size_t i = 0; i < n; i++) {
        central_header(b, &files[i], at);
        at += 30 + (uint32_t)(strlen(files[i].name) + strlen(files[i].data));
    }
    uint32_t size = (uint32_t)b->len - cd;
    u32(b, 0x06054b50);
    u32(b, 0); /* disks */
    u16(b, (unsigned)n);
    u16(b, (unsigned)n);
    u32(b, size);
    u32(b, cd);
    u16(b, 0);
}

struct spool *kit_archive_of(struct kit *k, const struct kit_file *files, size_t n)
{
    struct buf b;
    struct spool *sp = NULL;
    struct error e;
    buf_init(&b, MIB(32));
    zip_of(&b, files, n);
    CHECK_OK(store_spool(k->store, MIB(32), &sp, &e), &e);
    CHECK_OK(spool_write(sp, b.p, b.len, &e), &e);
    CHECK_OK(spool_seal(sp, &e), &e);
    buf_deinit(&b);
    return sp;
}

struct spool *kit_archive(struct kit *k, const char *skill_md)
{
    struct kit_file file = {"SKILL.md", skill_md, 0644};
    return kit_archive_of(k, &file, 1);
}

/* --- calls --- */

static void split(const char *what, str *org, str *name, str *version)
{
    str rest = str_c(what);
    *org = *version = STR_NULL;
    if (str_find(rest, '/') >= 0)
        (void)str_cut(rest, '/', org, &rest);
    (void)str_cut(rest, '@', name, version);
}

enum err kit_push_as(struct kit *k, const struct skill_push *in, const char *skill_md,
                     struct skill *ret)
{
    struct spool *sp = kit_archive(k, skill_md);
    enum err err = skill_push(k->service, in, sp, &k->a, ret, &k->e);
    spool_free(sp);
    return err;
}

enum err kit_try_push(struct kit *k, const char *what, const char *skill_md, struct skill *ret)
{
    struct skill_push in = {0};
    split(what, &in.org, &in.name, &in.tag);
    return kit_push_as(k, &in, skill_md, ret);
}

struct skill kit_push_files(struct kit *k, const char *what, const struct kit_file *files, size_t n)
{
    struct skill s;
    struct skill_push in = {0};
    struct spool *sp = kit_archive_of(k, files, n);
    split(what, &in.org, &in.name, &in.tag);
    CHECK_OK(skill_push(k->service, &in, sp, &k->a, &s, &k->e), &k->e);
    spool_free(sp);
    return s;
}

struct skill kit_push(struct kit *k, const char *what, const char *skill_md)
{
    struct skill s;
    CHECK_OK(kit_try_push(k, what, skill_md, &s), &k->e);
    return s;
}

struct skill_ref kit_ref(const char *what)
{
    struct skill_ref ref = {0};
    split(what, &ref.org, &ref.slug, &ref.version);
    if (ref.org.len)
        ref.scope = SKILL_SCOPE_ORGANIZATION;
    return ref;
}

enum err kit_try_resolve(struct kit *k, const char *what, struct skill *ret)
{
    struct skill_ref ref = kit_ref(what);
    return skill_resolve(k->service, &ref, &k->a, ret, &k->e);
}

struct skill kit_resolve(struct kit *k, const char *what)
{
    struct skill s;
    CHECK_OK(kit_try_resolve(k, what, &s), &k->e);
    return s;
}

void kit_check_version(struct kit *k, const char *what, uint64_t want)
{
    CHECK_INT(kit_resolve(k, what).version_no, want);
}
