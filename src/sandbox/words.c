#include "sandbox/sandbox.h"

#include "base/macro.h"

static const char *const denials[] = {"time", "memory", "processes", "file-size", "disk", "output"};
static const char *const gaps[] = {"system-calls", "processes"};

static const char *name(unsigned bit, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bit == 1U << i)
            return names[i];
    return NULL;
}

const char *sandbox_denial_name(unsigned bit)
{
    return name(bit, denials, ARRAY_SIZE(denials));
}

const char *sandbox_gap_name(unsigned bit)
{
    return name(bit, gaps, ARRAY_SIZE(gaps));
}
