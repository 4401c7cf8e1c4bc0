/* The packer: what it takes, what it leaves out, what it refuses, and that it always gives the same
 * archive. Trees are made by small shell scripts in $DIR. */
#include "ziptest.h"

#include "digest/sha256.h"
#include "zip/pack.h"
#include "zip/unpack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE "mkdir -p \"$DIR/in\" && cd \"$DIR/in\" && printf '# Skill\\n' >SKILL.md && "

static struct error e;
static char warned[2000];

static void note_secret(void *ctx, str path)
{
    size_t len = strlen(warned);
    (void)ctx;
    snprintf(warned + len, sizeof warned - len, "%.*s\n", STR_ARG(path));
}

static int open_dir(const char *name)
{
    int fd = openat(test_dirfd(), name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static int new_file(const char *name)
{
    int fd = openat(test_dirfd(), name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    return fd;
}

static enum err pack(const char *dir, int out, uint64_t *ret_size, uint32_t *ret_files)
{
    const struct zip_pack_options options = {.warn_secret = note_secret};
    int fd = open_dir(dir);
    enum err err = zip_pack(fd, out, &options, ret_size, ret_files, &e);
    close(fd);
    return err;
}

/* Packs $DIR/<dir> to $DIR/<zip>, which must work. */
static uint32_t pack_ok(const char *dir, const char *zip)
{
    uint64_t size;
    uint32_t files;
    struct stat st;
    int out = new_file(zip);
    CHECK_OK(pack(dir, out, &size, &files), &e);
    CHECK(fstat(out, &st) == 0);
    CHECK_INT(st.st_size, size);
    close(out);
    return files;
}

/* Packs $DIR/in, which must fail with that code and text. */
static void pack_fails(enum err want, const char *text)
{
    uint64_t size;
    uint32_t files;
    int out = new_file("refused.zip");
    CHECK_ERR(pack("in", out, &size, &files), want, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(text));
    close(out);
}

static char *in_dir(const char *name)
{
    static char path[3][200];
    static unsigned turn;
    char *p = path[turn++ % 3];
    snprintf(p, sizeof path[0], "%s/%s", test_dir(), name);
    return p;
}

/* The archive's names, one a line. */
static const char *names(const char *zip)
{
    static char text[8000];
    struct zip_report r;
    size_t len = 0;
    str bytes = zt_read(in_dir(zip));
    zt_audit(in_dir(zip), 0, NULL, &r);
    CHECK_STR(zt_ids(&r), STR(""));
    text[0] = '\0';
    for (size_t i = 0; i < r.n_entries; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s\n", (int)r.entries[i].name_len,
                                bytes.p + r.entries[i].name_at);
    zip_report_deinit(&r);
    free((void *)(uintptr_t)bytes.p);
    return text;
}

static void check_names(const char *make, const char *want)
{
    CHECK(zt_run(make));
    (void)pack_ok("in", "out.zip");
    CHECK_STR(str_c(names("out.zip")), str_c(want));
}

static void unpack_ok(const char *zip, const char *name)
{
    struct zip_report r;
    struct stat st;
    int fd = openat(test_dirfd(), zip, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    CHECK_OK(zip_audit(fd, (uint64_t)st.st_size, NULL, &r, &e), &e);
    CHECK_OK(zip_unpack(fd, &r, test_dirfd(), name, NULL, NULL, &e), &e);
    zip_report_deinit(&r);
    close(fd);
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    if (stat(in_dir(name), &st) != 0)
        test_fail(__FILE__, __LINE__, "no %s", name);
    return st.st_mode & 07777;
}

TEST(a_tree_comes_back_as_it_was)
{
    CHECK(zt_run(TREE
                 "mkdir -p a/b/c 'with space' && seq 100000 >a/numbers && : >a/b/empty && "
                 "printf x >a/b/c/one && head -c 300000 /dev/urandom >random && "
                 "head -c 5000000 /dev/zero >zeros && printf 'caf\\303\\251' >'caf\303\251' && "
                 "printf '#!/bin/sh\\n' >tool && chmod 755 tool && printf y >'with space/y'"));
    CHECK_INT(pack_ok("in", "out.zip"), 9);
    unpack_ok("out.zip", "back");
    CHECK(zt_run("cd \"$DIR\" && diff -r in back && unzip -tqq out.zip"));
    CHECK_INT(mode_of("back/tool"), 0755);
    CHECK_INT(mode_of("back/SKILL.md"), 0644);
    CHECK_INT(mode_of("back/a"), 0755);
}

TEST(entries_are_sorted_by_bytes_and_say_what_they_are)
{
    CHECK(zt_run(TREE "mkdir b C && touch b/x C/x b.x a Z '\303\251' && chmod 700 a && "
                      "seq 1000 >n && head -c 1000 /dev/urandom >r"));
    (void)pack_ok("in", "out.zip");
    CHECK_STR(str_c(names("out.zip")), STR("C/x\nSKILL.md\nZ\na\nb.x\nb/x\nn\nr\n\303\251\n"));
}

TEST(entries_are_stored_when_deflate_does_not_help)
{
    struct zip_report r;
    CHECK(
        zt_run(TREE "seq 1000 >n && head -c 1000 /dev/urandom >r && head -c 999999 /dev/zero >z"));
    (void)pack_ok("in", "out.zip");
    zt_audit(in_dir("out.zip"), 0, NULL, &r);
    CHECK_INT(r.n_entries, 4);
    CHECK_INT(r.entries[1].method, 8); /* n */
    CHECK_INT(r.entries[2].method, 0); /* r: random */
    CHECK_INT(r.entries[3].method, 0); /* z: beyond 100:1 */
    CHECK_INT(r.entries[3].csize, 999999);
    zip_report_deinit(&r);
}

TEST(times_order_umask_and_owner_bits_change_nothing)
{
    const char *make = "seq 5000 >$d/a; printf '# S\\n' >$d/SKILL.md; printf x >$d/b;";
    char command[2000];
    snprintf(
        command, sizeof command,
        "cd \"$DIR\" && mkdir one two && (umask 022; d=one; %s touch -d 2001-01-01 one/a; "
        "chmod 755 one/b) && (umask 077; d=two; printf x >two/b; printf '# S\\n' >two/SKILL.md; "
        "%s rm two/a; seq 5000 >two/a; chmod 700 two/b; touch -d 2030-02-03 two/SKILL.md)",
        make, make);
    CHECK(zt_run(command));
    (void)pack_ok("one", "one.zip");
    umask(0);
    (void)pack_ok("two", "two.zip");
    CHECK(zt_run("cd \"$DIR\" && cmp one.zip two.zip"));
}

/* With zlib itself at this level these bytes never change; other bytes mean other version hashes
 * for every skill that is packed again. */
TEST(the_bytes_of_a_known_tree_are_known)
{
    struct digest d;
    char hex[SHA256_HEX_LEN + 1];
    CHECK(zt_run(TREE "mkdir scripts && seq 20000 >scripts/data.txt && printf '#!/bin/sh\\n' "
                      ">scripts/run.sh && chmod 755 scripts/run.sh && printf 'caf\\303\\251' "
                      ">'caf\303\251.txt'"));
    (void)pack_ok("in", "out.zip");
    str bytes = zt_read(in_dir("out.zip"));
    CHECK_OK(sha256_of(bytes, &d, &e), &e);
    digest_to_hex(&d, hex);
    CHECK_STR(str_c(hex), STR("fe806065fc311ccfc904aab815571778b07c0dacef29761139fa0c9a4b86ee23"));
    free((void *)(uintptr_t)bytes.p);
}

TEST(junk_is_left_out_by_whole_name)
{
    check_names(
        TREE "for d in .git node_modules .venv venv __pycache__ .pytest_cache .idea .vscode; do "
             "mkdir -p $d sub/$d && touch $d/f sub/$d/f keep-$d; done && touch .gitignore "
             "venv-notes.md .DS_Store Thumbs.db sub/.DS_Store a.pyc a.pyo a.pyd a.so a.dylib a.dll "
             "A.class a.log a.swp .a.swo 'a~' .env .env.local sub/.env .envrc env a.so.md pyc",
        ".envrc\n.gitignore\nSKILL.md\na.so.md\nenv\nkeep-.git\nkeep-.idea\nkeep-.pytest_cache\n"
        "keep-.venv\nkeep-.vscode\nkeep-__pycache__\nkeep-node_modules\nkeep-venv\npyc\n"
        "venv-notes.md\n");
}

TEST(a_file_named_like_a_junk_directory_is_kept)
{
    check_names(TREE "touch venv node_modules && mkdir -p x && printf 'gitdir: y' >x/.git",
                "SKILL.md\nnode_modules\nvenv\n");
}

TEST(links_to_junk_are_left_out_too)
{
    check_names(TREE "ln -s /usr .venv && ln -s /usr node_modules && ln -s x a.log", "SKILL.md\n");
}

TEST(secrets_are_left_out_and_named)
{
    check_names(TREE "mkdir -p .ssh d && touch .ssh/id_rsa d/id_rsa id_ed25519 .npmrc d/.netrc && "
                     "printf -- '-----BEGIN RSA PRIVATE KEY-----\\n' >d/server.pem && "
                     "printf -- '-----BEGIN PRIVATE KEY-----\\n' >tls.key && "
                     "printf -- '-----BEGIN CERTIFICATE-----\\n' >ca.pem && touch id_rsa.pub",
                "SKILL.md\nca.pem\nid_rsa.pub\n");
    const char *const want[] = {".ssh\n",     "d/id_rsa\n",     "id_ed25519\n", ".npmrc\n",
                                "d/.netrc\n", "d/server.pem\n", "tls.key\n"};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        CHECK_CONTAINS(str_c(warned), str_c(want[i]));
    CHECK(!strstr(warned, "ca.pem"));
}

TEST(skillignore_is_obeyed_and_left_out)
{
    check_names(TREE "mkdir -p docs/sub build && touch docs/a.txt docs/sub/b.txt build/x keep.txt "
                     "drop.tmp important.tmp sub.md && printf '%s\\n' '# notes' '*.tmp' "
                     "'!important.tmp' '/build/' 'docs/**/b.txt' >.skillignore",
                "SKILL.md\ndocs/a.txt\nimportant.tmp\nkeep.txt\nsub.md\n");
}

TEST(skillignore_cannot_bring_back_junk_or_secrets)
{
    check_names(TREE
                "touch .env id_rsa a.pyc && printf '!.env\\n!id_rsa\\n!*.pyc\\n' >.skillignore",
                "SKILL.md\n");
}

TEST(a_nested_skillignore_is_a_file_like_others)
{
    check_names(TREE "mkdir d && printf '*\\n' >d/.skillignore && touch d/f",
                "SKILL.md\nd/.skillignore\nd/f\n");
}

TEST(an_ignored_link_is_no_error)
{
    check_names(TREE "ln -s /etc/passwd link && printf 'link\\n' >.skillignore", "SKILL.md\n");
}

TEST(a_symbolic_link_is_named)
{
    CHECK(zt_run(TREE "mkdir d && ln -s ../SKILL.md d/link"));
    pack_fails(ERR_INVALID_ARGUMENT, "\"d/link\" is a symbolic link");
}

TEST(a_fifo_is_named)
{
    CHECK(zt_run(TREE "mkfifo pipe"));
    pack_fails(ERR_INVALID_ARGUMENT, "\"pipe\" is not a regular file");
}

TEST(a_name_the_audit_refuses_is_refused_with_its_rule)
{
    CHECK(zt_run(TREE "touch 'a:b'"));
    pack_fails(ERR_INVALID_ARGUMENT, "a:b");
    CHECK_CONTAINS(str_c(e.msg), STR("[name-"));
}

TEST(names_that_clash_on_other_systems_are_refused)
{
    CHECK(zt_run(TREE "touch Readme README"));
    pack_fails(ERR_INVALID_ARGUMENT, "[name-unique]");
}

TEST(a_name_that_is_not_utf8_is_shown_escaped)
{
    CHECK(zt_run(TREE "touch \"$(printf 'a\\377')\""));
    pack_fails(ERR_INVALID_ARGUMENT, "a\\xff");
}

TEST(a_look_alike_of_skill_md_is_refused)
{
    CHECK(zt_run(TREE "touch SKlLL.md"));
    pack_fails(ERR_INVALID_ARGUMENT, "can be taken for SKILL.md");
}

TEST(without_skill_md_there_is_no_skill)
{
    CHECK(zt_run("mkdir -p \"$DIR/in/sub\" && touch \"$DIR/in/sub/SKILL.md\""));
    pack_fails(ERR_INVALID_ARGUMENT, "SKILL.md not found");
}

TEST(an_empty_directory_has_no_skill_md)
{
    CHECK(zt_run("mkdir \"$DIR/in\""));
    pack_fails(ERR_INVALID_ARGUMENT, "SKILL.md not found");
}

TEST(an_empty_skill_md_is_refused)
{
    CHECK(zt_run("mkdir \"$DIR/in\" && : >\"$DIR/in/SKILL.md\""));
    pack_fails(ERR_INVALID_ARGUMENT, "SKILL.md is empty");
}

TEST(a_skill_md_of_one_mebibyte_is_fine)
{
    CHECK(zt_run(TREE "head -c 1048576 /dev/urandom | tr -c a-z x >SKILL.md"));
    CHECK_INT(pack_ok("in", "out.zip"), 1);
}

TEST(a_skill_md_of_one_byte_more_is_refused)
{
    CHECK(zt_run(TREE "head -c 1048577 /dev/urandom | tr -c a-z x >SKILL.md"));
    pack_fails(ERR_INVALID_ARGUMENT, "SKILL.md too large (max: 1048576 bytes)");
}

TEST(a_skill_md_that_is_no_text_is_refused)
{
    CHECK(zt_run(TREE "printf 'a\\377' >SKILL.md"));
    pack_fails(ERR_INVALID_ARGUMENT, "SKILL.md is not valid UTF-8");
}

TEST(ten_thousand_files_are_fine_and_one_more_is_not)
{
    CHECK(zt_run(TREE "seq -f f%g 9999 | xargs touch"));
    CHECK_INT(pack_ok("in", "out.zip"), 10000);
    CHECK(zt_run("touch \"$DIR/in/more\""));
    pack_fails(ERR_INVALID_ARGUMENT, "(max: 10000)");
}

TEST(many_more_files_end_the_search)
{
    CHECK(zt_run(TREE "seq -f f%g 10100 | xargs touch"));
    pack_fails(ERR_INVALID_ARGUMENT, "more than 10000 files");
}

TEST(too_much_content_is_refused_before_it_is_read)
{
    CHECK(zt_run(TREE "truncate -s 524288000 big"));
    pack_fails(ERR_INVALID_ARGUMENT, "(max: 524288000)");
}

/* Deflated, the noise would not fit; what it would need beyond its size is never written. */
TEST(the_largest_archive_fits_and_one_byte_more_does_not)
{
    CHECK(zt_run(TREE "head -c 104857396 /dev/urandom >big"));
    (void)pack_ok("in", "out.zip");
    CHECK(zt_run("cd \"$DIR\" && [ $(stat -c %s out.zip) = 104857600 ] && rm out.zip && "
                 "printf x >>in/big"));
    pack_fails(ERR_INVALID_ARGUMENT, "larger than 104857600 bytes");
}

TEST(thirty_two_levels_are_fine_and_one_more_is_not)
{
    CHECK(zt_run(TREE "d=$(printf 'd/%.0s' $(seq 31)) && mkdir -p $d && touch $d/f"));
    CHECK_INT(pack_ok("in", "out.zip"), 2);
    CHECK(zt_run("cd \"$DIR/in\" && d=$(printf 'd/%.0s' $(seq 32)) && mkdir -p $d && touch $d/f"));
    pack_fails(ERR_INVALID_ARGUMENT, "32 levels");
    CHECK(zt_run("rm \"$DIR/refused.zip\"; cd \"$DIR/in\" && d=$(printf 'd/%.0s' $(seq 40)) && "
                 "mkdir -p $d"));
    pack_fails(ERR_INVALID_ARGUMENT, "32 directories deep");
}

TEST(a_huge_skillignore_is_refused)
{
    CHECK(zt_run(TREE "head -c 1048577 /dev/zero | tr '\\0' '#' >.skillignore"));
    pack_fails(ERR_INVALID_ARGUMENT, ".skillignore is larger");
}

/* Also where not even the message can hold it. */
TEST(a_path_of_four_thousand_bytes_is_refused)
{
    const char *deep =
        TREE "n=$(printf '%0250d' 0) && for i in $(seq 16); do mkdir $n && cd ./$n; done";
    CHECK(zt_run(deep));
    pack_fails(ERR_INVALID_ARGUMENT, "longer than 1024 bytes");
    CHECK(zt_run("rm -r \"$DIR/in\""));
}

TEST(a_skillignore_that_is_no_file_is_refused)
{
    CHECK(zt_run(TREE "ln -s SKILL.md .skillignore"));
    pack_fails(ERR_INVALID_ARGUMENT, ".skillignore is not a regular file");
    CHECK(zt_run("cd \"$DIR\" && rm refused.zip in/.skillignore && mkdir in/.skillignore"));
    pack_fails(ERR_INVALID_ARGUMENT, ".skillignore is not a regular file");
    CHECK(
        zt_run("cd \"$DIR\" && rm refused.zip && rmdir in/.skillignore && mkfifo in/.skillignore"));
    pack_fails(ERR_INVALID_ARGUMENT, ".skillignore is not a regular file");
}

TEST(an_unreadable_file_is_named)
{
    if (geteuid() == 0)
        test_skip("root reads everything");
    CHECK(zt_run(TREE "mkdir d && touch d/locked && chmod 0 d/locked"));
    pack_fails(ERR_PERMISSION_DENIED, "d/locked");
}

struct meddler {
    const char *command;
    uint64_t last, total;
};

static void meddle(void *ctx, uint64_t done, uint64_t total)
{
    struct meddler *m = ctx;
    CHECK(done >= m->last && done <= total);
    m->last = done;
    m->total = total;
    if (m->command)
        CHECK(zt_run(m->command));
    m->command = NULL;
}

static enum err pack_meddled(struct meddler *m)
{
    const struct zip_pack_options options = {.progress = meddle, .ctx = m};
    uint64_t size;
    uint32_t files;
    int fd = open_dir("in"), out = new_file("out.zip");
    enum err err = zip_pack(fd, out, &options, &size, &files, &e);
    close(fd);
    close(out);
    return err;
}

TEST(progress_reaches_the_total)
{
    struct meddler m = {0};
    CHECK(zt_run(TREE "seq 200000 >n && head -c 1000000 /dev/zero >z"));
    CHECK_OK(pack_meddled(&m), &e);
    CHECK_INT(m.last, m.total);
    CHECK_INT(m.total, 8 + 1288895 + 1000000);
}

TEST(a_file_that_grows_meanwhile_is_an_error)
{
    struct meddler m = {.command = "echo more >>\"$DIR/in/z\""};
    CHECK(zt_run(TREE "touch a z"));
    CHECK_ERR(pack_meddled(&m), ERR_ABORTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"z\" changed"));
}

TEST(a_stored_file_that_changes_between_its_two_readings_is_an_error)
{
    struct meddler m = {.command = "head -c 1000 /dev/urandom >\"$DIR/in/A\""};
    CHECK(zt_run(TREE "head -c 1000 /dev/urandom >A"));
    CHECK_ERR(pack_meddled(&m), ERR_ABORTED, &e);
}

TEST(a_file_that_shrinks_meanwhile_is_an_error)
{
    struct meddler m = {.command = "printf x >\"$DIR/in/z\""};
    CHECK(zt_run(TREE "touch a && seq 1000 >z"));
    CHECK_ERR(pack_meddled(&m), ERR_ABORTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"z\" changed"));
}

TEST(a_file_that_vanishes_meanwhile_is_an_error)
{
    struct meddler m = {.command = "rm \"$DIR/in/z\""};
    CHECK(zt_run(TREE "touch a z"));
    CHECK_ERR(pack_meddled(&m), ERR_ABORTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"z\" changed"));
}

TEST(a_file_that_becomes_a_pipe_is_not_waited_for)
{
    struct meddler m = {.command = "rm \"$DIR/in/z\" && mkfifo \"$DIR/in/z\""};
    CHECK(zt_run(TREE "touch a z"));
    CHECK_ERR(pack_meddled(&m), ERR_ABORTED, &e);
}

TEST(a_file_that_becomes_a_link_is_not_followed)
{
    struct meddler m = {.command = "ln -sf /etc/passwd \"$DIR/in/z\""};
    CHECK(zt_run(TREE "touch a z"));
    CHECK_ERR(pack_meddled(&m), ERR_PERMISSION_DENIED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"z\""));
}

TEST(a_directory_that_becomes_a_link_is_not_followed)
{
    struct meddler m = {.command = "cd \"$DIR/in\" && mv d ../e && ln -s ../e d"};
    CHECK(zt_run(TREE "mkdir d && touch a d/z"));
    CHECK_ERR(pack_meddled(&m), ERR_PERMISSION_DENIED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("\"d/z\""));
}
