/*
 * What must be done with the bytes of a large push, with nothing around it: CPU seconds of each.
 *
 *     bench_bytes FILE.zip DIR
 *
 * SHA-256 of the file, then a copy of it into an unnamed file in DIR (page cache; 64 KiB at a time,
 * as a push comes), then the audit of it. Reading is not counted where it would not be needed: hash
 * and copy take the bytes from memory. Prints a line of JSON.
 */
#include "base/macro.h"
#include "base/sys.h"
#include "digest/sha256.h"
#include "zip/zip.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PIECE KIB(64)

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_bytes: %s\n", what);
    exit(1);
}

static void need(enum err err, const struct error *e)
{
    if (err != ERR_OK)
        die(e->msg);
}

static double cpu_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double hash(str bytes)
{
    struct digest d;
    struct error e;
    double began = cpu_now();
    need(sha256_of(bytes, &d, &e), &e);
    return cpu_now() - began;
}

static double copy(str bytes, const char *dir)
{
    struct error e;
    CLEANUP(sys_closep) int dirfd = -1;
    CLEANUP(sys_closep) int fd = -1;
    need(sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &dirfd, &e), &e);
    double began = cpu_now();
    need(sys_open_tmp(dirfd, &fd, &e), &e);
    for (size_t at = 0; at < bytes.len; at += PIECE)
        need(sys_pwrite_full(fd, bytes.p + at, MIN(PIECE, bytes.len - at), at, &e), &e);
    return cpu_now() - began;
}

static double audit(int fd, uint64_t size)
{
    struct zip_report r;
    struct error e;
    const struct zip_audit_options o = {.flags = ZIP_AUDIT_DIGESTS};
    double began = cpu_now();
    need(zip_audit(fd, size, &o, &r, &e), &e);
    double took = cpu_now() - began;
    if (!zip_report_accepted(&r))
        die(zip_report_reason(&r));
    zip_report_deinit(&r);
    return took;
}

int main(int argc, char **argv)
{
    struct stat st;
    struct error e;
    CLEANUP(sys_closep) int fd = -1;
    if (argc != 3)
        die("usage: bench_bytes FILE.zip DIR");
    need(sys_openat(AT_FDCWD, argv[1], O_RDONLY, 0, &fd, &e), &e);
    need(sys_fstat(fd, &st, &e), &e);
    size_t len = (size_t)st.st_size;
    void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        die("the file cannot be mapped");
    double hashed = hash(str_of(p, len)), copied = copy(str_of(p, len), argv[2]);
    printf("{\"bytes\":%zu,\"sha256\":%.4f,\"write\":%.4f,\"audit\":%.4f}\n", len, hashed, copied,
           audit(fd, len));
    return 0;
}
