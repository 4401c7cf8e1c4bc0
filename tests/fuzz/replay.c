/*
 * Replays a fuzz target's corpus as an ordinary test, with any compiler:
 *
 *     replay_<target> CORPUS_DIR N_MUTATIONS [FILE…]
 *
 * Each file is fed as it is and then in N_MUTATIONS variants, which depend on nothing but the
 * file's bytes. Each file runs in a process of its own; what it was fed last is kept in shared
 * memory, so that the input behind a crash can be saved and named.
 */
#include "fuzz.h"

#include "base/macro.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT_MAX   KIB(256)
#define FILE_TIME_S 120

/* The input being tried; shared between the parent and the child that tries it. */
struct input {
    size_t len;
    uint8_t bytes[INPUT_MAX];
};

struct seed {
    size_t len;
    uint8_t bytes[INPUT_MAX];
};

/* xorshift64* (Vigna 2016): small, and the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

static size_t below(uint64_t *state, size_t n)
{
    return n ? (size_t)(next_random(state) % n) : 0;
}

/* FNV-1a, so that a file's variants follow from its bytes. */
static uint64_t seed_of(const struct seed *s)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < s->len; i++)
        h = (h ^ s->bytes[i]) * 0x100000001b3ULL;
    return h | 1;
}

static void insert_bytes(struct input *in, size_t at, const uint8_t *from, size_t n)
{
    if (n > INPUT_MAX - in->len)
        return;
    memmove(in->bytes + at + n, in->bytes + at, in->len - at);
    memmove(in->bytes + at, from, n);
    in->len += n;
}

static void mutate_flip(struct input *in, uint64_t *rnd)
{
    if (in->len)
        in->bytes[below(rnd, in->len)] ^= (uint8_t)(1U << below(rnd, 8));
}

/* Bytes at which decoders change their mind: zero, one, the sign and continuation bits. */
static void mutate_edge(struct input *in, uint64_t *rnd)
{
    static const uint8_t edges[] = {0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff, '\n', '"', '/', '.'};
    if (in->len)
        in->bytes[below(rnd, in->len)] = edges[below(rnd, sizeof edges)];
}

static void mutate_delete(struct input *in, uint64_t *rnd)
{
    size_t at = below(rnd, in->len);
    size_t n = MIN(below(rnd, 16) + 1, in->len - at);
    memmove(in->bytes + at, in->bytes + at + n, in->len - at - n);
    in->len -= n;
}

static void mutate_repeat(struct input *in, uint64_t *rnd)
{
    uint8_t piece[64];
    size_t from = below(rnd, in->len);
    size_t n = MIN(below(rnd, sizeof piece) + 1, in->len - from);
    memcpy(piece, in->bytes + from, n);
    insert_bytes(in, below(rnd, in->len + 1), piece, n);
}

static void mutate_insert(struct input *in, uint64_t *rnd)
{
    uint8_t piece[8];
    uint64_t v = next_random(rnd);
    memcpy(piece, &v, sizeof piece);
    insert_bytes(in, below(rnd, in->len + 1), piece, below(rnd, sizeof piece) + 1);
}

static void mutate_cut(struct input *in, uint64_t *rnd)
{
    in->len = below(rnd, in->len + 1);
}

static void mutate(struct input *in, uint64_t *rnd)
{
    static void (*const ways[])(struct input *, uint64_t *) = {
        mutate_flip, mutate_edge, mutate_delete, mutate_repeat, mutate_insert, mutate_cut,
    };
    size_t n = below(rnd, 4) + 1;
    for (size_t i = 0; i < n; i++) {
        size_t way = below(rnd, 4 * (ARRAY_SIZE(ways) - 1) + 1); /* cuts are rarer */
        ways[way / 4](in, rnd);
    }
}

static void try_input(const struct input *in)
{
    /* A copy of its exact size lets the address sanitizer see a read past the end. */
    uint8_t *copy = malloc(in->len ? in->len : 1);
    if (!copy)
        abort();
    memcpy(copy, in->bytes, in->len);
    (void)LLVMFuzzerTestOneInput(copy, in->len);
    free(copy);
}

static void try_seed(const struct seed *s, struct input *in, size_t n_mutations)
{
    uint64_t rnd = seed_of(s);
    for (size_t i = 0; i <= n_mutations; i++) {
        in->len = s->len;
        memcpy(in->bytes, s->bytes, s->len);
        if (i)
            mutate(in, &rnd);
        try_input(in);
    }
}

static int run_child(const struct seed *s, struct input *in, size_t n_mutations)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(FILE_TIME_S);
        try_seed(s, in, n_mutations);
        exit(0); /* runs LeakSanitizer */
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void save_crash(const char *name, const struct input *in)
{
    char path[300];
    (void)snprintf(path, sizeof path, "crash-%s", name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(in->bytes, 1, in->len, f) != in->len)
        printf("# cannot save the input as %s\n", path);
    else
        printf("# the input was saved as %s (%zu bytes)\n", path, in->len);
    if (f)
        (void)fclose(f);
}

static bool load(const char *dir, const char *name, struct seed *s)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    s->len = fread(s->bytes, 1, sizeof s->bytes, f);
    bool whole = !ferror(f) && fgetc(f) == EOF;
    (void)fclose(f);
    return whole;
}

/* Returns whether the file passed. */
static bool replay(const char *dir, const char *name, size_t n_mutations, struct input *in)
{
    static struct seed s;
    if (!load(dir, name, &s)) {
        printf("# cannot read %s/%s, or it is larger than %zu bytes\n", dir, name, INPUT_MAX);
        return false;
    }
    int status = run_child(&s, in, n_mutations);
    if (status == 0)
        return true;
    if (WIFSIGNALED(status))
        printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    save_crash(name, in);
    return false;
}

static int is_file(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static bool chosen(const char *name, int argc, char **argv)
{
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 3;
}

int main(int argc, char **argv)
{
    struct dirent **files = NULL;
    int n_files = argc < 3 ? -1 : scandir(argv[1], &files, is_file, alphasort);
    struct input *in =
        mmap(NULL, sizeof *in, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n_files < 0 || in == MAP_FAILED) {
        printf("Bail out! usage: %s CORPUS_DIR N_MUTATIONS [FILE...]\n", argv[0]);
        return 1;
    }
    size_t n_mutations = strtoul(argv[2], NULL, 10);
    int n = 0, failed = 0;
    printf("TAP version 13\n");
    for (int i = 0; i < n_files; i++) {
        if (chosen(files[i]->d_name, argc, argv)) {
            bool ok = replay(argv[1], files[i]->d_name, n_mutations, in);
            failed += !ok;
            printf("%sok %d - %s\n", ok ? "" : "not ", ++n, files[i]->d_name);
        }
        free(files[i]);
    }
    free(files);
    printf("1..%d\n", n);
    return failed || n == 0;
}
