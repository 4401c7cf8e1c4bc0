/* Loop devices, mounts, and the recorder as a process. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_TRIES = 100, STOP_MS = 30000, READY_MS = 20000, ARGS_MAX = 12, SWITCHES_MAX = 900 };

/* Sizes: the least that the mkfs of Debian 12 takes, or 64 MiB. */
static const struct fs {
    const char *name, *mkfs;
    size_t mib;
    const char *switches[4];
} all_fs[] = {
    {"ext4", "mkfs.ext4", 64, {"-q", "-E", "nodiscard,lazy_itable_init=0"}},
    {"xfs", "mkfs.xfs", 300, {"-q", "-K"}},
    {"btrfs", "mkfs.btrfs", 120, {"-q", "-K"}},
};

static pid_t recorder;
static char mounted[LAB_PATH_MAX];

static const struct fs *fs_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_fs); i++)
        if (str_eq(str_c(name), str_c(all_fs[i].name)))
            return &all_fs[i];
    lab_die("do not know the file system %s: ext4, xfs or btrfs", name);
}

/* --- programs --- */

/* It ends with us at the latest; what it says is no TAP. */
static pid_t spawn(const char *const *args)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        lab_die("fork: errno %d", errno);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(2, 1);
        (void)execvp(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            lab_die("waitpid: errno %d", errno);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_installed(const char *program)
{
    static const char *const dirs[] = {"/usr/bin", "/usr/sbin", "/bin", "/sbin"};
    char path[LAB_PATH_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        lab_path(path, dirs[i], program);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* --- mounts --- */

static void leave_disks(void)
{
    if (mounted[0])
        (void)umount2(mounted, MNT_DETACH);
    if (recorder)
        (void)kill(recorder, SIGKILL);
}

void disk_make(const char *image, const char *fs)
{
    const struct fs *f = fs_of(fs);
    const char *args[ARGS_MAX] = {f->mkfs};
    size_t n = 1;
    for (size_t i = 0; f->switches[i]; i++)
        args[n++] = f->switches[i];
    args[n] = image;
    int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)MIB(f->mib)) != 0)
        lab_die("%s: errno %d", image, errno);
    (void)close(fd);
    int status = wait_for(spawn(args));
    if (status != 0)
        lab_die("%s ended with %d", f->mkfs, status);
}

/* Somebody else may take the free one that was named: then the next. -1: there is none. */
static int loop_attach(int image, char device[32])
{
    struct loop_config c = {.fd = (uint32_t)image, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    for (int i = 0; control >= 0 && i < LOOP_TRIES; i++) {
        (void)snprintf(device, 32, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
        int fd = open(device, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &c) == 0) {
            (void)close(control);
            return fd;
        }
        if (fd >= 0)
            (void)close(fd);
    }
    if (control >= 0)
        (void)close(control);
    return -1;
}

/* errno tells why not. */
static bool mount_image(const char *image, const char *dir, const char *fs)
{
    char device[32];
    int fd = open(image, O_RDWR | O_CLOEXEC);
    int loop = fd < 0 ? -1 : loop_attach(fd, device);
    if (fd >= 0)
        (void)close(fd);
    if (loop < 0)
        return false;
    bool ok = mount(device, dir, fs, 0, NULL) == 0;
    int why = errno;
    (void)close(loop); /* the mount keeps it */
    errno = why;
    if (ok)
        (void)snprintf(mounted, sizeof mounted, "%s", dir);
    return ok;
}

void disk_mount(const char *image, const char *dir, const char *fs)
{
    if (!mount_image(image, dir, fs))
        lab_die("%s cannot be mounted: errno %d", fs, errno);
}

void disk_unmount(const char *dir)
{
    if (umount2(dir, 0) != 0)
        lab_die("%s cannot be unmounted: errno %d", dir, errno);
    mounted[0] = '\0';
}

/* Containers may show the devices and not permit their use. */
static const char *try_mount(const char *fs)
{
    char image[LAB_PATH_MAX], dir[LAB_PATH_MAX];
    lab_path(image, lab_scratch(true), "trial.img");
    lab_path(dir, lab_scratch(true), "trial");
    disk_make(image, fs);
    if (mkdir(dir, 0700) != 0)
        lab_die("%s: errno %d", dir, errno);
    bool ok = mount_image(image, dir, fs);
    if (ok)
        disk_unmount(dir);
    (void)rmdir(dir);
    (void)unlink(image);
    return ok ? NULL : "a file system on a loop device cannot be mounted here";
}

const char *disk_enter(const char *fs)
{
    if (geteuid() != 0)
        return "loop devices and mounts need root";
    if (!is_installed("qemu-storage-daemon"))
        return "qemu-storage-daemon is not installed";
    if (!is_installed(fs_of(fs)->mkfs))
        return "the file system's mkfs is not installed";
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return "no /dev/fuse here";
    if (access("/dev/loop-control", R_OK | W_OK) != 0)
        return "no loop devices here";
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return "a mount namespace is not permitted here";
    (void)lab_scratch(true); /* its tidying must come after ours */
    (void)atexit(leave_disks);
    return try_mount(fs);
}

static void copy_data(int from, int to, off_t size)
{
    static char bytes[MIB(1)];
    off_t end;
    for (off_t at = lseek(from, 0, SEEK_DATA); at >= 0 && at < size;
         at = lseek(from, end, SEEK_DATA)) {
        end = lseek(from, at, SEEK_HOLE);
        while (at < end) {
            ssize_t n = pread(from, bytes, MIN(sizeof bytes, (size_t)(end - at)), at);
            if (n <= 0 || pwrite(to, bytes, (size_t)n, at) != n)
                lab_die("a copy failed: errno %d", errno);
            at += n;
        }
    }
}

void disk_copy(const char *from, const char *to)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0 || fstat(in, &st) != 0 || ftruncate(out, st.st_size) != 0)
        lab_die("%s cannot be copied: errno %d", from, errno);
    copy_data(in, out, st.st_size);
    (void)close(in);
    (void)close(out);
}

/* --- the recorder --- */

static void wait_for_export(const char *export)
{
    struct stat st;
    for (int ms = 0; ms < READY_MS; ms++) {
        if (stat(export, &st) == 0 && st.st_size > 0)
            return;
        if (waitpid(recorder, NULL, WNOHANG) == recorder)
            break;
        (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
    lab_die("qemu-storage-daemon does not export %s", export);
}

static void make_empty(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        lab_die("%s: errno %d", path, errno);
    (void)close(fd);
}

void recorder_start(const char *image, const char *export, const char *log)
{
    static const char file[] = "driver=file,node-name=%s,filename=%s";
    char disk[SWITCHES_MAX], to[SWITCHES_MAX], fuse[SWITCHES_MAX];
    make_empty(log);
    make_empty(export);
    (void)snprintf(disk, sizeof disk, file, "disk", image);
    (void)snprintf(to, sizeof to, file, "log", log);
    (void)snprintf(fuse, sizeof fuse,
                   "type=fuse,id=export,node-name=recorded,mountpoint=%s,writable=on", export);
    const char *const args[] = {"qemu-storage-daemon",
                                "--blockdev",
                                disk,
                                "--blockdev",
                                to,
                                "--blockdev",
                                "driver=blklogwrites,node-name=recorded,file=disk,log=log",
                                "--export",
                                fuse,
                                NULL};
    recorder = spawn(args);
    wait_for_export(export);
}

/* A signal that comes between its look at the flag and its poll is noted and does not wake it: it
 * is told until it goes. */
void recorder_stop(void)
{
    int status = 0;
    pid_t ended = 0;
    for (int ms = 0; ended == 0 && ms < STOP_MS; ms++) {
        if (ms % 100 == 0)
            (void)kill(recorder, SIGTERM);
        (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
        ended = waitpid(recorder, &status, WNOHANG);
    }
    if (ended != recorder)
        lab_die("qemu-storage-daemon does not end");
    recorder = 0;
    if (status != 0)
        lab_die("qemu-storage-daemon ended with %d", status);
}

/* --- the log: a superblock, then entries of a header and as many sectors --- */

enum { SECTOR = 512, FLUSH = 1, FUA = 2, DISCARD = 4, KNOWN = FLUSH | FUA | DISCARD };

#define MAGIC UINT64_C(0x6a736677736872)

struct header {
    uint64_t sector, n_sectors, flags, data_len;
};

static void add_write(struct writes *ws, const struct write *w)
{
    if (ws->n % 1024 == 0)
        ws->all = realloc(ws->all, (ws->n + 1024) * sizeof *ws->all);
    if (!ws->all)
        lab_die("no memory");
    ws->all[ws->n++] = *w;
}

/* The number of entries in the superblock is updated now and then only: the file's end counts. */
static void parse(struct writes *ws)
{
    struct header h;
    struct write w;
    for (size_t at = SECTOR; at < ws->log_len; at = w.end) {
        if (ws->log_len - at < SECTOR)
            lab_die("the log of writes is cut");
        memcpy(&h, ws->log + at, sizeof h);
        w = (struct write){.data = at + SECTOR,
                           .offset = h.sector * SECTOR,
                           .len = h.n_sectors * SECTOR,
                           .flush = h.flags & FLUSH,
                           .fua = h.flags & FUA,
                           .discard = h.flags & DISCARD};
        w.end = w.data + (w.discard ? 0 : w.len);
        if ((h.flags & ~(uint64_t)KNOWN) || w.end > ws->log_len || (w.flush && w.len))
            lab_die("the log of writes has an unknown entry at %zu", at);
        add_write(ws, &w);
    }
}

void writes_open(struct writes *ws, const char *log)
{
    struct stat st;
    uint64_t magic;
    *ws = (struct writes){0};
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < SECTOR)
        lab_die("%s: errno %d", log, errno);
    ws->log_len = (size_t)st.st_size;
    ws->log = mmap(NULL, ws->log_len, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (ws->log == MAP_FAILED)
        lab_die("%s: errno %d", log, errno);
    memcpy(&magic, ws->log, sizeof magic);
    if (magic != MAGIC)
        lab_die("%s is no log of writes", log);
    parse(ws);
}

void writes_close(struct writes *ws)
{
    (void)munmap((void *)(uintptr_t)ws->log, ws->log_len);
    free(ws->all);
}

void writes_apply(const struct writes *ws, const struct write *w, uint64_t from, uint64_t len,
                  int fd)
{
    bool ok = true;
    off_t at = (off_t)(w->offset + from);
    if (len == 0)
        return;
    if (w->discard)
        ok = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)len) == 0;
    else
        ok = pwrite(fd, ws->log + w->data + from, len, at) == (ssize_t)len;
    if (!ok)
        lab_die("a write cannot be replayed: errno %d", errno);
}
