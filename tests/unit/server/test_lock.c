/* Two servers must not share a directory. */
#include "base/sys.h"
#include "server/lock.h"
#include "test.h"

#include <fcntl.h>

TEST(a_directory_is_made_private_and_held)
{
    struct error e;
    int a = -1, b = -1;
    char dir[256];
    (void)snprintf(dir, sizeof(dir), "%s/x/y", test_dir());
    CHECK_OK(lock_dir("DB_PATH", dir, "lock", &a, &e), &e);
    struct stat st;
    CHECK_OK(sys_fstatat(test_dirfd(), "x/y", 0, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_OK(sys_fstatat(test_dirfd(), "x/y/lock", 0, &st, &e), &e);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_ERR(lock_dir("DB_PATH", dir, "lock", &b, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("another stigmer-server is using DB_PATH="));
    CHECK_INT(b, -1);
    CHECK_OK(lock_dir("DB_PATH", dir, "other", &b, &e), &e);
    sys_closep(&b);
    sys_closep(&a);
    CHECK_OK(lock_dir("DB_PATH", dir, "lock", &b, &e), &e);
    sys_closep(&b);
}

TEST(a_file_is_no_directory)
{
    struct error e;
    int fd = -1, lock = -1;
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/stigmer.db", test_dir());
    CHECK_OK(sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY, 0600, &fd, &e), &e);
    sys_closep(&fd);
    CHECK_ERR(lock_dir("DB_PATH", path, "lock", &lock, &e), ERR_FAILED_PRECONDITION, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("must be a directory"));
}

TEST(a_place_that_cannot_be_made_is_named)
{
    struct error e;
    int lock = -1;
    CHECK(lock_dir("DB_PATH", "/proc/no/such", "lock", &lock, &e) != ERR_OK);
    CHECK_CONTAINS(str_c(e.msg), STR("DB_PATH=/proc/no/such cannot be used"));
    CHECK_INT(lock, -1);
}
