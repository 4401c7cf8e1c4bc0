/* Random trees: what was packed is accepted, and what was unpacked is what was packed. */
#include "ziptest.h"

#include "base/buf.h"
#include "zip/pack.h"
#include "zip/unpack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_TREES 24
#define N_FILES 30

static struct error e;
static uint64_t rng_state;

static size_t below(size_t n)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(rng_state >> 33) % n;
}

/* What names may be made of and programs stumble over. A number in front keeps them apart. */
static void add_name(struct buf *path, size_t number)
{
    static const char *const pieces[] = {
        " ",
        "  ",
        "'",
        "`",
        "$(id)",
        "&",
        "(1)",
        "[x]",
        "{y}",
        "#",
        "!",
        "@",
        "+",
        "=",
        ",",
        "^",
        "%00",
        "%2e%2e",
        "-rf",
        "--",
        "..",
        "...a",
        "~",
        ";",
        "a;b",
        ".zip",
        "CON",
        "nul",
        ".git",
        "SKILL.md",
        "\303\251",
        "e\314\201",
        "\344\275\240\345\245\275",
        "\360\237\230\200",
        "\327\220\327\221",
        "\303\237",
        ".sh",
        ".py",
        ".pl",
        "node_modules",
        "\357\274\241",
        "_",
    };
    char n[32];
    snprintf(n, sizeof n, "n%zu", number);
    buf_add_c(path, n);
    for (size_t k = below(5); k; k--)
        buf_add_c(path, pieces[below(ARRAY_SIZE(pieces))]);
    buf_add_c(path, below(3) ? "x" : below(2) ? ".sh" : ".txt"); /* never a final dot or space */
}

static void write_random(int fd)
{
    static const size_t sizes[] = {0,     1,     2,     5,      100,    4095,
                                   65535, 65536, 65537, 262144, 262145, 300000};
    static char bytes[300000];
    size_t len = sizes[below(ARRAY_SIZE(sizes))], kind = below(4);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(kind == 0   ? 0
                          : kind == 1 ? "all work and no play\n"[i % 21]
                          : kind == 2 ? (int)below(256)
                                      : (int)below(4));
    if (below(4) == 0 && len > 1)
        memcpy(bytes, "#!", 2);
    CHECK(write(fd, bytes, len) == (ssize_t)len);
}

struct file {
    char path[800]; /* within the tree */
    unsigned mode;  /* that it must have behind the round trip */
};

static unsigned expected_mode(const char *path, unsigned mode)
{
    static const char *const scripts[] = {".sh", ".py", ".pl"};
    char head[2] = {0};
    int fd = openat(test_dirfd(), path, O_RDONLY | O_CLOEXEC);
    bool run = mode & 0100 || (read(fd, head, 2) == 2 && head[0] == '#' && head[1] == '!');
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
        run |= str_ends_with(str_c(path), str_c(scripts[i]));
    close(fd);
    return run ? 0755 : 0644;
}

/* in/<one to four names>. */
static void make_file(struct file *f, size_t number)
{
    struct buf path;
    buf_init(&path, sizeof f->path - 1);
    buf_add_c(&path, "in");
    for (size_t depth = below(4); depth; depth--) {
        buf_add_char(&path, '/');
        add_name(&path, number);
        (void)mkdirat(test_dirfd(), buf_cstr(&path), 0777);
    }
    buf_add_char(&path, '/');
    add_name(&path, number);
    snprintf(f->path, sizeof f->path, "%s", buf_cstr(&path));
    unsigned mode = 0400 | (unsigned)below(01000);
    int fd = openat(test_dirfd(), f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    write_random(fd);
    CHECK(fchmod(fd, mode) == 0);
    close(fd);
    f->mode = expected_mode(f->path, mode);
    buf_deinit(&path);
}

static void pack_and_unpack(void)
{
    struct zip_report r;
    uint64_t size;
    uint32_t n_files;
    int in = openat(test_dirfd(), "in", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    int zip = openat(test_dirfd(), "zip", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_OK(zip_pack(in, zip, NULL, &size, &n_files, &e), &e);
    CHECK_INT(n_files, N_FILES + 1);
    CHECK_OK(zip_audit(zip, size, NULL, &r, &e), &e);
    CHECK_STR(zt_ids(&r), STR(""));
    CHECK_OK(zip_unpack(zip, &r, test_dirfd(), "out", NULL, NULL, &e), &e);
    zip_report_deinit(&r);
    close(in);
    close(zip);
}

static void check_mode(const struct file *f)
{
    char path[810];
    struct stat st;
    snprintf(path, sizeof path, "out%s", f->path + 2);
    if (fstatat(test_dirfd(), path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        test_fail(__FILE__, __LINE__, "%s is not there", path);
    if ((st.st_mode & 07777) != f->mode)
        test_fail(__FILE__, __LINE__, "%s has mode %o, want %o", path, st.st_mode & 07777, f->mode);
}

TEST(unpacking_gives_what_was_packed)
{
    for (rng_state = 1; rng_state <= N_TREES; rng_state++) {
        static struct file files[N_FILES];
        uint64_t seed = rng_state;
        CHECK(zt_run("rm -rf \"$DIR/in\" \"$DIR/out\" && mkdir \"$DIR/in\" && "
                     "printf '# S' >\"$DIR/in/SKILL.md\""));
        for (size_t i = 0; i < N_FILES; i++)
            make_file(&files[i], i);
        pack_and_unpack();
        CHECK(zt_run("cd \"$DIR\" && diff -r in out"));
        for (size_t i = 0; i < N_FILES; i++)
            check_mode(&files[i]);
        rng_state = seed;
    }
}
