/* Every limit at its value and one beyond, the texts that clients look for, and what is an error
 * and not a finding. Archives are written by the packer's own encoders: stored, or given bytes. */
#include "ziptest.h"

#include "zip/content.h"
#include "zip/names.h"
#include "zip/record.h"
#include "zip/rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

/* An archive being written. */
struct maker {
    struct buf data, directory;
    unsigned n;
    uint16_t flags, host; /* of the entries added next */
    str extra;            /* in their central headers */
};

static void begin(struct maker *m)
{
    *m = (struct maker){.host = HOST_UNIX};
    buf_init(&m->data, MIB(110));
    buf_init(&m->directory, MIB(100));
}

static void add_raw(struct maker *m, const char *name, uint16_t method, str raw, uint32_t usize,
                    uint32_t crc)
{
    uint8_t record[CDH_LEN];
    uint16_t name_len = (uint16_t)strlen(name);
    const struct lfh l = {.version_needed = 20,
                          .flags = m->flags,
                          .method = method,
                          .crc = crc,
                          .csize = (uint32_t)raw.len,
                          .usize = usize,
                          .name_len = name_len};
    const struct cdh c = {.version_made = (uint16_t)(m->host << 8),
                          .version_needed = 20,
                          .flags = m->flags,
                          .method = method,
                          .crc = crc,
                          .csize = (uint32_t)raw.len,
                          .usize = usize,
                          .name_len = name_len,
                          .extra_len = (uint16_t)m->extra.len,
                          .lfh_offset = (uint32_t)m->data.len};
    lfh_encode(&l, record);
    buf_add(&m->data, str_of(record, LFH_LEN));
    buf_add_c(&m->data, name);
    buf_add(&m->data, raw);
    cdh_encode(&c, record);
    buf_add(&m->directory, str_of(record, CDH_LEN));
    buf_add_c(&m->directory, name);
    buf_add(&m->directory, m->extra);
    m->n++;
}

static void add(struct maker *m, const char *name, str data)
{
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)data.p, data.len);
    add_raw(m, name, METHOD_STORE, data, (uint32_t)data.len, crc);
}

static str finish(struct maker *m)
{
    uint8_t record[EOCD_LEN];
    const struct eocd end = {.n_disk = (uint16_t)m->n,
                             .n_total = (uint16_t)m->n,
                             .cd_size = (uint32_t)m->directory.len,
                             .cd_offset = (uint32_t)m->data.len};
    eocd_encode(&end, record);
    buf_add(&m->data, buf_view(&m->directory));
    buf_add(&m->data, str_of(record, EOCD_LEN));
    CHECK(!m->data.failed && !m->directory.failed);
    return buf_view(&m->data);
}

static void end(struct maker *m)
{
    buf_deinit(&m->data);
    buf_deinit(&m->directory);
}

/* SKILL.md and two files of 10 bytes: 25 bytes in all. */
static str small(struct maker *m)
{
    begin(m);
    add(m, "SKILL.md", STR("hello"));
    add(m, "a", STR("0123456789"));
    add(m, "b", STR("9876543210"));
    return finish(m);
}

/* Audits with limits and checks the reason, "" for accepted. */
static void check_reason(str bytes, unsigned flags, const struct zip_limits *limits,
                         const char *want)
{
    struct zip_report r;
    zt_audit_bytes(bytes, flags, limits, &r);
    const char *got = zip_report_reason(&r);
    CHECK_STR(str_c(got ? got : ""), str_c(want));
    CHECK(zip_report_accepted(&r) == (want[0] == '\0'));
    zip_report_deinit(&r);
}

TEST(defaults_are_those_of_the_profile)
{
    CHECK_INT(zip_limits_default.max_size, 100 * 1024 * 1024);
    CHECK_INT(zip_limits_default.max_uncompressed, 500 * 1024 * 1024);
    CHECK_INT(zip_limits_default.max_entries, 10000);
    CHECK_INT(zip_limits_default.max_ratio, 100);
    CHECK_INT(zip_limits_default.max_skill_md, 1024 * 1024);
    CHECK_INT(NAME_PATH_MAX, 1024);
    CHECK_INT(NAME_COMPONENT_MAX, 255);
    CHECK_INT(NAME_DEPTH_MAX, 32);
}

TEST(size)
{
    struct maker m;
    struct zip_limits l = zip_limits_default;
    str bytes = small(&m);
    l.max_size = bytes.len;
    check_reason(bytes, 0, &l, "");
    l.max_size = bytes.len - 1;
    char want[200];
    snprintf(want, sizeof want, "ZIP file too large: %zu bytes (max: %zu) [size]", bytes.len,
             bytes.len - 1);
    check_reason(bytes, 0, &l, want);
    end(&m);
}

/* A hole of 100 MiB and one byte: nothing of it is read. */
TEST(size_of_a_huge_file_is_enough)
{
    struct zip_report r;
    struct error e;
    int fd = zt_memfd(STR(""));
    CHECK(ftruncate(fd, 104857601) == 0);
    CHECK_OK(zip_audit(fd, 104857601, NULL, &r, &e), &e);
    CHECK_STR(str_c(zip_report_reason(&r)),
              STR("ZIP file too large: 104857601 bytes (max: 104857600) [size]"));
    zip_report_deinit(&r);
    close(fd);
}

TEST(entries)
{
    struct maker m;
    struct zip_limits l = zip_limits_default;
    str bytes = small(&m);
    l.max_entries = 3;
    check_reason(bytes, 0, &l, "");
    l.max_entries = 2;
    check_reason(bytes, 0, &l, "too many files in ZIP: 3 (max: 2) [counts]");
    end(&m);
}

TEST(total)
{
    struct maker m;
    struct zip_limits l = zip_limits_default;
    str bytes = small(&m);
    l.max_uncompressed = 25;
    check_reason(bytes, 0, &l, "");
    l.max_uncompressed = 24;
    check_reason(bytes, 0, &l,
                 "total uncompressed size too large: 25 bytes (max: 24 bytes) [total]");
    l.max_uncompressed = 7; /* the first byte over ends it */
    check_reason(bytes, 0, &l, "total uncompressed size too large: 8 bytes (max: 7 bytes) [total]");
    end(&m);
}

TEST(skill_md_size)
{
    struct maker m;
    struct zip_limits l = zip_limits_default;
    str bytes = small(&m);
    l.max_skill_md = 5;
    check_reason(bytes, 0, &l, "");
    l.max_skill_md = 4;
    check_reason(bytes, 0, &l, "SKILL.md too large (max: 4 bytes) [skill-md]");
    check_reason(bytes, ZIP_AUDIT_ARCHIVE_ONLY, &l, "");
    end(&m);
}

TEST(skill_md_is_handed_over_when_it_is_good)
{
    struct maker m;
    struct zip_report r;
    struct zip_limits l = zip_limits_default;
    str bytes = small(&m);
    zt_audit_bytes(bytes, 0, NULL, &r);
    CHECK_STR(buf_view(&r.skill_md), STR("hello"));
    CHECK_INT(r.n_entries, 3);
    CHECK_INT(r.uncompressed, 25);
    CHECK_STR(str_of(bytes.p + r.entries[2].name_at, r.entries[2].name_len), STR("b"));
    CHECK_INT(r.entries[2].usize, 10);
    zip_report_deinit(&r);
    l.max_skill_md = 4;
    zt_audit_bytes(bytes, 0, &l, &r);
    CHECK_INT(r.skill_md.len, 0);
    zip_report_deinit(&r);
    end(&m);
}

TEST(archive_only_leaves_out_skill_md)
{
    struct maker m;
    begin(&m);
    add(&m, "skill.md", STR("x"));
    str bytes = finish(&m);
    check_reason(bytes, ZIP_AUDIT_ARCHIVE_ONLY, NULL, "");
    check_reason(
        bytes, 0, NULL,
        "invalid ZIP file: \"skill.md\" can be taken for SKILL.md [skill-md] (and 1 more)");
    end(&m);
}

TEST(ratio)
{
    struct maker m;
    struct zip_limits l = zip_limits_default;
    uint8_t raw[100];
    uLongf len = sizeof raw;
    z_stream zs = {0};
    CHECK(deflateInit2(&zs, 9, Z_DEFLATED, -15, 8, 0) == Z_OK);
    Bytef zeros[200] = {0};
    zs.next_in = zeros;
    zs.avail_in = sizeof zeros;
    zs.next_out = raw;
    zs.avail_out = sizeof raw;
    CHECK(deflate(&zs, Z_FINISH) == Z_STREAM_END);
    len = zs.total_out;
    (void)deflateEnd(&zs);
    begin(&m);
    add(&m, "SKILL.md", STR("hello"));
    add_raw(&m, "z\x1b.bin", METHOD_DEFLATE, str_of(raw, len), 200,
            (uint32_t)crc32_z(0, zeros, 200));
    str bytes = finish(&m);
    l.max_ratio = (uint32_t)((200 + len - 1) / len);
    check_reason(bytes, 0, &l,
                 "invalid character in filename: z\\x1b.bin (control character U+001B) "
                 "[name-utf8]");
    l.max_ratio = (uint32_t)(200 / len) - 1;
    struct zip_report r;
    zt_audit_bytes(bytes, 0, &l, &r);
    CHECK_STR(zt_ids(&r), STR("name-utf8,ratio"));
    CHECK_CONTAINS(str_c(r.findings[1].message),
                   STR("suspicious compression ratio in z\\x1b.bin: "));
    zip_report_deinit(&r);
    end(&m);
}

TEST(findings_beyond_the_maximum_are_counted)
{
    struct maker m;
    struct zip_report r;
    struct zip_limits l = zip_limits_default;
    begin(&m);
    add(&m, "SKILL.md", STR("hello"));
    for (int i = 0; i < 10; i++) {
        char name[10];
        snprintf(name, sizeof name, "-%d", i);
        add(&m, name, STR(""));
    }
    l.max_findings = 3;
    str bytes = finish(&m);
    zt_audit_bytes(bytes, 0, &l, &r);
    CHECK_INT(r.n_findings, 3);
    CHECK_INT(r.n_findings_dropped, 7);
    CHECK_CONTAINS(str_c(zip_report_reason(&r)), STR("[name-option] (and 9 more)"));
    zip_report_deinit(&r);
    end(&m);
}

TEST(the_first_finding_of_each_rule_is_kept_beyond_the_maximum)
{
    struct maker m;
    struct zip_report r;
    struct zip_limits l = zip_limits_default;
    begin(&m);
    for (int i = 0; i < 5; i++) {
        char name[10];
        snprintf(name, sizeof name, "-%d?", i);
        add(&m, name, STR(""));
    }
    l.max_findings = 1;
    zt_audit_bytes(finish(&m), 0, &l, &r);
    CHECK_STR(zt_ids(&r), STR("name-option,name-windows,skill-md"));
    CHECK_INT(r.n_findings, 3);
    CHECK_INT(r.n_findings_dropped, 8);
    CHECK_STR(str_c(r.findings[1].message),
              STR("invalid ZIP file: the name \"-0?\" begins with -"));
    zip_report_deinit(&r);
    end(&m);
}

/* Bits as deflate packs them, lowest first (RFC 1951 3.1.1). */
static void put_bits(uint8_t *p, size_t *at, uint64_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++, ++*at)
        p[*at / 8] |= (uint8_t)((value >> i & 1) << *at % 8);
}

/* A block with tables and no content, 90 bits: the costliest way to say nothing (RFC 1951 3.2.7).
 * Code lengths use two symbols: 1, and 18 for many zeros. */
static void put_empty_dynamic(uint8_t *p, size_t *at)
{
    put_bits(p, at, 0 | 2 << 1, 3);   /* not final, dynamic */
    put_bits(p, at, 0, 5);            /* 257 literal codes */
    put_bits(p, at, 0, 5);            /* 1 distance code */
    put_bits(p, at, 18 - 4, 4);       /* 18 code lengths, in their own order: */
    put_bits(p, at, 0, 3 * 2);        /* 16, 17 */
    put_bits(p, at, 1, 3);            /* 18 */
    put_bits(p, at, 0, 3 * 14);       /* 0, 8, 7, ... 14 */
    put_bits(p, at, 1, 3);            /* 1 */
    put_bits(p, at, 1 | 127 << 1, 8); /* 138 zeros */
    put_bits(p, at, 1 | 107 << 1, 8); /* 118 zeros: 256 literals are unused */
    put_bits(p, at, 0, 2);            /* the end of block and the distance have one bit */
    put_bits(p, at, 0, 1);            /* the end of block */
}

/* n empty blocks, n a multiple of 8, and a final one. */
static str empty_blocks(struct buf *b, size_t n)
{
    uint8_t eight[90] = {0};
    size_t at = 0;
    while (at < 8 * sizeof eight)
        put_empty_dynamic(eight, &at);
    buf_init(b, MIB(100));
    for (size_t i = 0; i < n; i += 8)
        buf_add(b, str_of(eight, sizeof eight));
    buf_add(b, STR("\3\0"));
    return buf_view(b);
}

TEST(blocks)
{
    struct maker m;
    struct zip_limits l = zip_limits_default;
    struct buf raw;
    begin(&m);
    add(&m, "SKILL.md", STR("hello"));
    add_raw(&m, "x", METHOD_DEFLATE, empty_blocks(&raw, 80), 0, 0);
    str bytes = finish(&m);
    l.max_blocks = 81;
    check_reason(bytes, 0, &l, "");
    l.max_blocks = 80;
    check_reason(bytes, 0, &l,
                 "invalid ZIP file: more than 80 deflate blocks for so little content [cpu]");
    buf_deinit(&raw);
    end(&m);
}

TEST(messages_keep_the_texts_that_clients_look_for)
{
    struct maker m;
    begin(&m);
    check_reason(finish(&m), 0, NULL, "ZIP file is empty [counts]");
    end(&m);
    begin(&m);
    add(&m, "a", STR("x"));
    check_reason(finish(&m), 0, NULL, "SKILL.md not found in ZIP archive [skill-md]");
    end(&m);
    begin(&m);
    add(&m, "SKILL.md", STR(""));
    check_reason(finish(&m), 0, NULL, "SKILL.md is empty [skill-md]");
    end(&m);
    check_reason(STR("hello"), 0, NULL,
                 "invalid ZIP file: 5 bytes are fewer than the 22 of the smallest archive [size]");
    check_reason(STR("this is not an archive at all"), 0, NULL,
                 "invalid ZIP file: it does not start with a local file header [starts-with-lfh] "
                 "(and 1 more)");
}

TEST(names_are_never_shown_raw)
{
    struct maker m;
    struct zip_report r;
    begin(&m);
    add(&m, "SKILL.md", STR("x"));
    add(&m, "-\x1b]0;evil\a\xe2\x80\xae/../\xff:", STR("x"));
    zt_audit_bytes(finish(&m), 0, NULL, &r);
    CHECK(r.n_findings > 0);
    for (size_t i = 0; i < r.n_findings; i++) {
        str text = str_c(r.findings[i].message);
        CHECK(str_find(text, '\x1b') < 0 && str_find(text, '\a') < 0 && str_find(text, '\xff') < 0);
        CHECK(str_find_str(text, STR("\xe2\x80\xae")) < 0);
        CHECK(r.findings[i].rule->advice[0] && r.findings[i].rule->title[0]);
    }
    zip_report_deinit(&r);
    end(&m);
}

TEST(a_file_shorter_than_said_is_an_error)
{
    struct maker m;
    struct zip_report r;
    struct error e;
    str bytes = small(&m);
    int fd = zt_memfd(bytes);
    CHECK_ERR(zip_audit(fd, bytes.len + 1, NULL, &r, &e), ERR_DATA_LOSS, &e);
    zip_report_deinit(&r);
    close(fd);
    end(&m);
}

TEST(a_closed_descriptor_is_an_error)
{
    struct zip_report r;
    struct error e;
    CHECK_ERR(zip_audit(-1, 100, NULL, &r, &e), ERR_INTERNAL, &e);
    zip_report_deinit(&r);
}

/* --- cost --- */

static double cpu_seconds(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long peak_kib(void)
{
    struct rusage u;
    CHECK(getrusage(RUSAGE_SELF, &u) == 0);
    return u.ru_maxrss;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 20
#else
#define SLOWER 1
#endif

/* 100 MiB of blocks without content would take zlib 10 s and more. */
TEST(a_time_bomb_is_cheap)
{
    struct maker m;
    struct zip_report r;
    struct buf raw;
    begin(&m);
    add(&m, "SKILL.md", STR("x"));
    add_raw(&m, "bomb", METHOD_DEFLATE, empty_blocks(&raw, 8000000), 100000000, 0);
    str bytes = finish(&m);
    double before = cpu_seconds();
    zt_audit_bytes(bytes, 0, NULL, &r);
    CHECK(cpu_seconds() - before < 0.5 * SLOWER);
    CHECK_STR(zt_ids(&r), STR("cpu"));
    zip_report_deinit(&r);
    buf_deinit(&raw);
    end(&m);
}

/* --- memory --- */

enum { N_WORST = 10000, EXTRA_MAX = 65535 };

typedef size_t name_fn(char *to, unsigned i);

/* The archive with the most and longest names, a SKILL.md of 1 MiB, and extra fields. */
static void write_worst(int fd, struct maker *m, name_fn *name, unsigned n)
{
    static char text[MIB(1)], path[NAME_PATH_MAX + 1];
    memset(text, 'x', sizeof text);
    add(m, "SKILL.md", str_of(text, sizeof text));
    for (unsigned i = 1; i < n; i++) {
        size_t len = name(path, i);
        CHECK(len <= NAME_PATH_MAX);
        path[len] = '\0';
        add(m, path, STR("some content"));
    }
    str bytes = finish(m);
    CHECK(write(fd, bytes.p, bytes.len) == (ssize_t)bytes.len);
}

/* Parts of at most `part` bytes, full of filler; the number at the end. */
static size_t fill_name(char *to, unsigned i, const char *filler, size_t part)
{
    size_t at = 0, one = strlen(filler), end = NAME_PATH_MAX - 9;
    for (size_t in_part = 0; at + one + 1 < end; at += one, in_part += one) {
        if (in_part + one > part) {
            to[at++] = '/';
            in_part = 0;
        }
        memcpy(to + at, filler, one);
    }
    return at + (size_t)snprintf(to + at, 10, "/%08u", N_WORST - i);
}

static size_t ascii_name(char *to, unsigned i)
{
    return fill_name(to, i, "a", NAME_COMPONENT_MAX);
}

/* U+FDFA, eighteen characters when it is folded. */
static size_t growing_name(char *to, unsigned i)
{
    return fill_name(to, i, "\xef\xb7\xba", NAME_COMPONENT_MAX);
}

static size_t deep_name(char *to, unsigned i)
{
    return fill_name(to, i, "\xef\xb7\xba", 33);
}

static size_t short_name(char *to, unsigned i)
{
    return (size_t)snprintf(to, 10, "%u", i);
}

/* Written by another process, so that this one's peak is the audit's. */
static void check_memory(struct maker *m, name_fn *name, unsigned n, const char *ids)
{
    struct zip_report r;
    struct error e;
    int fd = zt_memfd(STR("")), status;
    pid_t pid = fork();
    if (pid == 0) {
        write_worst(fd, m, name, n);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    long before = peak_kib();
    CHECK_OK(zip_audit(fd, (uint64_t)lseek(fd, 0, SEEK_END), NULL, &r, &e), &e);
    CHECK_STR(zt_ids(&r), str_c(ids));
    CHECK_INT(r.n_entries, n);
    CHECK(r.arena.used < MIB(2));
    zip_report_deinit(&r);
    close(fd);
    printf("# peak %ld KiB above %ld\n", peak_kib() - before, before);
    if (SLOWER == 1)
        CHECK(peak_kib() - before <= 8 * 1024);
}

TEST(memory_is_bounded_for_the_longest_names)
{
    struct maker m;
    begin(&m);
    check_memory(&m, ascii_name, N_WORST, "");
}

TEST(memory_is_bounded_for_names_that_grow)
{
    struct maker m;
    begin(&m);
    m.flags = FLAG_UTF8;
    check_memory(&m, growing_name, N_WORST, "");
}

/* Each is compared in three readings. */
TEST(memory_is_bounded_for_names_made_on_dos)
{
    struct maker m;
    begin(&m);
    m.host = HOST_FAT;
    check_memory(&m, growing_name, N_WORST, "name-encoding");
}

TEST(memory_is_bounded_for_deep_names)
{
    struct maker m;
    begin(&m);
    m.flags = FLAG_UTF8;
    check_memory(&m, deep_name, N_WORST, "");
}

/* As many extra fields of the longest kind as an archive can have: padding that aligns data. */
TEST(memory_is_bounded_for_the_longest_extra_fields)
{
    static char extra[EXTRA_MAX] = {0x1e, (char)0xa1, (char)0xfb, (char)0xff};
    struct maker m;
    begin(&m);
    m.extra = str_of(extra, sizeof extra);
    check_memory(&m, short_name, 1500, "");
}

/* A finding keeps the name that it is about: there is one for each name, and one of each rule. */
TEST(memory_is_bounded_for_many_findings)
{
    struct maker m;
    begin(&m);
    m.flags = FLAG_ENCRYPTED;
    m.host = HOST_FAT;
    check_memory(&m, growing_name, N_WORST, "flags,name-encoding");
}
