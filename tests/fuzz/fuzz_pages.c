/* A database file, page by page: any bytes are judged without a crash, and read only within the
 * file. */
#include "base/sys.h"
#include "check/pages.h"
#include "fuzz.h"

#include <stdlib.h>

static enum err take(void *ctx, str table, str key, str value, struct error *e)
{
    uint64_t *sum = ctx;
    (void)e;
    for (size_t i = 0; i < value.len; i++)
        *sum += (uint8_t)value.p[i];
    *sum += table.len + key.len;
    return ERR_OK;
}

static void wrong(void *ctx, const char *text)
{
    *(uint64_t *)ctx += strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd;
    uint64_t sum = 0;
    struct error e;
    struct pages_report r;
    if (sys_memfd("pages", &fd, &e) != ERR_OK)
        abort();
    const struct pages_options o = {.fd = fd, .record = take, .wrong = wrong, .ctx = &sum};
    if (sys_write_full(fd, data, size, &e) == ERR_OK && pages_walk(&o, &r, &e) == ERR_OK &&
        r.pages > size / 256)
        abort(); /* more pages than bytes can hold */
    sys_closep(&fd);
    return 0;
}
