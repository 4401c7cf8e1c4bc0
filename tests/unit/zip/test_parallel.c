/* An audit on several threads says what one thread says. */
#include "ziptest.h"

#include "zip/record.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define N_FILES   40
#define FILE_SIZE KIB(40) /* enough together that it is worth several threads */

static struct pool *pool;
static struct error e;
static struct buf archive, directory;

static void start(unsigned n_threads, size_t max_queued)
{
    CHECK_OK(pool_new("test", n_threads, n_threads, max_queued, &pool, &e), &e);
}

static void add(unsigned i, str raw, uint16_t method, uint32_t usize, uint32_t crc)
{
    char name[20];
    uint8_t record[CDH_LEN];
    int n = snprintf(name, sizeof name, i ? "file%u.sh" : "SKILL.md", i);
    const struct lfh l = {.version_needed = 20,
                          .method = method,
                          .crc = crc,
                          .csize = (uint32_t)raw.len,
                          .usize = usize,
                          .name_len = (uint16_t)n};
    const struct cdh c = {.version_made = HOST_UNIX << 8,
                          .version_needed = 20,
                          .method = method,
                          .crc = crc,
                          .csize = (uint32_t)raw.len,
                          .usize = usize,
                          .name_len = (uint16_t)n,
                          .lfh_offset = (uint32_t)archive.len};
    lfh_encode(&l, record);
    buf_add(&archive, str_of(record, LFH_LEN));
    buf_add(&archive, str_of(name, (size_t)n));
    buf_add(&archive, raw);
    cdh_encode(&c, record);
    buf_add(&directory, str_of(record, CDH_LEN));
    buf_add(&directory, str_of(name, (size_t)n));
}

static void add_deflated(unsigned i, uint32_t wrong_crc)
{
    static uint8_t data[FILE_SIZE], raw[2 * FILE_SIZE];
    size_t len = i ? FILE_SIZE : 100;
    uint32_t noise = i + 1;
    for (size_t k = 0; k < len; k++) {
        noise = noise * 1664525 + 1013904223;
        data[k] = (uint8_t)('a' + (noise >> 24) % 12);
    }
    z_stream zs = {
        .next_in = data, .avail_in = (uInt)len, .next_out = raw, .avail_out = sizeof raw};
    CHECK(deflateInit2(&zs, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    CHECK(deflate(&zs, Z_FINISH) == Z_STREAM_END);
    (void)deflateEnd(&zs);
    add(i, str_of(raw, zs.total_out), METHOD_DEFLATE, (uint32_t)len,
        (uint32_t)crc32_z(0, data, len) ^ wrong_crc);
}

static void begin(void)
{
    buf_init(&archive, MIB(20));
    buf_init(&directory, MIB(1));
}

static str finish(unsigned n)
{
    uint8_t record[EOCD_LEN];
    const struct eocd end = {.n_disk = (uint16_t)n,
                             .n_total = (uint16_t)n,
                             .cd_size = (uint32_t)directory.len,
                             .cd_offset = (uint32_t)archive.len};
    eocd_encode(&end, record);
    buf_add(&archive, buf_view(&directory));
    buf_add(&archive, str_of(record, EOCD_LEN));
    CHECK(!archive.failed && !directory.failed);
    return buf_view(&archive);
}

static void audit(str bytes, struct pool *workers, const struct zip_limits *limits,
                  struct zip_report *ret)
{
    int fd = zt_memfd(bytes);
    const struct zip_audit_options o = {
        .flags = ZIP_AUDIT_DIGESTS, .limits = limits, .workers = workers};
    CHECK_OK(zip_audit(fd, bytes.len, &o, ret, &e), &e);
    close(fd);
}

static void check_same(const struct zip_report *a, const struct zip_report *b)
{
    CHECK_INT(a->n_findings, b->n_findings);
    for (size_t i = 0; i < a->n_findings; i++) {
        CHECK_STR(str_c(a->findings[i].message), str_c(b->findings[i].message));
        CHECK_INT(a->findings[i].offset, b->findings[i].offset);
    }
    CHECK_INT(a->uncompressed, b->uncompressed);
    CHECK_INT(a->n_entries, b->n_entries);
    CHECK_STR(buf_view(&a->skill_md), buf_view(&b->skill_md));
    for (size_t i = 0; i < a->n_entries && a->n_findings == 0; i++) {
        CHECK(digest_eq(&a->entries[i].sha256, &b->entries[i].sha256));
        CHECK_INT(a->entries[i].mode, b->entries[i].mode);
        CHECK_INT(a->entries[i].usize, b->entries[i].usize);
    }
}

/* Many times, since threads meet differently each time. */
static void check_agree(str bytes, const struct zip_limits *limits, const char *ids)
{
    struct zip_report alone, together;
    audit(bytes, NULL, limits, &alone);
    CHECK_STR(zt_ids(&alone), str_c(ids));
    for (unsigned i = 0; i < 6; i++) {
        audit(bytes, pool, limits, &together);
        check_same(&alone, &together);
        zip_report_deinit(&together);
    }
    zip_report_deinit(&alone);
}

static void end(void)
{
    pool_free(pool);
    buf_deinit(&archive);
    buf_deinit(&directory);
}

TEST(good_files_give_the_same_report)
{
    start(4, 10);
    begin();
    for (unsigned i = 0; i < N_FILES; i++)
        add_deflated(i, 0);
    check_agree(finish(N_FILES), NULL, "");
    end();
}

TEST(bad_files_are_told_in_the_order_of_the_file)
{
    start(3, 10);
    begin();
    for (unsigned i = 0; i < N_FILES; i++)
        add_deflated(i, i % 5 == 3);
    check_agree(finish(N_FILES), NULL, "inflate");
    end();
}

/* Blocks are counted together, and the budget is found used up whoever came first. */
TEST(the_budget_is_one_for_all)
{
    struct zip_limits l = zip_limits_default;
    static const uint8_t empty[] = {0x03, 0x00};
    start(3, 10);
    begin();
    add_deflated(0, 0);
    add_deflated(1, 0);
    for (unsigned i = 2; i < 2000; i++)
        add(i, str_of(empty, 2), METHOD_DEFLATE, 0, 0);
    for (unsigned i = 2000; i < 2040; i++)
        add_deflated(i, 0);
    str bytes = finish(2040);
    l.max_blocks = 1500;
    check_agree(bytes, &l, "cpu");
    l.max_blocks = 3000;
    check_agree(bytes, &l, "");
    end();
}

/* What the files say passes the limit: then one thread goes up to it. */
TEST(the_total_is_counted_in_order)
{
    struct zip_limits l = zip_limits_default;
    start(3, 10);
    begin();
    for (unsigned i = 0; i < N_FILES; i++)
        add_deflated(i, 0);
    l.max_uncompressed = MIB(1);
    check_agree(finish(N_FILES), &l, "total");
    end();
}

struct stopper {
    struct job job;
    pthread_mutex_t lock;
};

static void stop_here(struct job *job)
{
    struct stopper *s = CONTAINER_OF(job, struct stopper, job);
    pthread_mutex_lock(&s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* Workers that are busy elsewhere are not waited for; when they come, it is over. */
TEST(helpers_may_come_too_late_or_find_no_room)
{
    struct stopper s = {.job.run = stop_here, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct zip_report r;
    start(1, 2);
    begin();
    for (unsigned i = 0; i < N_FILES; i++)
        add_deflated(i, 0);
    str bytes = finish(N_FILES);
    pthread_mutex_lock(&s.lock);
    CHECK_OK(pool_submit(pool, &s.job, &e), &e);
    audit(bytes, pool, NULL, &r);
    CHECK_STR(zt_ids(&r), STR(""));
    zip_report_deinit(&r);
    pthread_mutex_unlock(&s.lock);
    end();
}
