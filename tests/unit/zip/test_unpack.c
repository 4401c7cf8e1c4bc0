/* Unpacking: what comes out, with which modes, and that a failure leaves nothing. */
#include "ziptest.h"

#include "zip/unpack.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error e;
static struct zip_report report;
static int zip_fd;

#define SKILL "z.writestr('SKILL.md', '# S');"

/* Runs Python statements with an open ZipFile z, a helper add(name, data, mode), and audits. */
static void make(const char *statements)
{
    char script[4000], path[200];
    struct stat st;
    snprintf(script, sizeof script,
             "cat >\"$DIR/make.py\" <<'END'\nimport sys, zipfile\n"
             "z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n"
             "def add(name, data, mode):\n"
             "    i = zipfile.ZipInfo(name); i.external_attr = mode << 16\n"
             "    z.writestr(i, data)\n" SKILL "%s\nz.close()\nEND\n"
             "/usr/bin/python3 \"$DIR/make.py\" \"$DIR/in.zip\"",
             statements);
    CHECK(zt_run(script));
    snprintf(path, sizeof path, "%s/in.zip", test_dir());
    zip_fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(zip_fd >= 0 && fstat(zip_fd, &st) == 0);
    CHECK_OK(zip_audit(zip_fd, (uint64_t)st.st_size, NULL, &report, &e), &e);
}

static enum err unpack(const char *name)
{
    return zip_unpack(zip_fd, &report, test_dirfd(), name, NULL, NULL, &e);
}

static void done(void)
{
    zip_report_deinit(&report);
    close(zip_fd);
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    if (fstatat(test_dirfd(), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        test_fail(__FILE__, __LINE__, "no %s", name);
    return st.st_mode & 07777;
}

static void check_nothing_left(void)
{
    CHECK(zt_run("cd \"$DIR\" && [ \"$(ls -A)\" = \"in.zip\nmake.py\" ]"));
}

TEST(modes_are_two_whatever_the_archive_and_the_umask_say)
{
    make("add('a.sh', 'x', 0o100600); add('b.txt', 'x', 0o100755); add('c', '#!/bin/sh', 0);"
         "add('d', '#', 0o100666); add('e.md', 'x', 0o100777); add('dir/', '', 0o40700);"
         "add('f.PY', 'x', 0); add('g', 'x', 0o100010); add('h', '', 0);"
         "add('s.py', '', 0); add('s.js', '', 0); add('s.ts', '', 0); add('s.rb', '', 0);"
         "add('s.pl', '', 0); add('sub/deep/x', 'x', 0o100000)");
    umask(077);
    CHECK_OK(unpack("out"), &e);
    const struct {
        const char *name;
        unsigned mode;
    } want[] = {
        {"out", 0755},          {"out/a.sh", 0755},       {"out/b.txt", 0755}, {"out/c", 0755},
        {"out/d", 0644},        {"out/e.md", 0755},       {"out/dir", 0755},   {"out/f.PY", 0644},
        {"out/g", 0755},        {"out/h", 0644},          {"out/s.py", 0755},  {"out/s.js", 0755},
        {"out/s.ts", 0755},     {"out/s.rb", 0755},       {"out/s.pl", 0755},  {"out/sub", 0755},
        {"out/sub/deep", 0755}, {"out/sub/deep/x", 0644},
    };
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        if (mode_of(want[i].name) != want[i].mode)
            test_fail(__FILE__, __LINE__, "%s has mode %o", want[i].name, mode_of(want[i].name));
    done();
}

TEST(what_macos_adds_is_left_out)
{
    make("add('__MACOSX/', '', 0o40755); add('__MACOSX/._SKILL.md', 'x', 0);"
         "add('.DS_Store', 'x', 0); add('d/.DS_Store', 'x', 0); add('d/__MACOSX/x', 'x', 0);"
         "add('__MACOSXY', 'x', 0); add('x.DS_Store', 'x', 0)");
    CHECK_OK(unpack("out"), &e);
    CHECK(zt_run("cd \"$DIR/out\" && [ \"$(find . -type f | LC_ALL=C sort | tr '\\n' ' ')\" = "
                 "'./SKILL.md ./__MACOSXY ./d/__MACOSX/x ./x.DS_Store ' ] && [ ! -e __MACOSX ]"));
    done();
}

static void count(void *ctx, uint64_t bytes)
{
    uint64_t *last = ctx;
    CHECK(bytes >= *last);
    *last = bytes;
}

TEST(content_is_exact_and_progress_is_told)
{
    uint64_t last = 0;
    make("import random; random.seed(1)\n"
         "for i in range(300):\n"
         "    z.writestr('d%d/f%d' % (i % 7, i), random.randbytes(i * 50) + b'a' * i * 90)");
    CHECK_OK(zip_unpack(zip_fd, &report, test_dirfd(), "out", count, &last, &e), &e);
    CHECK_INT(last, report.uncompressed);
    CHECK(zt_run("cd \"$DIR\" && mkdir ref && cd ref && unzip -qq ../in.zip && cd .. && "
                 "diff -r ref out"));
    done();
}

TEST(an_existing_name_is_left_alone)
{
    make("");
    CHECK(zt_run("cd \"$DIR\" && echo mine >file && ln -s nowhere link && mkdir dir"));
    CHECK_ERR(unpack("file"), ERR_ALREADY_EXISTS, &e);
    CHECK_ERR(unpack("link"), ERR_ALREADY_EXISTS, &e);
    CHECK_ERR(unpack("dir"), ERR_ALREADY_EXISTS, &e);
    CHECK(zt_run("cd \"$DIR\" && [ \"$(cat file)\" = mine ] && rmdir dir && rm file link"));
    check_nothing_left();
    done();
}

/* Somebody takes the name while the files are being written. */
static void take_name(void *ctx, uint64_t bytes)
{
    (void)ctx, (void)bytes;
    CHECK(zt_run("mkdir -p \"$DIR/out\""));
}

TEST(a_name_that_is_taken_meanwhile_is_left_alone)
{
    make("");
    CHECK_ERR(zip_unpack(zip_fd, &report, test_dirfd(), "out", take_name, NULL, &e),
              ERR_ALREADY_EXISTS, &e);
    CHECK(zt_run("rmdir \"$DIR/out\""));
    check_nothing_left();
    done();
}

/* --- somebody who may write there meddles --- */

static const char *planted;

static void plant(void *ctx, uint64_t bytes)
{
    (void)ctx, (void)bytes;
    if (planted)
        CHECK(zt_run(planted));
    planted = NULL;
}

/* Unpacks while the command runs, behind the first file; the victim must stay as it is. */
static void check_planted(const char *command)
{
    enum err err;
    CHECK(zt_run("mkdir \"$DIR/victim\" && echo mine >\"$DIR/victim/f\""));
    planted = command;
    err = zip_unpack(zip_fd, &report, test_dirfd(), "out", plant, NULL, &e);
    if (err != ERR_PERMISSION_DENIED && err != ERR_ALREADY_EXISTS)
        test_fail(__FILE__, __LINE__, "%s: %s", err_name(err), e.msg);
    CHECK(!planted);
    CHECK(zt_run("cd \"$DIR\" && [ \"$(ls -A victim)\" = f ] && [ \"$(cat victim/f)\" = mine ] && "
                 "rm -r victim"));
    check_nothing_left();
}

TEST(a_planted_link_to_a_directory_is_not_followed)
{
    make("add('d/f', 'x', 0)");
    check_planted("cd \"$DIR\"/.unpack-* && ln -s \"$DIR/victim\" d");
    check_planted("cd \"$DIR\"/.unpack-* && ln -s ../victim d");
    done();
}

TEST(a_planted_link_to_a_file_is_not_written_through)
{
    make("add('f', 'x', 0)");
    check_planted("cd \"$DIR\"/.unpack-* && ln -s ../victim/f f");
    check_planted("cd \"$DIR\"/.unpack-* && ln \"$DIR/victim/f\" f");
    done();
}

TEST(a_planted_file_where_a_directory_belongs_is_an_error)
{
    make("add('d/f', 'x', 0)");
    planted = "cd \"$DIR\"/.unpack-* && touch d";
    CHECK_ERR(zip_unpack(zip_fd, &report, test_dirfd(), "out", plant, NULL, &e), ERR_NOT_FOUND, &e);
    check_nothing_left();
    done();
}

/* --- no room --- */

TEST(a_file_that_may_not_grow_leaves_nothing)
{
    const struct rlimit limit = {.rlim_cur = 50000, .rlim_max = RLIM_INFINITY};
    make("add('d/big', 'x' * 100000, 0)");
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(unpack("out") != ERR_OK);
    check_nothing_left();
    done();
}

/* A disk of its own, which ends with this test's process. */
TEST(a_full_disk_leaves_nothing)
{
    char path[200];
    make("import random; add('d/noise', random.randbytes(200000), 0)");
    snprintf(path, sizeof path, "%s/disk", test_dir());
    CHECK(mkdir(path, 0700) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", path, "tmpfs", 0, "size=100k") != 0)
        test_skip("file systems cannot be mounted here");
    int disk = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    CHECK_ERR(zip_unpack(zip_fd, &report, disk, "out", NULL, NULL, &e), ERR_RESOURCE_EXHAUSTED, &e);
    close(disk);
    CHECK(zt_run("cd \"$DIR/disk\" && [ -z \"$(ls -A)\" ]"));
    done();
}

TEST(ten_thousand_files_and_the_longest_names)
{
    make("z.compression = 0\n"
         "for i in range(9990): z.writestr('d%d/f%d' % (i % 50, i), b'x')\n"
         "z.writestr('/'.join([chr(97 + i) * 204 for i in range(5)]), b'deep')\n"
         "z.writestr('p' * 255, b'long')\nz.writestr('l/' * 31 + 'f', b'levels')");
    CHECK_OK(unpack("out"), &e);
    CHECK(zt_run("cd \"$DIR\" && [ $(find out -type f | wc -l) = 9994 ] && mkdir ref && cd ref && "
                 "unzip -qq ../in.zip && cd .. && diff -r ref out"));
    done();
}

TEST(only_a_plain_name_is_made)
{
    make("");
    const char *const bad[] = {"", ".", "..", "a/b", "../x", "/x"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_ERR(unpack(bad[i]), ERR_INVALID_ARGUMENT, &e);
    check_nothing_left();
    done();
}

TEST(a_refused_archive_is_not_unpacked)
{
    make("z.writestr('../up', 'x')");
    CHECK(!zip_report_accepted(&report));
    CHECK_ERR(unpack("out"), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("name-path"));
    check_nothing_left();
    done();
}

TEST(bytes_that_changed_since_the_audit_leave_nothing)
{
    make("z.writestr('a/b', 'x' * 1000); z.writestr('zz', bytes(range(256)) * 4)");
    uint64_t at = report.entries[2].data_offset;
    CHECK(pwrite(zip_fd, "\xff\xff\xff", 3, (off_t)at) == 3);
    CHECK_ERR(unpack("out"), ERR_DATA_LOSS, &e);
    check_nothing_left();
    done();
}

/* Names are read again: another one, as long, must not come in. */
TEST(a_name_that_changed_since_the_audit_leaves_nothing)
{
    make("z.writestr('a/b', 'x')");
    CHECK(pwrite(zip_fd, "../", 3, (off_t)report.entries[1].name_at) == 3);
    CHECK_ERR(unpack("out"), ERR_DATA_LOSS, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("changed after it was audited"));
    check_nothing_left();
    done();
}

TEST(a_file_that_became_shorter_leaves_nothing)
{
    make("z.writestr('a/b', bytes(range(256)) * 9)");
    CHECK(ftruncate(zip_fd, (off_t)report.entries[1].data_offset + 1) == 0);
    CHECK_ERR(unpack("out"), ERR_DATA_LOSS, &e);
    check_nothing_left();
    done();
}

static const struct zip_audit_options archive_only = {.flags = ZIP_AUDIT_ARCHIVE_ONLY};

TEST(an_archive_without_skill_md_can_be_unpacked_when_only_the_archive_counts)
{
    struct stat st;
    make("");
    zip_report_deinit(&report);
    CHECK(zt_run("cd \"$DIR\" && rm in.zip && touch x && zip -q in.zip x && rm x"));
    char path[200];
    snprintf(path, sizeof path, "%s/in.zip", test_dir());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    CHECK_OK(zip_audit(fd, (uint64_t)st.st_size, &archive_only, &report, &e), &e);
    CHECK_OK(zip_unpack(fd, &report, test_dirfd(), "out", NULL, NULL, &e), &e);
    CHECK_INT(mode_of("out/x"), 0644);
    close(fd);
    done();
}

/* What a report says of each file besides what the directory says. */
TEST(digests_and_modes_are_those_of_the_measured_content)
{
    static const struct zip_audit_options o = {.flags = ZIP_AUDIT_DIGESTS};
    struct stat st;
    make("add('a.sh', 'x' * 100000, 0o100600); add('b', 'x', 0o100755); add('c', '#!', 0);"
         "add('dir/', '', 0o40700)");
    zip_report_deinit(&report);
    CHECK(fstat(zip_fd, &st) == 0);
    CHECK_OK(zip_audit(zip_fd, (uint64_t)st.st_size, &o, &report, &e), &e);
    const struct {
        const char *name, *sha256;
        unsigned mode;
    } want[] = {
        {"SKILL.md", "c93c6f87bf5165a705365e8ad12607fce86f3bd560284e25fb8ea859b0c7c331", 0644},
        {"a.sh", "d69e68988157833272305aaf21f453c800346e8a3640db6578e260215542e5d4", 0755},
        {"b", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", 0755},
        {"c", "3612ddaf46e149a4f583faf0face846585148f59e0ce2645594df83b5dc807e8", 0755},
    };
    struct zip_names *names;
    str name;
    CHECK_INT(report.n_entries, 5);
    CHECK_OK(zip_names_open(zip_fd, (uint64_t)st.st_size, &names, &e), &e);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        const struct zip_entry *z = &report.entries[i];
        char hex[SHA256_HEX_LEN + 1];
        digest_to_hex(&z->sha256, hex);
        CHECK_OK(zip_names_get(names, z, &name, &e), &e);
        CHECK_STR(name, str_c(want[i].name));
        CHECK_STR(str_c(hex), str_c(want[i].sha256));
        CHECK_INT(z->mode, want[i].mode);
    }
    zip_names_close(names);
    done();
}
