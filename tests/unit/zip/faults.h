/*
 * Faults: the n-th call of a kind fails, for every n. The linker sends the calls of the code under
 * test here (--wrap, meson.build); those inside of shared libraries stay as they are.
 */
#ifndef STIGMER_TESTS_FAULTS_H
#define STIGMER_TESTS_FAULTS_H

#include "base/err.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_ALLOC,   /* malloc, calloc, realloc: no memory */
    FAULT_SYS,     /* the sys_ functions: UNAVAILABLE "a fault" */
    FAULT_LIBRARY, /* functions of zlib and ICU that need memory */
    FAULT_UNICODE, /* those of ICU, for another reason */
};

/* The n-th call of that kind from now on, counted from 1, fails. */
void faults_arm(enum fault_kind kind, unsigned n);
/* Ends it; whether a call failed. */
bool faults_disarm(void);
/* Called with each file or directory that is opened; NULL: not at all. */
extern void (*faults_opened)(bool beneath, const char *name, int flags);
/* What was allocated and not freed, by the code under test. */
long faults_live(void);

#endif
