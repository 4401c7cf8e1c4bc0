#include "digest/sha256.h"

#include "base/macro.h"
#include "base/sys.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* FIPS 180-4, the examples published with it. */
static const struct {
    str text, hex;
} vectors[] = {
    {STR(""), STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")},
    {STR("abc"), STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")},
    {STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
     STR("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")},
};
#define MILLION_A STR("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")

static void check_digest(const struct digest *d, str want)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    CHECK_STR(str_c(hex), want);
}

TEST(published_examples)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct error e;
        struct digest d;
        CHECK_OK(sha256_of(vectors[i].text, &d, &e), &e);
        check_digest(&d, vectors[i].hex);
    }
}

TEST(a_million_letters_in_uneven_pieces)
{
    struct error e;
    struct digest d;
    struct sha256 *h = NULL;
    char a[1000];
    memset(a, 'a', sizeof a);
    CHECK_OK(sha256_new(&h, &e), &e);
    size_t left = 1000000;
    for (size_t n = 0; left; left -= n) {
        n = MIN(n % sizeof a + 1, left);
        CHECK_OK(sha256_update(h, a, n, &e), &e);
    }
    CHECK_OK(sha256_update(h, NULL, 0, &e), &e);
    CHECK_OK(sha256_finish(h, &d, &e), &e);
    check_digest(&d, MILLION_A);
    sha256_free(h);
    sha256_free(NULL);
}

TEST(a_finished_stream_refuses_until_it_is_reset)
{
    struct error e;
    struct digest d;
    struct sha256 *h = NULL;
    CHECK_OK(sha256_new(&h, &e), &e);
    CHECK_OK(sha256_update(h, "xyz", 3, &e), &e);
    CHECK_OK(sha256_finish(h, &d, &e), &e);
    CHECK_ERR(sha256_update(h, "x", 1, &e), ERR_INTERNAL, &e);
    CHECK_ERR(sha256_finish(h, &d, &e), ERR_INTERNAL, &e);
    CHECK_OK(sha256_reset(h, &e), &e);
    CHECK_OK(sha256_update(h, "abc", 3, &e), &e);
    CHECK_OK(sha256_finish(h, &d, &e), &e);
    check_digest(&d, vectors[1].hex);
    sha256_free(h);
}

TEST(a_reset_forgets_what_came_before)
{
    struct error e;
    struct digest d;
    struct sha256 *h = NULL;
    CHECK_OK(sha256_new(&h, &e), &e);
    CHECK_OK(sha256_update(h, "xyz", 3, &e), &e);
    CHECK_OK(sha256_reset(h, &e), &e);
    CHECK_OK(sha256_finish(h, &d, &e), &e);
    check_digest(&d, vectors[0].hex);
    sha256_free(h);
}

static int make_file(size_t n)
{
    struct error e;
    int fd = -1;
    char *a = malloc(n + 1);
    CHECK(a);
    memset(a, 'a', n);
    CHECK_OK(sys_open_tmp(test_dirfd(), &fd, &e), &e);
    CHECK_OK(sys_write_full(fd, a, n, &e), &e);
    free(a);
    return fd;
}

TEST(files)
{
    struct error e;
    struct digest d;
    CLEANUP(sys_closep) int fd = make_file(1000000); /* several chunks, the last one partial */
    CHECK_INT(lseek(fd, 17, SEEK_SET), 17);
    CHECK_OK(sha256_of_file(fd, 1000000, &d, &e), &e);
    check_digest(&d, MILLION_A);
    CHECK_INT(lseek(fd, 0, SEEK_CUR), 17); /* the offset did not move */
    CHECK_OK(sha256_of_file(fd, 0, &d, &e), &e);
    check_digest(&d, vectors[0].hex);
}

TEST(only_the_asked_part_of_a_file)
{
    struct error e;
    struct digest d, want;
    CLEANUP(sys_closep) int fd = make_file(100);
    CHECK_OK(sha256_of_file(fd, 3, &d, &e), &e);
    CHECK_OK(sha256_of(STR("aaa"), &want, &e), &e);
    CHECK(digest_eq(&d, &want));
}

TEST(short_and_unreadable_files)
{
    struct error e;
    struct digest d;
    CLEANUP(sys_closep) int fd = make_file(100);
    CHECK_ERR(sha256_of_file(fd, 101, &d, &e), ERR_DATA_LOSS, &e);
    CHECK_ERR(sha256_of_file(-1, 1, &d, &e), ERR_INTERNAL, &e);
}

TEST(equality_is_of_every_byte)
{
    struct digest a = {{0}}, b = {{0}};
    CHECK(digest_eq(&a, &b));
    for (size_t i = 0; i < SHA256_LEN; i++) {
        b = a;
        b.b[i] ^= 1;
        CHECK(!digest_eq(&a, &b));
    }
}

TEST(hex_is_64_lower_case_digits)
{
    struct digest d;
    CHECK(digest_from_hex(vectors[1].hex, &d));
    check_digest(&d, vectors[1].hex);
    CHECK(!digest_from_hex(str_head(vectors[1].hex, 63), &d));
    CHECK(!digest_from_hex(STR_NULL, &d));
    CHECK(!digest_from_hex(STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0"),
                           &d));
    CHECK(!digest_from_hex(STR("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
                           &d));
    CHECK(!digest_from_hex(STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a\0"),
                           &d));
}

static void *hash_often(void *arg)
{
    struct error e;
    struct digest d;
    for (int i = 0; i < 200; i++) {
        CHECK_OK(sha256_of(vectors[1].text, &d, &e), &e);
        check_digest(&d, vectors[1].hex);
    }
    return arg;
}

TEST(threads_hash_side_by_side)
{
    pthread_t t[8];
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, hash_often, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
}
