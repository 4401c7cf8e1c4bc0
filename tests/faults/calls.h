/*
 * Faults below everything: a call of the system or an allocation fails, whoever makes it, also
 * inside of shared libraries (LMDB, protobuf-c, OpenSSL, nghttp2): their calls are bound to
 * functions of the test program. Under a sanitizer, which brings allocators of its own, the
 * allocations of the code under test fail, and not those inside of libraries.
 */
#ifndef STIGMER_TESTS_FAULTS_CALLS_H
#define STIGMER_TESTS_FAULTS_CALLS_H

#include <stdbool.h>

enum calls_kind { CALLS_SYS, CALLS_ALLOC };

#define CALLS_SHORT (-1) /* no error: a write takes, or a read gives, a part only */

struct calls_fault {
    enum calls_kind kind;
    unsigned n;   /* the n-th call from now on fails, counted from 1 */
    bool forever; /* and every one after it */
    int sys;      /* the errno, or CALLS_SHORT */
};

void calls_arm(const struct calls_fault *f);
/* Ends it; whether a call was struck. */
bool calls_disarm(void);
/* The name of the call that was struck first, or "". */
const char *calls_struck(void);
/* The calls of this thread never fail. */
void calls_spare_me(void);
/* What is allocated and not freed, by everybody; always 0 under a sanitizer. */
long calls_live(void);

#endif
