#include "store/seen.h"

#include "base/macro.h"
#include "base/sys.h"
#include "test.h"

#include <pthread.h>
#include <unistd.h>

static struct seen *new_seen(void)
{
    struct error e;
    struct seen *t = NULL;
    CHECK_OK(seen_new(&t, &e), &e);
    return t;
}

static struct digest digest_of(unsigned n)
{
    return (struct digest){.b = {0, 0, (uint8_t)n, (uint8_t)(n >> 8)}}; /* all in one bucket */
}

static struct blob_version version_of(uint64_t n)
{
    return (struct blob_version){.len = 5, .id = {1, 2, 3, n}, .settled = true};
}

TEST(remembers_a_version_of_an_artifact)
{
    struct seen *t = new_seen();
    struct digest a = digest_of(1), b = digest_of(2);
    struct blob_version v = version_of(1);
    CHECK_INT(seen_level(t, &a, &v), SEEN_NOTHING);
    seen_add(t, &a, &v, SEEN_VERIFIED);
    CHECK_INT(seen_level(t, &a, &v), SEEN_VERIFIED);
    CHECK_INT(seen_level(t, &b, &v), SEEN_NOTHING);
    seen_free(t);
    seen_free(NULL);
}

TEST(any_difference_is_another_version)
{
    struct seen *t = new_seen();
    struct digest d = digest_of(1);
    struct blob_version v = version_of(1), other;
    seen_add(t, &d, &v, SEEN_VERIFIED);
    other = v;
    other.len++;
    CHECK_INT(seen_level(t, &d, &other), SEEN_NOTHING);
    for (size_t i = 0; i < ARRAY_SIZE(v.id); i++) {
        other = v;
        other.id[i]++;
        CHECK_INT(seen_level(t, &d, &other), SEEN_NOTHING);
    }
    other = v;
    other.settled = false; /* says nothing about the bytes */
    CHECK_INT(seen_level(t, &d, &other), SEEN_VERIFIED);
    seen_free(t);
}

TEST(the_level_of_a_version_never_falls)
{
    struct seen *t = new_seen();
    struct digest d = digest_of(1);
    struct blob_version v = version_of(1), w = version_of(2);
    seen_add(t, &d, &v, SEEN_DURABLE);
    seen_add(t, &d, &v, SEEN_VERIFIED);
    CHECK_INT(seen_level(t, &d, &v), SEEN_DURABLE);
    seen_add(t, &d, &w, SEEN_VERIFIED); /* another version starts afresh */
    CHECK_INT(seen_level(t, &d, &w), SEEN_VERIFIED);
    CHECK_INT(seen_level(t, &d, &v), SEEN_NOTHING);
    seen_free(t);
}

TEST(an_unsettled_version_is_not_remembered)
{
    struct seen *t = new_seen();
    struct digest d = digest_of(1);
    struct blob_version v = version_of(1);
    v.settled = false;
    seen_add(t, &d, &v, SEEN_DURABLE);
    CHECK_INT(seen_level(t, &d, &v), SEEN_NOTHING);
    seen_free(t);
}

TEST(a_full_bucket_forgets_its_oldest)
{
    struct seen *t = new_seen();
    struct blob_version v = version_of(1);
    for (unsigned i = 0; i < 10; i++) {
        struct digest d = digest_of(i);
        seen_add(t, &d, &v, SEEN_VERIFIED);
    }
    for (unsigned i = 0; i < 10; i++) {
        struct digest d = digest_of(i);
        CHECK_INT(seen_level(t, &d, &v), i < 6 ? SEEN_NOTHING : SEEN_VERIFIED);
    }
    seen_free(t);
}

TEST(a_fresh_change_is_unsettled_until_the_clock_has_ticked)
{
    struct error e;
    struct blob_version before, after;
    CLEANUP(sys_closep) int fd = -1;
    CHECK_OK(sys_open_tmp(test_dirfd(), &fd, &e), &e);
    CHECK_OK(blob_version_of_fd(fd, &before, &e), &e);
    for (int i = 0; i < 100 && before.settled; i++) { /* a slow machine may need a second try */
        CHECK_OK(sys_pwrite_full(fd, "a", 1, 0, &e), &e);
        CHECK_OK(blob_version_of_fd(fd, &before, &e), &e);
    }
    CHECK(!before.settled);
    usleep(60000);
    CHECK_OK(blob_version_of_fd(fd, &before, &e), &e);
    CHECK(before.settled);
    CHECK_OK(sys_pwrite_full(fd, "b", 1, 0, &e), &e); /* the same length, at once */
    CHECK_OK(blob_version_of_fd(fd, &after, &e), &e);
    CHECK(!blob_version_eq(&before, &after));
    CHECK_ERR(blob_version_of_fd(-1, &after, &e), ERR_INTERNAL, &e);
}

static void *use(void *arg)
{
    for (unsigned i = 0; i < 3000; i++) {
        struct digest d = digest_of(i % 8);
        struct blob_version v = version_of(i % 3);
        seen_add(arg, &d, &v, SEEN_VERIFIED);
        CHECK(seen_level(arg, &d, &v) != SEEN_DURABLE);
    }
    return NULL;
}

TEST(threads_share_it)
{
    struct seen *t = new_seen();
    pthread_t th[4];
    for (size_t i = 0; i < ARRAY_SIZE(th); i++)
        CHECK_INT(pthread_create(&th[i], NULL, use, t), 0);
    for (size_t i = 0; i < ARRAY_SIZE(th); i++)
        pthread_join(th[i], NULL);
    seen_free(t);
}
