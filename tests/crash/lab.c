/* The laboratory's own means, its command line and its verdict. */
#include "lab.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PRINTED_MAX = 20 };

static unsigned n_violations;
static bool find;
static char context[200];
static char scratch[LAB_PATH_MAX];

void lab_die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("Bail out! ");
    (void)vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    exit(2);
}

void lab_context(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
}

void lab_violation(const char *fmt, ...)
{
    va_list ap;
    if (++n_violations > PRINTED_MAX)
        return;
    va_start(ap, fmt);
    printf("# VIOLATION (%s) ", context);
    (void)vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

unsigned lab_violations(void)
{
    return n_violations;
}

bool lab_full(void)
{
    return n_violations >= (find ? 1 : PRINTED_MAX);
}

uint64_t lab_random(uint64_t *state)
{
    if (!*state)
        *state = 0x9e3779b97f4a7c15u;
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

void lab_path(char out[LAB_PATH_MAX], const char *dir, const char *name)
{
    if (snprintf(out, LAB_PATH_MAX, "%s/%s", dir, name) >= LAB_PATH_MAX)
        lab_die("a path is too long: %s/%s", dir, name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)remove(path);
    return 0;
}

void lab_remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void remove_scratch(void)
{
    lab_remove_tree(scratch);
}

static void leave(int sig)
{
    exit(128 + sig); /* between two system calls of ours: the tidying is worth the risk */
}

/* Containers have a small one. */
static bool has_room(const char *dir)
{
    struct statvfs v;
    return access(dir, W_OK) == 0 && statvfs(dir, &v) == 0 && v.f_bavail * v.f_frsize >= MIB(1024);
}

const char *lab_scratch(bool in_memory)
{
    const char *base = in_memory && has_room("/dev/shm") ? "/dev/shm" : "/tmp";
    if (scratch[0])
        return scratch;
    (void)snprintf(scratch, sizeof scratch, "%s/stigmer-lab-XXXXXX", base);
    if (!mkdtemp(scratch))
        lab_die("no directory below %s: errno %d", base, errno);
    (void)atexit(remove_scratch);
    (void)signal(SIGTERM, leave);
    (void)signal(SIGINT, leave);
    return scratch;
}

/* --- options --- */

static const char *value_of(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc)
        lab_die("%s needs a value", argv[*i]);
    return argv[++*i];
}

static uint64_t number_of(int argc, char **argv, int *i)
{
    uint64_t n;
    const char *option = argv[*i];
    if (!str_to_u64(str_c(value_of(argc, argv, i)), &n))
        lab_die("%s needs a number", option);
    return n;
}

static void parse_one(struct options *o, int argc, char **argv, int *i)
{
    str name = str_c(argv[*i]);
    if (str_eq(name, STR("--server")))
        o->server = value_of(argc, argv, i);
    else if (str_eq(name, STR("--n")))
        o->n = (unsigned)number_of(argc, argv, i);
    else if (str_eq(name, STR("--seed")))
        o->seed = number_of(argc, argv, i);
    else if (str_eq(name, STR("--fs")))
        o->fs = value_of(argc, argv, i);
    else if (str_eq(name, STR("--find")))
        o->find = true;
    else
        lab_die("do not know %s", argv[*i]);
}

void options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.n = 100, .seed = 1, .fs = "ext4"};
    for (int i = 0; i < argc; i++)
        parse_one(o, argc, argv, &i);
    find = o->find;
    if (!o->server)
        lab_die("--server PROGRAM is missing");
    if (access(o->server, X_OK) != 0)
        lab_die("%s cannot be run", o->server);
    printf("1..1\n# seed %llu\n", (unsigned long long)o->seed);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

int options_verdict(const struct options *o, const char *what)
{
    bool ok = (n_violations > 0) == o->find;
    printf("%s 1 - %s\n", ok ? "ok" : "not ok", what);
    return ok ? 0 : 1;
}

int options_skip(const char *what, const char *reason)
{
    printf("ok 1 - %s # SKIP %s\n", what, reason);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} experiments[] = {
    {"kill", lab_kill},
    {"power", lab_power},
    {"calls", lab_calls},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(experiments); i++)
        if (str_eq(str_c(argv[1]), str_c(experiments[i].name)))
            return experiments[i].run(argc - 2, argv + 2);
    (void)fprintf(stderr, "usage: lab EXPERIMENT --server PROGRAM [--n N] [--seed S] [--find] "
                          "[--fs FS]\n");
    return 2;
}
