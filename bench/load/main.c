/* bench_load: see load.h. */
#include "load/load.h"

#include "base/sys.h"
#include "grpc/target.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

static const char usage[] =
    "usage: bench_load --target HOST:PORT [OPTION...] OPERATION\n"
    "\n"
    "  --tls, --ca FILE   over TLS; whom to believe (PEM)\n"
    "  --connections N    (16)\n"
    "  --streams N        operations at once on each (16)\n"
    "  --warmup MS        before anything is counted (500)\n"
    "  --seconds N        how long (5), or\n"
    "  --calls N          how many operations\n"
    "  --rate N           begin so many operations a second, whether or not others have ended\n"
    "  --skills N         how many the seeder has made (100), and\n"
    "  --versions N       versions of each (10)\n"
    "  --size BYTES       of archives that are made (12000, at most 64000)\n"
    "  --first N          number of the first of them: what one run has pushed is not new for the "
    "next\n"
    "  --file FILE        what push-file, put-file and registry-push-file send; several: in turn\n"
    "  --path TEXT        of get and put; the hash of download-one, stream-one, registry-pull\n"
    "\n"
    "SIGTERM ends it early. Operations:";

static int fail_usage(const char *what)
{
    (void)fprintf(stderr, "bench_load: %s\n\n%s", what, usage);
    for (size_t i = 0; i < n_ops; i++)
        (void)fprintf(stderr, " %s", ops[i].name);
    (void)fprintf(stderr, "\n");
    return EXIT_USAGE;
}

/* --- options --- */

enum { TARGET, TLS, CA, OP_FILE, OP_PATH, NUMBERS };

static const struct {
    const char *name;
    size_t offset;
    uint64_t value, min, max;
} numbers[] = {
    {"connections", offsetof(struct options, connections), 16, 1, 10000},
    {"streams", offsetof(struct options, streams), 16, 1, 256},
    {"warmup", offsetof(struct options, warmup_ms), 500, 0, 3600000},
    {"seconds", offsetof(struct options, seconds), 5, 1, 3600},
    {"calls", offsetof(struct options, calls), 0, 1, UINT32_MAX},
    {"rate", offsetof(struct options, rate), 0, 1, 1000000},
    {"skills", offsetof(struct options, skills), 100, 1, UINT32_MAX},
    {"versions", offsetof(struct options, versions), 10, 1, UINT32_MAX},
    {"size", offsetof(struct options, size), 12000, 600, 64000},
    {"first", offsetof(struct options, first), 1, 1, UINT64_MAX / 2},
};

static const struct option words[] = {
    {"target", required_argument, NULL, TARGET}, {"tls", no_argument, NULL, TLS},
    {"ca", required_argument, NULL, CA},         {"file", required_argument, NULL, OP_FILE},
    {"path", required_argument, NULL, OP_PATH},
};

static bool take_number(struct options *o, size_t i, const char *text)
{
    uint64_t v;
    if (!str_to_u64(str_c(text), &v) || v < numbers[i].min || v > numbers[i].max)
        return false;
    *(uint64_t *)(void *)((char *)o + numbers[i].offset) = v;
    return true;
}

static bool take(struct options *o, int c, const char *value)
{
    switch (c) {
    case TARGET:
        o->target = value;
        return true;
    case TLS:
        o->tls = true;
        return true;
    case CA:
        o->ca_file = value;
        return true;
    case OP_FILE:
        if (o->n_files == LOAD_MAX_FILES)
            return false;
        o->files[o->n_files++] = value;
        return true;
    case OP_PATH:
        o->path = value;
        return true;
    default:
        return c >= NUMBERS && take_number(o, (size_t)(c - NUMBERS), value);
    }
}

static bool read_options(struct options *o, int argc, char **argv)
{
    struct option all[ARRAY_SIZE(words) + ARRAY_SIZE(numbers) + 1] = {{0}};
    int c;
    memcpy(all, words, sizeof words);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        all[ARRAY_SIZE(words) + i] =
            (struct option){numbers[i].name, required_argument, NULL, NUMBERS + (int)i};
        *(uint64_t *)(void *)((char *)o + numbers[i].offset) = numbers[i].value;
    }
    while ((c = getopt_long(argc, argv, "", all, NULL)) >= 0)
        if (!take(o, c, optarg))
            return false;
    o->op = optind == argc - 1 ? argv[optind] : NULL;
    return true;
}

/* --- all of it --- */

static enum err open_file(const char *path, struct load_file *ret, struct error *e)
{
    struct stat st;
    TRY(sys_openat(AT_FDCWD, path, O_RDONLY, 0, &ret->fd, e));
    TRY(sys_fstat(ret->fd, &st, e));
    ret->len = (uint64_t)st.st_size;
    return sha256_of_file(ret->fd, ret->len, &ret->digest, e);
}

static enum err run(struct load *l, struct error *e)
{
    TRY(target_parse(str_c(l->o.target), l->host, &l->port, e));
    for (size_t i = 0; i < l->o.n_files; i++)
        TRY(open_file(l->o.files[i], &l->files[i], e));
    return load_run(l, e);
}

int main(int argc, char **argv)
{
    static struct load l; /* the histograms are large */
    struct error e;
    for (size_t i = 0; i < LOAD_MAX_FILES; i++)
        l.files[i].fd = -1;
    if (!read_options(&l.o, argc, argv))
        return fail_usage("an option is unknown or its value is not possible");
    const struct op *op = l.o.op ? op_find(str_c(l.o.op)) : NULL;
    if (!op || !l.o.target)
        return fail_usage("one operation and --target are needed");
    if ((op->needs_file && !l.o.n_files) || (op->needs_path && !l.o.path))
        return fail_usage("this operation needs --file or --path");
    enum err err = run(&l, &e);
    if (err != ERR_OK)
        (void)fprintf(stderr, "bench_load: %s\n", e.msg);
    for (size_t i = 0; i < LOAD_MAX_FILES; i++)
        sys_closep(&l.files[i].fd);
    return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}
