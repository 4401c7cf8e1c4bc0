/* What every fuzz target defines: one input; a finding is a crash, an abort or a sanitizer report.
 * Linked with libFuzzer (meson option `fuzz`) or with replay.c, which feeds it the corpus. */
#ifndef STIGMER_TESTS_FUZZ_H
#define STIGMER_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input, also where assertions are compiled out. */
#define FUZZ_CHECK(cond)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (void)fprintf(stderr, "%s:%d: FUZZ_CHECK(%s)\n", __FILE__, __LINE__, #cond);           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
