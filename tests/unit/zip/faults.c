#include "faults.h"

#include "base/sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#include <zlib.h>

static _Atomic enum fault_kind armed;
static _Atomic unsigned countdown;
static _Atomic bool happened;
static _Atomic long live;

void faults_arm(enum fault_kind kind, unsigned n)
{
    armed = kind;
    countdown = n;
    happened = false;
}

bool faults_disarm(void)
{
    armed = FAULT_NONE;
    return happened;
}

long faults_live(void)
{
    return live;
}

static bool fails(enum fault_kind kind)
{
    if (armed != kind || atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    happened = true;
    return true;
}

/* __wrap_NAME takes the calls of NAME, __real_NAME is NAME; the names may be macros (ICU's are).
 * Visible, because shared libraries have calls of these names, too. */
#define PASTE2(a, b) a##b
#define PASTE(a, b)  PASTE2(a, b)
#define WRAP(type, name, params)                                                                   \
    type PASTE(__real_, name) params;                                                              \
    __attribute__((visibility("default"))) type PASTE(__wrap_, name) params;                       \
    type PASTE(__wrap_, name) params
#define REAL(name) PASTE(__real_, name)

/* --- memory --- */

WRAP(void *, malloc, (size_t n))
{
    void *p = fails(FAULT_ALLOC) ? NULL : REAL(malloc)(n);
    live += p != NULL;
    return p;
}

WRAP(void *, calloc, (size_t n, size_t size))
{
    void *p = fails(FAULT_ALLOC) ? NULL : REAL(calloc)(n, size);
    live += p != NULL;
    return p;
}

WRAP(void *, realloc, (void *old, size_t n))
{
    void *p = fails(FAULT_ALLOC) ? NULL : REAL(realloc)(old, n);
    live += p && !old;
    return p;
}

WRAP(void, free, (void *p))
{
    live -= p != NULL;
    REAL(free)(p);
}

/* --- system calls --- */

#define WRAP_SYS(name, params, args)                                                               \
    WRAP(enum err, name, params)                                                                   \
    {                                                                                              \
        return fails(FAULT_SYS) ? FAIL_SYS(e, ERR_UNAVAILABLE, EIO, "test.fault", "a fault")       \
                                : REAL(name) args;                                                 \
    }

WRAP_SYS(sys_pread_full, (int fd, void *p, size_t len, uint64_t off, struct error *e),
         (fd, p, len, off, e))
WRAP_SYS(sys_pread, (int fd, void *p, size_t len, uint64_t off, size_t *ret_n, struct error *e),
         (fd, p, len, off, ret_n, e))
WRAP_SYS(sys_pwrite_full, (int fd, const void *p, size_t len, uint64_t off, struct error *e),
         (fd, p, len, off, e))
WRAP_SYS(sys_write_full, (int fd, const void *p, size_t len, struct error *e), (fd, p, len, e))
void (*faults_opened)(bool beneath, const char *name, int flags);

#define WRAP_OPEN(function, beneath)                                                               \
    WRAP(enum err, function,                                                                       \
         (int dirfd, const char *name, int flags, mode_t mode, int *ret_fd, struct error *e))      \
    {                                                                                              \
        if (faults_opened)                                                                         \
            faults_opened(beneath, name, flags);                                                   \
        return fails(FAULT_SYS) ? FAIL_SYS(e, ERR_UNAVAILABLE, EIO, "test.fault", "a fault")       \
                                : REAL(function)(dirfd, name, flags, mode, ret_fd, e);             \
    }

WRAP_OPEN(sys_open_beneath, true)
WRAP_OPEN(sys_openat, false)
WRAP_SYS(sys_mkdirat, (int dirfd, const char *name, mode_t mode, struct error *e),
         (dirfd, name, mode, e))
WRAP_SYS(sys_renameat_noreplace,
         (int from_dirfd, const char *from, int to_dirfd, const char *to, struct error *e),
         (from_dirfd, from, to_dirfd, to, e))
WRAP_SYS(sys_fchmod, (int fd, mode_t mode, struct error *e), (fd, mode, e))
WRAP_SYS(sys_fstat, (int fd, struct stat *ret, struct error *e), (fd, ret, e))
WRAP_SYS(sys_fstatat, (int dirfd, const char *name, int flags, struct stat *ret, struct error *e),
         (dirfd, name, flags, ret, e))
WRAP_SYS(sys_dup, (int fd, int *ret_fd, struct error *e), (fd, ret_fd, e))
WRAP_SYS(sys_random, (void *p, size_t len, struct error *e), (p, len, e))
WRAP_SYS(sys_ftruncate, (int fd, uint64_t len, struct error *e), (fd, len, e))
WRAP_SYS(sys_each_name,
         (int dirfd, enum err (*fn)(void *ctx, const char *name, struct error *e), void *ctx,
          struct error *e),
         (dirfd, fn, ctx, e))

/* --- libraries --- */

WRAP(int, deflateInit2_,
     (z_streamp zs, int level, int method, int bits, int mem, int strategy, const char *version,
      int size))
{
    return fails(FAULT_LIBRARY)
               ? Z_MEM_ERROR
               : REAL(deflateInit2_)(zs, level, method, bits, mem, strategy, version, size);
}

static bool icu_fails(UErrorCode *status)
{
    if (fails(FAULT_LIBRARY))
        *status = U_MEMORY_ALLOCATION_ERROR;
    else if (fails(FAULT_UNICODE))
        *status = U_INTERNAL_PROGRAM_ERROR;
    return U_FAILURE(*status);
}

#define WRAP_ICU(type, name, params, args)                                                         \
    WRAP(type, name, params)                                                                       \
    {                                                                                              \
        return icu_fails(status) ? 0 : REAL(name) args;                                            \
    }

WRAP_ICU(const UNormalizer2 *, unorm2_getNFKCCasefoldInstance, (UErrorCode * status), (status))
WRAP_ICU(int32_t, unorm2_normalize,
         (const UNormalizer2 *n, const UChar *src, int32_t len, UChar *dest, int32_t cap,
          UErrorCode *status),
         (n, src, len, dest, cap, status))
WRAP_ICU(UChar *, u_strFromUTF8,
         (UChar * dest, int32_t cap, int32_t *ret_len, const char *src, int32_t len,
          UErrorCode *status),
         (dest, cap, ret_len, src, len, status))
WRAP_ICU(UConverter *, ucnv_open, (const char *name, UErrorCode *status), (name, status))
WRAP_ICU(USpoofChecker *, uspoof_open, (UErrorCode * status), (status))
WRAP_ICU(int32_t, uspoof_getSkeletonUTF8,
         (const USpoofChecker *s, uint32_t type, const char *id, int32_t len, char *dest,
          int32_t cap, UErrorCode *status),
         (s, type, id, len, dest, cap, status))
