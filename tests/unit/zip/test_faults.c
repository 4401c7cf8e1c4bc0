/* Whatever fails, memory, a system call or a library: it is an error, and nothing is left behind.
 */
#include "faults.h"
#include "ziptest.h"

#include "base/pool.h"
#include "zip/pack.h"
#include "zip/unpack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALLS_MAX 5000

static struct error e;
static int archive; /* what is audited and unpacked */
static const struct zip_audit_options *options;

/* --- what is tried --- */

static char verdict[4000];

static void audit(int fd, struct zip_report *ret, enum err *ret_err)
{
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    *ret_err = zip_audit(fd, (uint64_t)st.st_size, options, ret, &e);
}

/* The rules and SKILL.md into `verdict`. */
static enum err try_audit(void)
{
    struct zip_report r;
    enum err err;
    audit(archive, &r, &err);
    str ids = zt_ids(&r);
    snprintf(verdict, sizeof verdict, "%.*s|%zu|%.*s", STR_ARG(ids), r.n_entries,
             (int)r.skill_md.len, r.skill_md.p ? r.skill_md.p : "");
    zip_report_deinit(&r);
    return err;
}

static enum err try_pack(void)
{
    uint64_t size;
    uint32_t n_files;
    int in = openat(test_dirfd(), "in", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    int out = openat(test_dirfd(), "packed", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum err err = zip_pack(in, out, NULL, &size, &n_files, &e);
    snprintf(verdict, sizeof verdict, "%llu %u", err ? 0 : (unsigned long long)size,
             err ? 0 : n_files);
    close(in);
    close(out);
    return err;
}

/* With the report of an audit that nothing disturbs. */
static struct zip_report good;

static enum err try_unpack(void)
{
    verdict[0] = '\0';
    return zip_unpack(archive, &good, test_dirfd(), "out", NULL, NULL, &e);
}

/* --- how it is tried --- */

/* A fault is an error of that code; or it changes nothing, where the code can do without. */
static void check_outcome(enum err err, enum err want, const char *undisturbed, unsigned n)
{
    if (err == ERR_OK && strcmp(verdict, undisturbed) != 0)
        test_fail(__FILE__, __LINE__, "fault %u gives \"%s\", not \"%s\"", n, verdict, undisturbed);
    if (err != ERR_OK && err != want)
        test_fail(__FILE__, __LINE__, "fault %u gives %s: %s", n, err_name(err), e.msg);
}

/* Fails the first call of the kind, then the second, and so on until there is none left to fail. */
static void fail_each(enum fault_kind kind, enum err want, enum err (*attempt)(void),
                      void (*check_after)(enum err err))
{
    char undisturbed[sizeof verdict];
    unsigned n = 1;
    CHECK_OK(attempt(), &e);
    memcpy(undisturbed, verdict, sizeof verdict);
    if (check_after)
        check_after(ERR_OK);
    for (bool hit = true; hit; n++) {
        long live = faults_live();
        faults_arm(kind, n);
        enum err err = attempt();
        hit = faults_disarm();
        check_outcome(err, want, undisturbed, n);
        CHECK_INT(faults_live(), live);
        if (check_after)
            check_after(err);
        CHECK(n < CALLS_MAX);
    }
    printf("# %u calls\n", n - 2);
    CHECK(n > 2);
}

static void check_nothing_unpacked(enum err err)
{
    CHECK(zt_run(err == ERR_OK ? "cd \"$DIR\" && diff -r in out && rm -r out"
                               : "cd \"$DIR\" && [ \"$(ls -A | tr '\\n' ' ')\" = \"in zip \" ]"));
}

/* --- the trees and archives --- */

/* Names in several scripts, stored and deflated, a directory, a private key's name. */
static void make_tree(void)
{
    CHECK(zt_run(
        "mkdir -p \"$DIR/in/d/sub\" && cd \"$DIR/in\" && printf '# S\\n' >SKILL.md && "
        "seq 9999 >d/numbers && head -c 70000 /dev/urandom >d/sub/noise && : >empty && "
        "printf x >'caf\303\251' && printf x >'\320\232' && printf '*.tmp\\n' >.skillignore && "
        "touch a.tmp && printf cert >d/ca.pem"));
}

static void make_archive(void)
{
    make_tree();
    CHECK(zt_run("cd \"$DIR/in\" && rm .skillignore a.tmp && zip -q -r ../zip ."));
    CHECK(zt_run("cd \"$DIR\" && { [ -e zip ] || mv zip.zip zip; }"));
    archive = openat(test_dirfd(), "zip", O_RDWR | O_CLOEXEC);
    CHECK(archive >= 0);
}

/* Many rules are broken, and names clash in all the ways there are. */
static void make_refused(void)
{
    CHECK(zt_run("cd \"$DIR\" && python3 - <<'END'\nimport zipfile\n"
                 "z = zipfile.ZipFile('zip', 'w', zipfile.ZIP_DEFLATED)\n"
                 "for n in ('SKILL.md', 'SKlLL.md', 'S\\u041aILL.md', 'a', 'A', 'a/b', '-x', "
                 "'nul', '.git/x',\n"
                 "          'caf\\u00e9', 'caf\\u251c\\u2310', 'x\\u200b', '\\u4f60', 'z' * 300):\n"
                 "    z.writestr(n, b'0' * 99999 if n == 'a' else b'x')\n"
                 "z.close()\n"
                 "b = bytearray(open('zip', 'rb').read())\n"
                 "at = b.rindex(b'caf\\xc3\\xa9'); b[at - 46 + 9] &= 0xf7; b[at - 46 + 5] = 3\n"
                 "open('zip', 'wb').write(b)\nEND"));
    archive = openat(test_dirfd(), "zip", O_RDWR | O_CLOEXEC);
    CHECK(archive >= 0);
}

static void audit_for_unpacking(void)
{
    enum err err;
    audit(archive, &good, &err);
    CHECK_OK(err, &e);
    CHECK_STR(zt_ids(&good), STR(""));
}

/* --- tests --- */

TEST(auditing_without_memory)
{
    make_archive();
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_audit, NULL);
    fail_each(FAULT_LIBRARY, ERR_RESOURCE_EXHAUSTED, try_audit, NULL);
    fail_each(FAULT_UNICODE, ERR_INTERNAL, try_audit, NULL);
}

TEST(auditing_with_digests_without_memory)
{
    const struct zip_audit_options digests = {.flags = ZIP_AUDIT_DIGESTS};
    make_archive();
    options = &digests;
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_audit, NULL);
}

TEST(refusing_without_memory)
{
    make_refused();
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_audit, NULL);
    fail_each(FAULT_LIBRARY, ERR_RESOURCE_EXHAUSTED, try_audit, NULL);
}

/* The pool ends with each attempt: a helper that comes late frees what is its own. */
static enum err try_parallel_audit(void)
{
    struct zip_audit_options parallel = {0};
    enum err err = pool_new("test", 3, 3, 9, &parallel.workers, &e);
    if (err != ERR_OK)
        return err;
    options = &parallel;
    err = try_audit();
    pool_free(parallel.workers);
    return err;
}

TEST(auditing_on_several_threads_with_faults)
{
    make_tree();
    CHECK(zt_run(
        "cd \"$DIR/in\" && for i in 1 2 3 4; do seq 200000 >n$i; done && zip -q -r ../zip . && "
        "cd .. && { [ -e zip ] || mv zip.zip zip; }"));
    archive = openat(test_dirfd(), "zip", O_RDWR | O_CLOEXEC);
    fail_each(FAULT_SYS, ERR_UNAVAILABLE, try_parallel_audit, NULL);
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_parallel_audit, NULL);
}

TEST(auditing_what_cannot_be_read)
{
    make_archive();
    fail_each(FAULT_SYS, ERR_UNAVAILABLE, try_audit, NULL);
}

TEST(packing_without_memory)
{
    make_tree();
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_pack, NULL);
    fail_each(FAULT_LIBRARY, ERR_RESOURCE_EXHAUSTED, try_pack, NULL);
    CHECK(zt_run("rm \"$DIR/in/.skillignore\""));
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_pack, NULL);
}

/* What the profile refuses counts as an outcome here. */
static enum err try_refused_pack(void)
{
    enum err err = try_pack();
    snprintf(verdict, sizeof verdict, "%s", e.msg);
    return err == ERR_INVALID_ARGUMENT ? ERR_OK : err;
}

TEST(refusing_to_pack_without_memory)
{
    make_tree();
    CHECK(zt_run("touch \"$DIR/in/-x\" \"$DIR/in/x\342\200\213\""));
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_refused_pack, NULL);
}

TEST(packing_with_failing_calls)
{
    make_tree();
    fail_each(FAULT_SYS, ERR_UNAVAILABLE, try_pack, NULL);
}

TEST(unpacking_without_memory)
{
    make_archive();
    audit_for_unpacking();
    fail_each(FAULT_ALLOC, ERR_RESOURCE_EXHAUSTED, try_unpack, check_nothing_unpacked);
    zip_report_deinit(&good);
}

TEST(unpacking_with_failing_calls)
{
    make_archive();
    audit_for_unpacking();
    fail_each(FAULT_SYS, ERR_UNAVAILABLE, try_unpack, check_nothing_unpacked);
    zip_report_deinit(&good);
}

static unsigned n_files, n_directories;

/* Files are made, never opened; and nothing is opened but below the new directory (openat2). */
static void check_open(bool beneath, const char *name, int flags)
{
    bool file = flags == (O_WRONLY | O_CREAT | O_EXCL);
    if (!beneath || (!file && flags != (O_DIRECTORY | O_RDONLY)))
        test_fail(__FILE__, __LINE__, "%s is opened with 0x%x", name, flags);
    n_files += file;
    n_directories += !file;
}

TEST(unpacking_opens_new_files_below_its_directory_only)
{
    make_archive();
    audit_for_unpacking();
    faults_opened = check_open;
    CHECK_OK(try_unpack(), &e);
    CHECK_INT(n_files, 7);
    CHECK(n_directories >= 3);
    zip_report_deinit(&good);
}

/* Not files: a pipe, a directory, a socket. */
TEST(what_is_no_file_is_an_error)
{
    struct zip_report r;
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_ERR(zip_audit(ends[0], 100, NULL, &r, &e), ERR_INTERNAL, &e);
    zip_report_deinit(&r);
    CHECK_ERR(zip_audit(test_dirfd(), 100, NULL, &r, &e), ERR_INTERNAL, &e);
    zip_report_deinit(&r);
    CHECK_ERR(zip_audit(ends[1], 100, NULL, &r, &e), ERR_INTERNAL, &e);
    zip_report_deinit(&r);
}
