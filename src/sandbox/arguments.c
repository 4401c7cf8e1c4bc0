#include "sandbox/arguments.h"

#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_proc.h"

#include <fcntl.h>
#include <string.h>

/* Where the skills' own directories are in PATH, first as they are, then where tools often are. */
static const char *const skill_dirs[] = {"", "/scripts", "/bin"};

/* Read-only, when the host has it. */
static const char *const host_dirs[] = {"/etc/alternatives", "/etc/ssl/certs",
                                        "/etc/java-17-openjdk"};
static const char *const usr_links[] = {"lib", "lib32", "lib64", "libx32", "sbin"};

/* What runc masks of /proc, and what else its mode alone protects: it matters to root, whose user
 * is the owner of these files also in a user namespace. bubblewrap leaves /proc/sys writable then,
 * and with it core_pattern. What asks for a capability itself (kmsg, iomem, mtrr…) is not here. */
static const char *const masked_files[] = {
    "/proc/kcore",         "/proc/keys",       "/proc/latency_stats", "/proc/timer_list",
    "/proc/sched_debug",   "/proc/kpagecount", "/proc/kpageflags",    "/proc/kpagecgroup",
    "/proc/kallsyms",      "/proc/slabinfo",   "/proc/vmallocinfo",   "/proc/pagetypeinfo",
    "/proc/sysrq-trigger",
};
static const char *const masked_dirs[] = {"/proc/acpi", "/proc/scsi", "/proc/pressure"};
static const char *const readonly_dirs[] = {"/proc/sys", "/proc/bus", "/proc/irq", "/proc/fs"};

static bool there(const char *path)
{
    struct stat st;
    struct error ignored;
    return sys_fstatat(AT_FDCWD, path, 0, &st, &ignored) == ERR_OK;
}

static void add(struct buf *b, const char *word)
{
    buf_add(b, str_of(word, strlen(word) + 1));
}

static void add2(struct buf *b, const char *option, const char *value)
{
    add(b, option);
    add(b, value);
}

static void add3(struct buf *b, const char *option, const char *from, const char *to)
{
    add2(b, option, from);
    add(b, to);
}

static void add_number(struct buf *b, const char *option, uint64_t value)
{
    add(b, option);
    buf_addf(b, "%llu", (unsigned long long)value);
    buf_add_char(b, '\0');
}

/* --- the parts -------------------------------------------------------------------------------- */

static void add_isolation(const struct sandbox *s, struct buf *b)
{
    static const char *const words[] = {
        "--unshare-user",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--hostname",
        "sandbox",
        "--unshare-cgroup",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        add(b, words[i]);
    if (!s->network)
        add(b, "--unshare-net");
}

static void add_memory_dir(const struct sandbox *s, struct buf *b, const char *mode,
                           const char *path)
{
    add2(b, "--perms", mode);
    add_number(b, "--size", s->limits.disk);
    add2(b, "--tmpfs", path);
}

static void add_usr(struct buf *b)
{
    char from[64];
    add3(b, "--ro-bind", "/usr", "/usr");
    for (size_t i = 0; i < ARRAY_SIZE(usr_links); i++) {
        (void)snprintf(from, sizeof from, "/usr/%s", usr_links[i]);
        if (there(from))
            add3(b, "--symlink", from + 1, from + sizeof "/usr" - 1);
    }
}

static void add_proc(struct buf *b)
{
    add2(b, "--proc", "/proc");
    for (size_t i = 0; i < ARRAY_SIZE(masked_files); i++)
        if (there(masked_files[i]))
            add3(b, "--ro-bind", "/dev/null", masked_files[i]);
    for (size_t i = 0; i < ARRAY_SIZE(masked_dirs); i++)
        if (there(masked_dirs[i])) {
            add2(b, "--tmpfs", masked_dirs[i]);
            add2(b, "--remount-ro", masked_dirs[i]);
        }
    for (size_t i = 0; i < ARRAY_SIZE(readonly_dirs); i++)
        if (there(readonly_dirs[i]))
            add3(b, "--ro-bind", readonly_dirs[i], readonly_dirs[i]);
}

static void add_memory(const struct sandbox *s, struct buf *b)
{
    add2(b, "--dev", "/dev");
    add_memory_dir(s, b, "1777", "/dev/shm");
    add2(b, "--remount-ro", "/dev");
    add_memory_dir(s, b, "1777", "/tmp");
    add_memory_dir(s, b, "0700", SANDBOX_HOME);
}

static void add_etc(const struct sandbox *s, const struct etc *etc, struct buf *b)
{
    etc_arguments(etc, b);
    for (size_t i = 0; i < ARRAY_SIZE(host_dirs); i++)
        if (there(host_dirs[i]))
            add3(b, "--ro-bind", host_dirs[i], host_dirs[i]);
    if (s->network)
        add3(b, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf");
}

static void add_skills(const struct sandbox *s, struct buf *b)
{
    add(b, "--ro-bind");
    buf_addf(b, "%s/bin", s->place);
    buf_add_char(b, '\0');
    add(b, "/bin");
    add2(b, "--perms", "0755");
    add2(b, "--tmpfs", SANDBOX_SKILLS);
    for (size_t i = 0; i < s->n_skills; i++) {
        add2(b, "--ro-bind", s->skills[i].path);
        buf_addf(b, SANDBOX_SKILLS "/%s", s->skills[i].hex);
        buf_add_char(b, '\0');
    }
    add2(b, "--remount-ro", SANDBOX_SKILLS);
}

static enum err add_binds(const struct sandbox *s, struct buf *b, struct error *e)
{
    if (s->workspace)
        add3(b, "--bind", s->workspace, SANDBOX_WORKSPACE);
    else
        add_memory_dir(s, b, "0755", SANDBOX_WORKSPACE);
    for (size_t i = 0; i < s->n_binds; i++) {
        const struct sandbox_bind *bind = &s->binds[i];
        if (bind->source[0] != '/' || bind->target[0] != '/' || bind->target[1] == '\0')
            return FAIL(e, ERR_INVALID_ARGUMENT, "sandbox.bind",
                        "what is bound needs absolute paths, and not all of the root: \"%s\" at "
                        "\"%s\"",
                        bind->source, bind->target);
        add3(b, bind->writable ? "--bind" : "--ro-bind", bind->source, bind->target);
    }
    add2(b, "--remount-ro", "/");
    add2(b, "--chdir", SANDBOX_WORKSPACE);
    return ERR_OK;
}

/* --- the environment -------------------------------------------------------------------------- */

static void add_path(const struct sandbox *s, struct buf *b)
{
    char dir[SYS_PATH_MAX];
    add2(b, "--setenv", "PATH");
    for (size_t i = 0; i < s->n_skills; i++)
        for (size_t k = 0; k < ARRAY_SIZE(skill_dirs); k++)
            if (snprintf(dir, sizeof dir, "%s%s", s->skills[i].path, skill_dirs[k]) <
                    (int)sizeof dir &&
                there(dir))
                buf_addf(b, SANDBOX_SKILLS "/%s%s:", s->skills[i].hex, skill_dirs[k]);
    add(b, "/usr/local/bin:/usr/bin:/bin");
}

static enum err add_environment(const struct sandbox *s, struct buf *b, struct error *e)
{
    add(b, "--clearenv");
    add_path(s, b);
    add3(b, "--setenv", "HOME", SANDBOX_HOME);
    add3(b, "--setenv", "TMPDIR", "/tmp");
    add3(b, "--setenv", "LANG", "C.UTF-8");
    add3(b, "--setenv", "USER", "agent");
    for (size_t i = 0; i < s->n_env; i++) {
        str name, value;
        if (!str_cut(str_c(s->env[i]), '=', &name, &value) || name.len == 0)
            return FAIL(e, ERR_INVALID_ARGUMENT, "sandbox.env",
                        "a variable is given as NAME=VALUE, not \"%s\"", s->env[i]);
        add(b, "--setenv");
        buf_add(b, name);
        buf_add_char(b, '\0');
        add(b, value.p);
    }
    return ERR_OK;
}

enum err arguments_write(const struct sandbox *s, const struct sandbox_filter *filter,
                         const struct etc *etc, int status, int block, struct buf *ret,
                         struct error *e)
{
    add_isolation(s, ret);
    add_usr(ret);
    add_proc(ret);
    add_memory(s, ret);
    add_etc(s, etc, ret);
    add_skills(s, ret);
    TRY(add_binds(s, ret, e));
    TRY(add_environment(s, ret, e));
    if (filter->allow >= 0) {
        add_number(ret, "--add-seccomp-fd", (uint64_t)filter->allow);
        add_number(ret, "--add-seccomp-fd", (uint64_t)filter->refuse);
    }
    add_number(ret, "--json-status-fd", (uint64_t)status);
    add_number(ret, "--block-fd", (uint64_t)block);
    return buf_status(ret, e);
}
