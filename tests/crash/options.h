/* The options that all experiments have. */
#ifndef STIGMER_TESTS_CRASH_OPTIONS_H
#define STIGMER_TESTS_CRASH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *server; /* --server: the program under test */
    unsigned n;         /* --n: how many rounds, states, … */
    uint64_t seed;      /* --seed */
    bool find;          /* --find: a violation is what is looked for (mutants); exit 0 with one */
    const char *fs;     /* --fs: ext4, xfs, btrfs */
};

/* Ends the program on a mistake. */
void options_parse(struct options *o, int argc, char **argv);
/* The TAP lines and the exit status. */
int options_verdict(const struct options *o, const char *what);
/* "ok 1 # SKIP reason". */
int options_skip(const char *what, const char *reason);

#endif
