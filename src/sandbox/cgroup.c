#include "sandbox/cgroup.h"

#include "base/hex.h"
#include "base/macro.h"
#include "base/sys.h"

#include <fcntl.h>
#include <unistd.h>

#define MOUNT    "/sys/fs/cgroup"
#define PREFIX   "stigmer-"
#define REMOVALS 100 /* tries, 10 ms apart: the kernel counts a process down after its end */

/* --- files of a group ------------------------------------------------------------------------- */

static bool put(const char *dir, const char *name, str text)
{
    char path[SYS_PATH_MAX];
    struct error e;
    CLEANUP(sys_closep) int fd = -1;
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path &&
           sys_openat(AT_FDCWD, path, O_WRONLY, 0, &fd, &e) == ERR_OK &&
           sys_write_full(fd, text.p, text.len, &e) == ERR_OK;
}

static bool put_number(const char *dir, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return put(dir, name, str_c(text));
}

static bool get(const char *dir, const char *name, char *out, size_t size)
{
    char path[SYS_PATH_MAX];
    struct error e;
    size_t n;
    CLEANUP(sys_closep) int fd = -1;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path ||
        sys_openat(AT_FDCWD, path, O_RDONLY, 0, &fd, &e) != ERR_OK ||
        sys_read(fd, out, size - 1, &n, &e) != ERR_OK)
        return false;
    out[n] = '\0';
    return true;
}

static uint64_t get_number(const char *dir, const char *name)
{
    char text[64];
    uint64_t value;
    return get(dir, name, text, sizeof text) && str_to_u64(str_trim(str_c(text)), &value) ? value
                                                                                          : 0;
}

/* The number behind the key in lines of "key number". */
static uint64_t get_count(const char *dir, const char *name, const char *key)
{
    char text[1024];
    str line, rest, word, number;
    uint64_t value;
    if (!get(dir, name, text, sizeof text))
        return 0;
    rest = str_c(text);
    for (bool more = true; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        if (str_cut(line, ' ', &word, &number) && str_eq(word, str_c(key)))
            return str_to_u64(str_trim(number), &value) ? value : 0;
    }
    return 0;
}

/* --- where ------------------------------------------------------------------------------------ */

static bool has_controller(str list, str name)
{
    str word;
    for (bool more = true; more;) {
        more = str_cut(list, ',', &word, &list);
        if (str_eq(word, name))
            return true;
    }
    return false;
}

/* This process's group in the hierarchy of that controller ("" = version 2), below the mount. */
static bool find_own(str controller, char *ret, size_t size)
{
    char text[8192];
    str line, rest, number, names, path;
    if (!sys_proc_read(getpid(), "cgroup", text, sizeof text))
        return false;
    rest = str_c(text);
    while (str_cut(rest, '\n', &line, &rest))
        if (str_cut(line, ':', &number, &names) && str_cut(names, ':', &names, &path) &&
            (controller.len ? has_controller(names, controller) : names.len == 0))
            return snprintf(ret, size, "%.*s", STR_ARG(str_eq(path, STR("/")) ? STR("") : path)) <
                   (int)size;
    return false;
}

/* What a killed run has left: a group named after a process that is gone, and empty. */
static enum err sweep(void *ctx, const char *name, struct error *e)
{
    str pid = str_c(name), rest;
    uint64_t number;
    char comm[64];
    (void)e;
    if (!str_starts_with(pid, STR(PREFIX)))
        return ERR_OK;
    (void)str_cut(str_skip(pid, sizeof PREFIX - 1), '-', &pid, &rest);
    if (str_to_u64(pid, &number) && !sys_proc_read((pid_t)number, "comm", comm, sizeof comm)) {
        struct error ignored;
        (void)sys_unlinkat(*(const int *)ctx, name, AT_REMOVEDIR, &ignored);
    }
    return ERR_OK;
}

static bool make_below(const char *parent, char *ret, size_t size)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1], name[64];
    struct error e;
    CLEANUP(sys_closep) int dir = -1;
    if (sys_random(random, sizeof random, &e) != ERR_OK ||
        sys_openat(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0, &dir, &e) != ERR_OK)
        return false;
    hex_encode(random, sizeof random, hex);
    (void)snprintf(name, sizeof name, PREFIX "%d-%s", (int)getpid(), hex);
    (void)sys_each_name(dir, sweep, &dir, &e);
    return snprintf(ret, size, "%s/%s", parent, name) < (int)size &&
           sys_mkdirat(dir, name, 0755, &e) == ERR_OK;
}

static void remove_group(char *dir)
{
    struct error e;
    for (int i = 0; *dir && i < REMOVALS; i++) {
        if (sys_unlinkat(AT_FDCWD, dir, AT_REMOVEDIR, &e) == ERR_OK || e.code == ERR_NOT_FOUND)
            break;
        sys_sleep_ms(10);
    }
    *dir = '\0';
}

/* --- version 2: beside this process's own group, or below it ---------------------------------- */

static bool limit_v2(const char *dir, uint64_t memory, uint64_t processes)
{
    (void)put(dir, "memory.swap.max", STR("0"));  /* absent without swap accounting */
    (void)put(dir, "memory.oom.group", STR("1")); /* all or nothing; since Linux 4.19 */
    return put_number(dir, "memory.max", memory) && put_number(dir, "pids.max", processes);
}

static bool try_v2(const char *parent, uint64_t memory, uint64_t processes, struct cgroup *c)
{
    c->memory[0] = '\0';
    if (!make_below(parent, c->memory, sizeof c->memory))
        return false;
    if (limit_v2(c->memory, memory, processes)) {
        (void)snprintf(c->processes, sizeof c->processes, "%s", c->memory);
        c->version = 2;
        return true;
    }
    remove_group(c->memory);
    return false;
}

static bool make_v2(uint64_t memory, uint64_t processes, struct cgroup *c)
{
    char own[SYS_PATH_MAX / 2], dir[SYS_PATH_MAX];
    if (!find_own(STR(""), own, sizeof own))
        return false;
    (void)snprintf(dir, sizeof dir, MOUNT "%s", own);
    if (try_v2(dir, memory, processes, c))
        return true;
    ptrdiff_t slash = str_rfind(str_c(own), '/');
    if (slash < 0)
        return false;
    (void)snprintf(dir, sizeof dir, MOUNT "%.*s", (int)slash, own);
    return try_v2(dir, memory, processes, c);
}

/* --- version 1: below this process's own groups ----------------------------------------------- */

static bool make_v1_group(const char *controller, char *ret, size_t size)
{
    char own[SYS_PATH_MAX / 2], dir[SYS_PATH_MAX];
    *ret = '\0';
    if (!find_own(str_c(controller), own, sizeof own))
        return false;
    (void)snprintf(dir, sizeof dir, MOUNT "/%s%s", controller, own);
    return make_below(dir, ret, size);
}

static bool make_v1(uint64_t memory, uint64_t processes, struct cgroup *c)
{
    bool ok = make_v1_group("memory", c->memory, sizeof c->memory) &&
              make_v1_group("pids", c->processes, sizeof c->processes) &&
              put_number(c->memory, "memory.limit_in_bytes", memory) &&
              put_number(c->processes, "pids.max", processes + 1); /* bubblewrap outside, too */
    if (!ok) {
        remove_group(c->memory);
        remove_group(c->processes);
        return false;
    }
    (void)put_number(c->memory, "memory.memsw.limit_in_bytes", memory); /* absent without swap */
    c->version = 1;
    return true;
}

/* --- use -------------------------------------------------------------------------------------- */

void cgroup_make(uint64_t memory, uint64_t processes, struct cgroup *ret)
{
    *ret = CGROUP_INIT;
    if (!make_v2(memory, processes, ret))
        (void)make_v1(memory, processes, ret);
}

static enum err open_door(const char *dir, int *ret, struct error *e)
{
    char path[SYS_PATH_MAX + sizeof "/tasks"];
    (void)snprintf(path, sizeof path, "%s/tasks", dir);
    return sys_openat(AT_FDCWD, path, O_WRONLY, 0, ret, e);
}

enum err cgroup_open_doors(const struct cgroup *c, int ret[CGROUP_DOORS], struct error *e)
{
    TRY(open_door(c->memory, &ret[0], e));
    return open_door(c->processes, &ret[1], e);
}

enum err cgroup_add(const struct cgroup *c, pid_t pid, struct error *e)
{
    if (put_number(c->memory, "cgroup.procs", (uint64_t)pid))
        return ERR_OK;
    return FAIL(e, ERR_INTERNAL, "sandbox.cgroup", "a process cannot be put into its cgroup");
}

void cgroup_ask(const struct cgroup *c, struct cgroup_told *ret)
{
    *ret = (struct cgroup_told){.processes = get_count(c->processes, "pids.events", "max") > 0};
    if (c->version == 2) {
        ret->peak_memory = get_number(c->memory, "memory.peak");
        ret->memory = get_count(c->memory, "memory.events", "oom_kill") > 0;
    } else {
        ret->peak_memory = get_number(c->memory, "memory.max_usage_in_bytes");
        ret->memory = get_count(c->memory, "memory.oom_control", "oom_kill") > 0;
    }
}

void cgroup_remove(struct cgroup *c)
{
    if (c->version == 1)
        remove_group(c->processes);
    if (c->version)
        remove_group(c->memory);
    c->version = 0;
}
