/* The two programs in force on a child: what it tries tells how it went by its exit status. */
#include "sandbox/filter.h"

#include "base/sys.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_MAX 4096 /* instructions, the kernel's bound */

static bool install(int fd)
{
    static struct sock_filter instructions[PROGRAM_MAX];
    ssize_t n = pread(fd, instructions, sizeof instructions, 0);
    struct sock_fprog program = {
        .len = (unsigned short)((size_t)n / sizeof *instructions),
        .filter = instructions,
    };
    return n > 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

struct call {
    long number, arguments[6];
    int want; /* errno; 0: it must not be one of the filter's */
};

static int outcome(const struct call *c)
{
    const long *a = c->arguments;
    errno = 0;
    (void)syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (c->want)
        return errno == c->want ? 0 : 1;
    return errno == ENOSYS || errno == EPERM ? 1 : 0;
}

/* 0: as wanted; 1: not so; 2: the programs could not be installed. */
static int in_child(const struct sandbox_filter *f, const struct call *c)
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        bool ready =
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && install(f->refuse) && install(f->allow);
        _exit(ready ? outcome(c) : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

static void check_calls(const struct call *calls, size_t n)
{
    struct error e;
    struct sandbox_filter f;
    CHECK_OK(sandbox_filter(&f, &e), &e);
    for (size_t i = 0; i < n; i++)
        if (in_child(&f, &calls[i]) != 0)
            test_fail(__FILE__, __LINE__, "call %zu, number %ld, is not answered with %d", i,
                      calls[i].number, calls[i].want);
    sandbox_filter_deinit(&f);
    CHECK_INT(f.allow, -1);
    CHECK_INT(f.refuse, -1);
}

TEST(what_is_not_on_the_list_does_not_exist)
{
    static const struct call calls[] = {
        {SYS_unshare, {CLONE_NEWUSER}, ENOSYS},
        {SYS_setns, {-1}, ENOSYS},
        {SYS_mount, {0}, ENOSYS},
        {SYS_umount2, {0}, ENOSYS},
        {SYS_pivot_root, {0}, ENOSYS},
        {SYS_chroot, {0}, ENOSYS},
        {SYS_ptrace, {0}, ENOSYS},
        {SYS_process_vm_readv, {0}, ENOSYS},
        {SYS_bpf, {0}, ENOSYS},
        {SYS_perf_event_open, {0}, ENOSYS},
        {SYS_keyctl, {0}, ENOSYS},
        {SYS_add_key, {0}, ENOSYS},
        {SYS_io_uring_setup, {0}, ENOSYS},
        {SYS_userfaultfd, {0}, ENOSYS},
        {SYS_clone3, {0}, ENOSYS},
        {SYS_memfd_create, {0}, ENOSYS},
        {SYS_shmget, {0}, ENOSYS},
        {SYS_kexec_load, {0}, ENOSYS},
        {SYS_init_module, {0}, ENOSYS},
        {SYS_open_by_handle_at, {0}, ENOSYS},
        {SYS_clock_settime, {0}, ENOSYS},
        {SYS_reboot, {0}, ENOSYS},
        {SYS_swapon, {0}, ENOSYS},
        {9999, {0}, ENOSYS}, /* not yet a call */
    };
    check_calls(calls, ARRAY_SIZE(calls));
}

TEST(arguments_are_looked_at)
{
    static const struct call calls[] = {
        {SYS_clone, {CLONE_NEWUSER}, ENOSYS},
        {SYS_clone, {CLONE_NEWNS | SIGCHLD}, ENOSYS},
        {SYS_socket, {AF_PACKET, SOCK_RAW}, ENOSYS},
        {SYS_socket, {AF_VSOCK, SOCK_STREAM}, ENOSYS},
        {SYS_socket, {AF_ALG, SOCK_SEQPACKET}, ENOSYS},
        {SYS_socket, {AF_NETLINK, SOCK_RAW, 9 /* audit */}, ENOSYS},
        {SYS_socketpair, {AF_INET, SOCK_STREAM}, ENOSYS},
        {SYS_personality, {0x0400000 /* READ_IMPLIES_EXEC */}, ENOSYS},
        {SYS_ioctl, {0, TIOCSTI}, EPERM},
        {SYS_ioctl, {0, TIOCSTI | (1L << 32)}, EPERM}, /* the kernel takes the lower half */
        {SYS_ioctl, {0, TIOCLINUX}, EPERM},
        {SYS_fcntl, {0, F_SETLEASE, F_WRLCK}, EPERM},
    };
    check_calls(calls, ARRAY_SIZE(calls));
}

TEST(no_file_gets_a_set_id_bit)
{
    static const struct call calls[] = {
        {SYS_chmod, {0, S_ISUID | 0755}, EPERM},
        {SYS_chmod, {0, S_ISGID | 0755}, EPERM},
        {SYS_fchmod, {-1, S_ISUID}, EPERM},
        {SYS_fchmod, {-1, S_ISGID}, EPERM},
        {SYS_fchmodat, {-1, 0, S_ISUID}, EPERM},
        {SYS_fchmodat, {-1, 0, S_ISGID}, EPERM},
        {SYS_creat, {0, S_ISUID}, EPERM},
        {SYS_open, {0, O_CREAT | O_WRONLY, S_ISUID}, EPERM},
        {SYS_open, {0, O_TMPFILE | O_WRONLY, S_ISGID}, EPERM},
        {SYS_openat, {-1, 0, O_CREAT, S_ISGID}, EPERM},
        {SYS_openat, {-1, 0, O_TMPFILE | O_WRONLY, S_ISUID}, EPERM},
        {SYS_mknod, {0, S_IFREG | S_ISUID}, EPERM},
        {SYS_mknodat, {-1, 0, S_IFREG | S_ISGID}, EPERM},
        {SYS_openat2, {0}, ENOSYS}, /* its mode lies where no filter sees it */
        {452 /* fchmodat2 */, {0}, ENOSYS},
    };
    check_calls(calls, ARRAY_SIZE(calls));
}

TEST(what_programs_need_goes_through)
{
    static const struct call calls[] = {
        {SYS_getpid, {0}, 0},
        {SYS_chmod, {0, 0755}, 0},
        {SYS_fchmod, {-1, 0644}, 0},
        {SYS_openat, {-1, 0, O_CREAT, 0644}, 0},
        {SYS_open,
         {0, O_DIRECTORY, S_ISUID},
         0}, /* a mode without a file to be made means nothing */
        {SYS_ioctl, {-1, TIOCGWINSZ}, 0},
        {SYS_fcntl, {-1, F_GETFD}, 0},
        {SYS_socket, {AF_UNIX, SOCK_STREAM}, 0},
        {SYS_socket, {AF_INET, SOCK_STREAM}, 0},
        {SYS_socket, {AF_INET6, SOCK_DGRAM}, 0},
        {SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, 0},
        {SYS_personality, {0xffffffff}, 0},
        {SYS_execve, {0}, 0},
        {SYS_futex, {0}, 0},
        {SYS_mmap, {0}, 0},
    };
    check_calls(calls, ARRAY_SIZE(calls));
}
