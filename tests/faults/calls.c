/* The names as they are in libraries: the headers redirect them otherwise. */
#undef _FILE_OFFSET_BITS

#include "calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static struct calls_fault fault;
static _Atomic bool armed;
static _Atomic unsigned n_calls;
static const char *_Atomic struck = "";
static _Atomic long live;
static _Thread_local bool spared;

void calls_arm(const struct calls_fault *f)
{
    fault = *f;
    n_calls = 0;
    struck = "";
    armed = true;
}

bool calls_disarm(void)
{
    armed = false;
    return *struck != '\0';
}

const char *calls_struck(void)
{
    return struck;
}

void calls_spare_me(void)
{
    spared = true;
}

long calls_live(void)
{
    return live;
}

static bool fails(enum calls_kind kind, const char *name)
{
    if (!armed || spared || fault.kind != kind)
        return false;
    unsigned n = atomic_fetch_add(&n_calls, 1) + 1;
    if (n != fault.n && !(fault.forever && n > fault.n))
        return false;
    if (*struck == '\0')
        struck = name;
    return true;
}

/* --- system calls --- */

/* The function that ours hides. */
static void *hidden(void *_Atomic *cache, const char *name)
{
    if (!*cache)
        *cache = dlsym(RTLD_NEXT, name);
    return *cache;
}

#define VISIBLE __attribute__((visibility("default")))

/* name as the libraries call it; failed: what it returns then; cut: what it does with CALLS_SHORT.
 */
#define CALL(type, name, params, args, failed, cut)                                                \
    type name params;                                                                              \
    VISIBLE type name params                                                                       \
    {                                                                                              \
        static void *_Atomic cache;                                                                \
        type(*real) params = (type(*) params)hidden(&cache, #name);                                \
        if (!fails(CALLS_SYS, #name))                                                              \
            return real args;                                                                      \
        if (fault.sys == CALLS_SHORT) {                                                            \
            cut;                                                                                   \
            return real args;                                                                      \
        }                                                                                          \
        errno = fault.sys;                                                                         \
        return failed;                                                                             \
    }

#define WHOLE     (void)0
#define HALF(len) (len) = ((len) + 1) / 2

CALL(int, fsync, (int fd), (fd), -1, WHOLE)
CALL(int, fdatasync, (int fd), (fd), -1, WHOLE)
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, WHOLE)
CALL(int, flock, (int fd, int op), (fd, op), -1, WHOLE)
CALL(int, linkat, (int a, const char *p, int b, const char *q, int flags), (a, p, b, q, flags), -1,
     WHOLE)
CALL(int, renameat2, (int a, const char *p, int b, const char *q, unsigned flags),
     (a, p, b, q, flags), -1, WHOLE)
CALL(int, unlinkat, (int fd, const char *p, int flags), (fd, p, flags), -1, WHOLE)
CALL(int, mkdirat, (int fd, const char *p, mode_t mode), (fd, p, mode), -1, WHOLE)
CALL(int, fallocate64, (int fd, int mode, off64_t off, off64_t len), (fd, mode, off, len), -1,
     WHOLE)
CALL(int, fstat64, (int fd, struct stat64 *st), (fd, st), -1, WHOLE)
CALL(int, fstatat64, (int fd, const char *p, struct stat64 *st, int flags), (fd, p, st, flags), -1,
     WHOLE)
CALL(int, fstatvfs64, (int fd, struct statvfs64 *v), (fd, v), -1, WHOLE)
CALL(int, ftruncate, (int fd, off64_t len), (fd, len), -1, WHOLE)
CALL(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, WHOLE)
CALL(void *, mmap, (void *p, size_t len, int prot, int flags, int fd, off64_t off),
     (p, len, prot, flags, fd, off), MAP_FAILED, WHOLE)
CALL(ssize_t, pread, (int fd, void *p, size_t len, off64_t off), (fd, p, len, off), -1, HALF(len))
CALL(ssize_t, pread64, (int fd, void *p, size_t len, off64_t off), (fd, p, len, off), -1, HALF(len))
CALL(ssize_t, pwrite, (int fd, const void *p, size_t len, off64_t off), (fd, p, len, off), -1,
     HALF(len))
CALL(ssize_t, pwrite64, (int fd, const void *p, size_t len, off64_t off), (fd, p, len, off), -1,
     HALF(len))
CALL(ssize_t, write, (int fd, const void *p, size_t len), (fd, p, len), -1, HALF(len))
CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), -1, n = (n + 1) / 2)

/* A mode is given only where a file may be made. */
#define MODE_OF(flags)                                                                             \
    ({                                                                                             \
        mode_t mode_ = 0;                                                                          \
        if ((flags)&0100 || ((flags)&020200000) == 020200000) {                                    \
            va_list ap_;                                                                           \
            va_start(ap_, flags);                                                                  \
            mode_ = va_arg(ap_, mode_t);                                                           \
            va_end(ap_);                                                                           \
        }                                                                                          \
        mode_;                                                                                     \
    })

int openat64(int dirfd, const char *p, int flags, ...);
VISIBLE int openat64(int dirfd, const char *p, int flags, ...)
{
    static void *_Atomic cache;
    int (*real)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))hidden(&cache, "openat64");
    mode_t mode = MODE_OF(flags);
    if (!fails(CALLS_SYS, "openat") || fault.sys == CALLS_SHORT)
        return real(dirfd, p, flags, mode);
    errno = fault.sys;
    return -1;
}

int open(const char *p, int flags, ...);
VISIBLE int open(const char *p, int flags, ...)
{
    static void *_Atomic cache;
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))hidden(&cache, "open");
    mode_t mode = MODE_OF(flags);
    if (!fails(CALLS_SYS, "open") || fault.sys == CALLS_SHORT)
        return real(p, flags, mode);
    errno = fault.sys;
    return -1;
}

/* --- memory --- */

#ifdef CALLS_OWN_MALLOC
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);
#define MALLOC(name)      name
#define REAL_MALLOC(name) __libc_##name
#define COUNT(n)          (live += (n))
#else
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
#define MALLOC(name)      __wrap_##name
#define REAL_MALLOC(name) __real_##name
#define COUNT(n)          (void)0
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
#endif

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

VISIBLE void *MALLOC(malloc)(size_t n)
{
    void *p = fails(CALLS_ALLOC, "malloc") ? no_memory() : REAL_MALLOC(malloc)(n);
    COUNT(p != NULL);
    return p;
}

VISIBLE void *MALLOC(calloc)(size_t n, size_t size)
{
    void *p = fails(CALLS_ALLOC, "calloc") ? no_memory() : REAL_MALLOC(calloc)(n, size);
    COUNT(p != NULL);
    return p;
}

VISIBLE void *MALLOC(realloc)(void *old, size_t n)
{
    void *p = fails(CALLS_ALLOC, "realloc") ? no_memory() : REAL_MALLOC(realloc)(old, n);
    COUNT(p && !old);
    return p;
}

#ifdef CALLS_OWN_MALLOC
VISIBLE void free(void *p)
{
    COUNT(-(p != NULL));
    __libc_free(p);
}

VISIBLE int posix_memalign(void **ret, size_t align, size_t n)
{
    void *p = fails(CALLS_ALLOC, "posix_memalign") ? NULL : __libc_memalign(align, n);
    COUNT(p != NULL);
    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}
#endif
