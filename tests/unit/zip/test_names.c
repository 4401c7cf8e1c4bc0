/* Reading names where the archive has them, and sorting by them in bounded memory. */
#include "ziptest.h"

#include "zip/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum { N_MAX = 10000 };

static struct error e;
static struct zip_entry entries[N_MAX];
static uint32_t order[N_MAX];
static struct buf file;
static struct zip_names *names;
static int fd;

static void begin(void)
{
    buf_init(&file, MIB(11));
    buf_add(&file, STR("something before"));
}

static void add(uint32_t i, str name)
{
    entries[i] = (struct zip_entry){.name_at = (uint32_t)file.len,
                                    .name_len = (uint16_t)name.len,
                                    .name_hash = XXH3_64bits(name.p, name.len)};
    order[i] = i;
    buf_add(&file, name);
}

static void open_names(void)
{
    CHECK(!file.failed);
    fd = zt_memfd(buf_view(&file));
    CHECK_OK(zip_names_open(fd, file.len, &names, &e), &e);
}

static void end(void)
{
    zip_names_close(names);
    close(fd);
    buf_deinit(&file);
}

static str get(uint32_t i)
{
    str name;
    CHECK_OK(zip_names_get(names, &entries[i], &name, &e), &e);
    return name;
}

TEST(names_come_in_any_order)
{
    char text[NAME_PATH_MAX + 1];
    begin();
    memset(text, 'x', sizeof text);
    add(0, STR("first"));
    add(1, str_of(text, sizeof text));
    add(2, STR(""));
    for (uint32_t i = 3; i < 1000; i++)
        add(i, str_of(text, (size_t)snprintf(text, 20, "name %u", i)));
    open_names();
    CHECK_STR(get(999), STR("name 999"));
    CHECK_STR(get(0), STR("first"));
    CHECK_INT(get(1).len, NAME_PATH_MAX + 1);
    CHECK_INT(get(2).len, 0);
    str name = get(500);
    CHECK(get(500).p == name.p); /* the same one again leaves it where it is */
    CHECK_STR(name, STR("name 500"));
    end();
}

TEST(a_name_that_is_not_the_audited_one_is_data_loss)
{
    str name;
    begin();
    add(0, STR("name"));
    add(1, STR("last"));
    open_names();
    CHECK(pwrite(fd, "N", 1, entries[0].name_at) == 1);
    CHECK_ERR(zip_names_get(names, &entries[0], &name, &e), ERR_DATA_LOSS, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("changed after it was audited"));
    entries[1].name_len++; /* beyond the end */
    CHECK_ERR(zip_names_get(names, &entries[1], &name, &e), ERR_DATA_LOSS, &e);
    entries[1].name_at = UINT32_MAX;
    CHECK_ERR(zip_names_get(names, &entries[1], &name, &e), ERR_DATA_LOSS, &e);
    end();
}

TEST(a_file_that_cannot_be_read_is_an_error)
{
    str name;
    begin();
    add(0, STR("name"));
    open_names();
    close(fd);
    CHECK_ERR(zip_names_get(names, &entries[0], &name, &e), ERR_INTERNAL, &e);
    CHECK_ERR(zip_names_sort(names, entries, order, 1, &e), ERR_INTERNAL, &e);
    fd = -1;
    end();
}

/* --- sorting --- */

/* n different names of len bytes that differ at their end only; step permutes them. */
static void add_all(uint32_t n, size_t len, uint32_t step)
{
    char text[NAME_PATH_MAX], number[11];
    memset(text, 'x', sizeof text);
    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(number, sizeof number, "%05u", (unsigned)((uint64_t)i * step % n));
        memcpy(text + len - 5, number, 5);
        add(i, str_of(text, len));
    }
}

static void check_sorted(uint32_t n)
{
    char before[NAME_PATH_MAX + 1];
    size_t len = 0;
    CHECK_OK(zip_names_sort(names, entries, order, n, &e), &e);
    for (uint32_t i = 0; i < n; i++) {
        str name = get(order[i]);
        CHECK(i == 0 || str_cmp(str_of(before, len), name) < 0);
        memcpy(before, name.p, name.len);
        len = name.len;
    }
}

/* All names differ, so n of them in order are the n that there were. Around 2,048 another run
 * begins. */
TEST(any_number_is_sorted)
{
    static const uint32_t counts[] = {0, 1, 2, 2047, 2048, 2049, 4096, 4097};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        begin();
        add_all(counts[i], 12, 4099); /* a prime above them all */
        open_names();
        check_sorted(counts[i]);
        end();
    }
}

TEST(any_length_is_sorted)
{
    static const size_t lens[] = {5, 200, 300, NAME_PATH_MAX - 1, NAME_PATH_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        begin();
        add_all(3000, lens[i], 1009);
        open_names();
        check_sorted(3000);
        end();
    }
}

TEST(a_prefix_comes_before_what_extends_it)
{
    begin();
    add(0, STR("a/b"));
    add(1, STR("a"));
    add(2, STR("\xc3\xa9"));
    add(3, STR("a-b"));
    add(4, STR(""));
    open_names();
    CHECK_OK(zip_names_sort(names, entries, order, 5, &e), &e);
    CHECK_STR(get(order[0]), STR(""));
    CHECK_STR(get(order[1]), STR("a"));
    CHECK_STR(get(order[2]), STR("a-b"));
    CHECK_STR(get(order[3]), STR("a/b"));
    CHECK_STR(get(order[4]), STR("\xc3\xa9"));
    end();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Leaves the process that much more address space. */
static void leave(size_t n)
{
    size_t pages;
    struct rlimit l = {.rlim_max = RLIM_INFINITY};
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%zu", &pages) == 1);
    (void)fclose(f);
    l.rlim_cur = pages * (size_t)getpagesize() + n;
    CHECK(SANITIZED || setrlimit(RLIMIT_AS, &l) == 0);
}

/* The worst case: 10 MiB of names that differ in their last bytes, in no order. */
TEST(the_longest_names_are_sorted_in_a_mebibyte)
{
    begin();
    add_all(N_MAX, NAME_PATH_MAX, 7919);
    open_names();
    buf_deinit(&file);
    leave(MIB(1));
    clock_t before = clock();
    CHECK_OK(zip_names_sort(names, entries, order, N_MAX, &e), &e);
    printf("# %.0f ms\n", 1e3 * (double)(clock() - before) / CLOCKS_PER_SEC);
    check_sorted(N_MAX);
    end();
}
