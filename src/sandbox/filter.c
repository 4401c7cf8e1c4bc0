#include "sandbox/filter.h"

#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_host.h"
#include "filter_programs.h" /* of filter_rules.c */

#include <fcntl.h>

static enum err put(const void *program, size_t len, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_memfd("seccomp", &fd, e));
    TRY(sys_write_full(fd, program, len, e));
    return sys_reopen(fd, O_RDONLY, ret_fd, e);
}

enum err sandbox_filter(struct sandbox_filter *ret, struct error *e)
{
    *ret = SANDBOX_FILTER_INIT;
    if (!sys_has_seccomp())
        return FAIL(e, ERR_UNIMPLEMENTED, "sandbox.filter",
                    "system calls cannot be filtered on this machine");
    TRY(put(program_allow, sizeof program_allow, &ret->allow, e));
    return put(program_refuse, sizeof program_refuse, &ret->refuse, e);
}

void sandbox_filter_deinit(struct sandbox_filter *f)
{
    sys_closep(&f->allow);
    sys_closep(&f->refuse);
}
