/* What the zip tests share: audits of files and the ids that were found. */
#ifndef STIGMER_TESTS_ZIPTEST_H
#define STIGMER_TESTS_ZIPTEST_H

#include "test.h"

#include "zip/zip.h"

/* Audits the file; *ret to be deinited by the caller. The audit itself must succeed. */
void zt_audit(const char *path, unsigned flags, const struct zip_limits *limits,
              struct zip_report *ret);
/* The same for bytes, through a file in memory. */
void zt_audit_bytes(str bytes, unsigned flags, const struct zip_limits *limits,
                    struct zip_report *ret);
/* The ids found, each once, sorted, joined by commas. Static storage. */
str zt_ids(const struct zip_report *r);
/* A file in memory that holds the bytes; the caller closes it. */
int zt_memfd(str bytes);
/* Reads a whole file; free(p). */
str zt_read(const char *path);
void zt_write(const char *path, str bytes);
/* Runs a shell command with DIR = test_dir(), must succeed. False when it exits with 127. */
bool zt_run(const char *command);
/* Skips the test unless the program is there. */
void zt_need(const char *program);

#endif
