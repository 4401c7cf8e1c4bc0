/*
 * The audit beside the inflaters, in one process: what do the rules cost?
 *
 *     bench_audit ROUNDS FILE.zip...
 *     bench_audit dearest TINY.zip FILE.zip
 *
 * In each round, for all files: zip_audit; the audit's own inflater alone over every entry; zlib's.
 * The inflaters get the compressed bytes in memory and throw the output away: no reading, no CRC,
 * no rules. Prints a line of JSON: bytes out, and for each side the CPU seconds of every round. The
 * second form audits TINY, then FILE, and prints for FILE the CPU seconds, the peak of resident
 * memory above what there was after TINY, and the rule of the first finding.
 */
#include "zip/inflate.h"
#include "zip/zip.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

struct archive {
    const char *path;
    int fd;
    uint64_t size;
    const uint8_t *bytes;
    struct zip_report report;
};

static uint64_t n_out; /* so that no work is left out */

static void die(const char *what, const char *path)
{
    (void)fprintf(stderr, "bench_audit: %s: %s\n", path, what);
    exit(2);
}

static double cpu_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void audit(const struct archive *a, struct zip_report *ret)
{
    struct error e;
    const struct zip_audit_options o = {.flags = ZIP_AUDIT_ARCHIVE_ONLY};
    if (zip_audit(a->fd, a->size, &o, ret, &e) != ERR_OK)
        die(e.msg, a->path);
    const char *reason = zip_report_reason(ret);
    if (reason)
        die(reason, a->path);
}

static void open_archive(struct archive *a, const char *path)
{
    struct stat st;
    *a = (struct archive){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (a->fd < 0 || fstat(a->fd, &st) != 0)
        die("cannot be read", path);
    a->size = (uint64_t)st.st_size;
    a->bytes = mmap(NULL, (size_t)a->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, a->fd, 0);
    if (a->bytes == MAP_FAILED)
        die("cannot be mapped", path);
    audit(a, &a->report);
}

static void run_audit(const struct archive *a)
{
    struct zip_report r;
    audit(a, &r);
    n_out += r.uncompressed;
    zip_report_deinit(&r);
}

static void inflate_ours(const uint8_t *p, size_t len)
{
    static struct inflater z;
    static bool ready;
    size_t at = 0, used;
    enum inflate_end end = INFLATE_FULL;
    if (!ready)
        inflate_init(&z);
    ready = true;
    inflate_start(&z);
    for (; end == INFLATE_FULL; at += used) {
        end = inflate_some(&z, p + at, len - at, true, INFLATE_ROOM, &used);
        n_out += inflate_take(&z).len;
    }
}

static void inflate_zlib(const uint8_t *p, size_t len)
{
    static z_stream zs;
    static uint8_t out[KIB(64)];
    int z = zs.state ? inflateReset(&zs) : inflateInit2(&zs, -MAX_WBITS);
    zs.next_in = (Bytef *)(uintptr_t)p;
    zs.avail_in = (uInt)len;
    while (z == Z_OK) {
        zs.next_out = out;
        zs.avail_out = sizeof out;
        z = inflate(&zs, Z_NO_FLUSH);
        n_out += sizeof out - zs.avail_out;
    }
}

static void run_inflater(const struct archive *a, void (*inflater)(const uint8_t *p, size_t len))
{
    for (size_t i = 0; i < a->report.n_entries; i++) {
        const struct zip_entry *e = &a->report.entries[i];
        if (e->method == 8)
            inflater(a->bytes + e->data_offset, (size_t)e->csize);
        else
            n_out += e->csize;
    }
}

static void run_ours(const struct archive *a)
{
    run_inflater(a, inflate_ours);
}

static void run_zlib(const struct archive *a)
{
    run_inflater(a, inflate_zlib);
}

/* --- one dear archive --- */

/* VmRSS or VmHWM in KiB. */
static long status_kib(const char *field)
{
    char line[200];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field) + 1, NULL, 10);
    if (!f || kib == 0)
        die("/proc/self/status cannot be read", field);
    (void)fclose(f);
    return kib;
}

static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (!f || fputs("5", f) < 0 || fclose(f) != 0)
        die("cannot be written", "/proc/self/clear_refs");
}

static void audit_file(const char *path, struct zip_report *ret)
{
    struct stat st;
    struct error e;
    const struct zip_audit_options o = {.flags = ZIP_AUDIT_ARCHIVE_ONLY};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        die("cannot be read", path);
    if (zip_audit(fd, (uint64_t)st.st_size, &o, ret, &e) != ERR_OK)
        die(e.msg, path);
    (void)close(fd);
}

static int dearest(const char *tiny, const char *path)
{
    struct zip_report r;
    audit_file(tiny, &r);
    zip_report_deinit(&r);
    long before = status_kib("VmRSS");
    reset_peak();
    double start = cpu_now();
    audit_file(path, &r);
    double seconds = cpu_now() - start;
    printf("{\"seconds\": %.3f, \"kib\": %ld, \"rule\": \"%s\"}\n", seconds,
           status_kib("VmHWM") - before, r.n_findings ? r.findings[0].rule->id : "");
    zip_report_deinit(&r);
    return 0;
}

/* --- the sides --- */

int main(int argc, char **argv)
{
    static void (*const sides[])(const struct archive *a) = {run_audit, run_ours, run_zlib};
    static const char *const names[] = {"audit", "inflater", "zlib"};
    uint64_t rounds = 0;
    int n = argc - 2;
    if (argc == 4 && strcmp(argv[1], "dearest") == 0)
        return dearest(argv[2], argv[3]);
    if (n < 1 || !str_to_u64(str_c(argv[1]), &rounds) || rounds < 1 || rounds > 100)
        die("usage: bench_audit ROUNDS FILE.zip...", "arguments");
    struct archive *archives = calloc((size_t)n, sizeof *archives);
    double(*seconds)[ARRAY_SIZE(sides)] = calloc(rounds, sizeof *seconds);
    if (!archives || !seconds)
        die("no memory", "arguments");
    uint64_t bytes = 0;
    for (int i = 0; i < n; i++) {
        open_archive(&archives[i], argv[i + 2]);
        bytes += archives[i].report.uncompressed;
    }
    for (uint64_t round = 0; round < rounds; round++)
        for (size_t side = 0; side < ARRAY_SIZE(sides); side++) {
            double before = cpu_now();
            n_out = 0;
            for (int i = 0; i < n; i++)
                sides[side](&archives[i]);
            seconds[round][side] = cpu_now() - before;
            if (n_out != bytes)
                die("a side gave another number of bytes", names[side]);
        }
    printf("{\"bytes\": %llu", (unsigned long long)bytes);
    for (size_t side = 0; side < ARRAY_SIZE(sides); side++) {
        printf(", \"%s\": [", names[side]);
        for (uint64_t round = 0; round < rounds; round++)
            printf("%s%.4f", round ? ", " : "", seconds[round][side]);
        printf("]");
    }
    printf("}\n");
    return 0;
}
