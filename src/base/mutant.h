/*
 * Wrong servers, to test the crash laboratory with: MUTANT(name) marks where one leaves a step out
 * or does it too early. False, and no code at all, but in tests/crash/'s stigmer-mutants, which
 * compiles these files once more with STIGMER_MUTANTS and is never installed; there the
 * environment's STIGMER_MUTANT names the one that is true.
 */
#ifndef STIGMER_BASE_MUTANT_H
#define STIGMER_BASE_MUTANT_H

#ifdef STIGMER_MUTANTS

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool mutant_is(const char *name)
{
    const char *chosen = getenv("STIGMER_MUTANT");
    return chosen && strcmp(chosen, name) == 0;
}
#define MUTANT(name) mutant_is(#name)

#else
#define MUTANT(name) false
#endif

#endif
