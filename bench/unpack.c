/*
 * How fast an audited archive is unpacked.
 *
 *     bench_unpack FILE.zip NAME
 *
 * Audits FILE, then unpacks it into NAME, which must not exist, in the working directory. Prints a
 * line of JSON: the bytes written, and the wall-clock and CPU seconds of unpacking alone.
 */
#include "zip/unpack.h"
#include "base/macro.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static void die(const char *what, const char *path)
{
    (void)fprintf(stderr, "bench_unpack: %s: %s\n", path, what);
    exit(2);
}

static double now(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    CLEANUP(zip_report_deinit) struct zip_report report = {0};
    const struct zip_audit_options options = {.flags = ZIP_AUDIT_ARCHIVE_ONLY};
    struct error e;
    struct stat st;
    if (argc != 3)
        die("usage: bench_unpack FILE.zip NAME", "");
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (here < 0 || fd < 0 || fstat(fd, &st) != 0)
        die("cannot be opened", argv[1]);
    if (zip_audit(fd, (uint64_t)st.st_size, &options, &report, &e) != ERR_OK)
        die(e.msg, argv[1]);
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    if (zip_unpack(fd, &report, here, argv[2], NULL, NULL, &e) != ERR_OK)
        die(e.msg, argv[2]);
    wall = now(CLOCK_MONOTONIC) - wall;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"bytes\": %llu, \"wall\": %.6f, \"cpu\": %.6f}\n",
           (unsigned long long)report.uncompressed, wall, cpu);
    return 0;
}
