/*
 * Prints the two programs of filter.h as C, while the product is built: what they hold does not
 * depend on the machine that runs them, and to make them takes libseccomp 3 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define NEW_NAMESPACES                                                                             \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

/* Names that this libseccomp or processor does not know are left out, and so not allowed.
 * After the profiles of Docker and of systemd's @system-service; without memfd_create and System V
 * shared memory, whose pages no limit but a cgroup's counts. */
static const char *const allowed[] = {
    /* files */
    "access",
    "chdir",
    "chmod",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "eventfd",
    "eventfd2",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "lchown",
    "chown",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "newfstatat",
    "open",
    "openat",
    "pipe",
    "pipe2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "setxattr",
    "splice",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "tee",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "vmsplice",
    "write",
    "writev",
    /* waiting */
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "poll",
    "ppoll",
    "pselect6",
    "select",
    "io_getevents",
    "io_setup",
    "io_submit",
    "io_cancel",
    "io_destroy",
    /* memory */
    "brk",
    "madvise",
    "membarrier",
    "mincore",
    "mlock",
    "mlock2",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    /* processes and threads */
    "arch_prctl",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fork",
    "futex",
    "futex_waitv",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "ioprio_get",
    "ioprio_set",
    "kill",
    "pidfd_open",
    "pidfd_send_signal",
    "prctl",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "seccomp",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setgroups",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setrlimit",
    "setsid",
    "setuid",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "tgkill",
    "time",
    "times",
    "tkill",
    "uname",
    "sysinfo",
    "vfork",
    "wait4",
    "waitid",
    "waitpid",
    "getrandom",
    "capget",
    "capset",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    /* time */
    "alarm",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "gettimeofday",
    "nanosleep",
    "pause",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_settime",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    /* sockets and semaphores */
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedsend",
    "mq_unlink",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
};

/* A call under a condition on its arguments: all of `when` hold. */
struct condition {
    const char *name;
    unsigned n;
    struct scmp_arg_cmp when[2];
};

#define ARG(number, op, ...)                                                                       \
    {                                                                                              \
        (number), SCMP_CMP_##op, __VA_ARGS__                                                       \
    }
#define ALL_OF(number, bits)  ARG(number, MASKED_EQ, (bits), (bits))
#define NONE_OF(number, bits) ARG(number, MASKED_EQ, (bits), 0)
#define UNNAMED               (O_TMPFILE & ~O_DIRECTORY)
/* Requests are 32 bits wide to the kernel: the upper half must not hide one. */
#define REQUEST(number, value) ARG(number, MASKED_EQ, 0xffffffff, (value))

static const struct condition allowed_if[] = {
    {"clone", 1, {NONE_OF(0, NEW_NAMESPACES)}},
    {"socket", 1, {ARG(0, EQ, AF_UNIX)}},
    {"socket", 1, {ARG(0, EQ, AF_INET)}},
    {"socket", 1, {ARG(0, EQ, AF_INET6)}},
    {"socket", 2, {ARG(0, EQ, AF_NETLINK), ARG(2, EQ, NETLINK_ROUTE)}},
    {"socketpair", 1, {ARG(0, EQ, AF_UNIX)}},
    {"personality", 1, {ARG(0, EQ, 0)}},
    {"personality", 1, {REQUEST(0, 0xffffffff)}}, /* only asks */
};

/* Refused with EPERM by a program of their own: in one, what is allowed would win. */
static const struct condition refused_if[] = {
    {"ioctl", 1, {REQUEST(1, TIOCSTI)}},
    {"ioctl", 1, {REQUEST(1, TIOCLINUX)}},
    {"fcntl", 1, {REQUEST(1, F_SETLEASE)}}, /* would hold up who opens a program of the host */
    {"chmod", 1, {ALL_OF(1, S_ISUID)}},
    {"chmod", 1, {ALL_OF(1, S_ISGID)}},
    {"fchmod", 1, {ALL_OF(1, S_ISUID)}},
    {"fchmod", 1, {ALL_OF(1, S_ISGID)}},
    {"fchmodat", 1, {ALL_OF(2, S_ISUID)}},
    {"fchmodat", 1, {ALL_OF(2, S_ISGID)}},
    {"creat", 1, {ALL_OF(1, S_ISUID)}},
    {"creat", 1, {ALL_OF(1, S_ISGID)}},
    {"open", 2, {ALL_OF(1, O_CREAT), ALL_OF(2, S_ISUID)}},
    {"open", 2, {ALL_OF(1, O_CREAT), ALL_OF(2, S_ISGID)}},
    {"open", 2, {ALL_OF(1, UNNAMED), ALL_OF(2, S_ISUID)}},
    {"open", 2, {ALL_OF(1, UNNAMED), ALL_OF(2, S_ISGID)}},
    {"openat", 2, {ALL_OF(2, O_CREAT), ALL_OF(3, S_ISUID)}},
    {"openat", 2, {ALL_OF(2, O_CREAT), ALL_OF(3, S_ISGID)}},
    {"openat", 2, {ALL_OF(2, UNNAMED), ALL_OF(3, S_ISUID)}},
    {"openat", 2, {ALL_OF(2, UNNAMED), ALL_OF(3, S_ISGID)}},
    {"mknod", 1, {ALL_OF(1, S_ISUID)}},
    {"mknod", 1, {ALL_OF(1, S_ISGID)}},
    {"mknodat", 1, {ALL_OF(2, S_ISUID)}},
    {"mknodat", 1, {ALL_OF(2, S_ISGID)}},
};

#define N(array) (sizeof(array) / sizeof *(array))

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "%s: error %d\n", what, -result);
    exit(1);
}

static void add(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n,
                const struct scmp_arg_cmp *when)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number >= 0)
        must(seccomp_rule_add_array(f, action, number, n, when), name);
}

static void add_conditions(scmp_filter_ctx f, uint32_t action, const struct condition *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(f, action, c[i].name, c[i].n, c[i].when);
}

static void print(scmp_filter_ctx f, const char *name)
{
    int byte;
    FILE *program = tmpfile();
    if (!program) {
        perror("tmpfile");
        exit(1);
    }
    must(seccomp_export_bpf(f, fileno(program)), "export");
    rewind(program);
    printf("static const uint8_t %s[] = {", name);
    while ((byte = getc(program)) != EOF)
        printf("%d,", byte);
    printf("};\n");
    (void)fclose(program);
}

static scmp_filter_ctx begin(uint32_t otherwise)
{
    scmp_filter_ctx f = seccomp_init(otherwise);
    if (!f)
        must(-ENOMEM, "seccomp_init");
    return f;
}

int main(void)
{
    scmp_filter_ctx f = begin(SCMP_ACT_ERRNO(ENOSYS));
    for (size_t i = 0; i < N(allowed); i++)
        add(f, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
    add_conditions(f, SCMP_ACT_ALLOW, allowed_if, N(allowed_if));
    print(f, "program_allow");
    seccomp_release(f);
    f = begin(SCMP_ACT_ALLOW);
    add_conditions(f, SCMP_ACT_ERRNO(EPERM), refused_if, N(refused_if));
    print(f, "program_refuse");
    seccomp_release(f);
    return 0;
}
