#include "ziptest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void audit_fd(int fd, unsigned flags, const struct zip_limits *limits,
                     struct zip_report *ret)
{
    struct stat st;
    struct error e;
    CHECK(fstat(fd, &st) == 0);
    const struct zip_audit_options o = {.flags = flags, .limits = limits};
    CHECK_OK(zip_audit(fd, (uint64_t)st.st_size, &o, ret, &e), &e);
}

void zt_audit(const char *path, unsigned flags, const struct zip_limits *limits,
              struct zip_report *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        test_fail(__FILE__, __LINE__, "cannot open %s", path);
    audit_fd(fd, flags, limits, ret);
    close(fd);
}

int zt_memfd(str bytes)
{
    int fd = memfd_create("zip", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, bytes.p, bytes.len, 0) == (ssize_t)bytes.len);
    return fd;
}

void zt_audit_bytes(str bytes, unsigned flags, const struct zip_limits *limits,
                    struct zip_report *ret)
{
    int fd = zt_memfd(bytes);
    audit_fd(fd, flags, limits, ret);
    close(fd);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

str zt_ids(const struct zip_report *r)
{
    static char text[4000];
    const char *ids[200];
    size_t n = 0, len = 0;
    for (size_t i = 0; i < r->n_findings && n < ARRAY_SIZE(ids); i++)
        ids[n++] = r->findings[i].rule->id;
    qsort(ids, n, sizeof *ids, by_text);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(ids[i], ids[i - 1]) != 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? "," : "", ids[i]);
    return str_of(text, len);
}

str zt_read(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        test_fail(__FILE__, __LINE__, "cannot read %s", path);
    char *p = malloc((size_t)st.st_size + 1);
    CHECK(p && read(fd, p, (size_t)st.st_size) == st.st_size);
    close(fd);
    return str_of(p, (size_t)st.st_size);
}

void zt_write(const char *path, str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        test_fail(__FILE__, __LINE__, "cannot write %s", path);
    CHECK(write(fd, bytes.p, bytes.len) == (ssize_t)bytes.len);
    close(fd);
}

bool zt_run(const char *command)
{
    setenv("DIR", test_dir(), 1);
    int r = system(command);
    if (r == 127 << 8)
        return false;
    if (r != 0)
        test_fail(__FILE__, __LINE__, "%s: status 0x%x", command, r);
    return true;
}

void zt_need(const char *program)
{
    char command[200];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    if (system(command) == 0)
        return;
    snprintf(command, sizeof command, "%s is not installed", program);
    test_skip(command);
}
