/* stigmer audit FILE|DIR... */
#include "base/sys.h"
#include "cli/audit.h"
#include "cli/opt.h"

#include <fcntl.h>
#include <stdlib.h>

/* Rejected ones and unreadable ones; the latter win. */
enum { EXIT_REJECTED = 1, EXIT_UNREADABLE = 2 };

#define SKILL_MD "SKILL.md"

struct audit {
    struct cli *c;
    struct audit_options options;
    size_t n_accepted, n_rejected, n_unreadable;
};

static enum err unreadable(struct audit *a, const char *path, const struct error *why,
                           struct error *e)
{
    a->n_unreadable++;
    return audit_print_unreadable(a->c, path, why, e);
}

/* err and why: how the audit of it ended. */
static enum err conclude(struct audit *a, const char *path, const struct audited *r, enum err err,
                         const struct error *why, struct error *e)
{
    if (err != ERR_OK)
        return unreadable(a, path, why, e);
    *(audited_accepted(r) ? &a->n_accepted : &a->n_rejected) += 1;
    return audit_print(a->c, path, r, e);
}

static enum err do_archive(struct audit *a, const char *path, int fd, uint64_t size,
                           struct error *e)
{
    CLEANUP(audited_deinit) struct audited r = {0};
    struct error why;
    enum err err = audit_archive(&a->options, fd, size, &r, &why);
    return conclude(a, path, &r, err, &why, e);
}

static enum err do_skill(struct audit *a, const char *path, int dirfd, struct error *e)
{
    CLEANUP(audited_deinit) struct audited r = {0};
    struct error why;
    enum err err = audit_skill(&a->options, dirfd, &r, &why);
    return conclude(a, path, &r, err, &why, e);
}

/* What is opened is what was looked at: to open a FIFO or a device may block or do something. */
static enum err open_path(const char *path, struct stat *ret, int *ret_fd, struct error *e)
{
    struct stat link, before;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_fstatat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &link, e));
    TRY(sys_fstatat(AT_FDCWD, path, 0, &before, e));
    if (S_ISLNK(link.st_mode) && S_ISDIR(before.st_mode))
        return FAIL(e, ERR_INVALID_ARGUMENT, "audit.link",
                    "it is a symbolic link to a directory: name the directory itself");
    if (!S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode))
        return FAIL(e, ERR_INVALID_ARGUMENT, "audit.kind",
                    "it is neither a regular file nor a directory");
    TRY(sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, e));
    TRY(sys_fstat(fd, ret, e));
    if (ret->st_dev != before.st_dev || ret->st_ino != before.st_ino)
        return FAIL(e, ERR_ABORTED, "audit.changed", "it was replaced meanwhile: try again");
    *ret_fd = sys_steal(&fd);
    return ERR_OK;
}

static enum err do_found(struct audit *a, const struct audit_found *f, struct error *e)
{
    struct stat st = {0};
    CLEANUP(sys_closep) int fd = -1;
    struct error why;
    if (f->problem)
        return unreadable(a, f->path, f->problem, e);
    if (open_path(f->path, &st, &fd, &why) != ERR_OK)
        return unreadable(a, f->path, &why, e);
    return do_archive(a, f->path, fd, (uint64_t)st.st_size, e);
}

static enum err do_below(struct audit *a, const char *path, int dirfd, struct error *e)
{
    CLEANUP(audit_founds_deinit) struct audit_founds found = {0};
    struct error why;
    enum err err = audit_find(path, dirfd, &found, &why);
    if (err == ERR_OK && found.n == 0)
        err = FAIL(&why, ERR_NOT_FOUND, "audit.nothing",
                   "it has no " SKILL_MD " and no *.zip below it: name a skill's directory, an "
                   "archive, or a directory of archives");
    if (err != ERR_OK)
        return unreadable(a, path, &why, e);
    for (size_t i = 0; i < found.n; i++)
        TRY(do_found(a, &found.v[i], e));
    return ERR_OK;
}

static enum err do_directory(struct audit *a, const char *path, int dirfd, struct error *e)
{
    struct stat st;
    struct error why;
    enum err err = sys_fstatat(dirfd, SKILL_MD, AT_SYMLINK_NOFOLLOW, &st, &why);
    if (err == ERR_OK)
        return do_skill(a, path, dirfd, e);
    if (err != ERR_NOT_FOUND)
        return unreadable(a, path, &why, e);
    return do_below(a, path, dirfd, e);
}

static enum err do_path(struct audit *a, const char *path, struct error *e)
{
    struct stat st = {0};
    CLEANUP(sys_closep) int fd = -1;
    struct error why;
    if (open_path(path, &st, &fd, &why) != ERR_OK)
        return unreadable(a, path, &why, e);
    if (S_ISDIR(st.st_mode))
        return do_directory(a, path, fd, e);
    return do_archive(a, path, fd, (uint64_t)st.st_size, e);
}

/* --- --files-from --- */

static void fclosep(FILE **f)
{
    if (*f && *f != stdin)
        (void)fclose(*f);
}

static enum err do_line(struct audit *a, char *line, size_t len, struct error *e)
{
    struct error why;
    str path = str_of(line, len);
    if (str_ends_with(path, STR("\n")))
        path.len--;
    if (str_ends_with(path, STR("\r")))
        path.len--;
    line[path.len] = '\0';
    if (str_trim(path).len == 0)
        return ERR_OK;
    if (strlen(line) == path.len)
        return do_path(a, line, e);
    (void)FAIL(&why, ERR_INVALID_ARGUMENT, "audit.nul", "a path cannot hold a NUL byte");
    return unreadable(a, line, &why, e);
}

static enum err open_list(const char *path, FILE **ret, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    *ret = stdin;
    if (strcmp(path, "-") == 0)
        return ERR_OK;
    TRY(sys_openat(AT_FDCWD, path, O_RDONLY, 0, &fd, e));
    *ret = fdopen(fd, "r");
    if (!*ret)
        return FAIL_NOMEM(e);
    (void)sys_steal(&fd);
    return ERR_OK;
}

/* Each line is audited when it arrives: another program may wait for the answer before the next. */
static enum err do_list(struct audit *a, const char *path, struct error *e)
{
    CLEANUP(freep) char *line = NULL;
    CLEANUP(fclosep) FILE *f = NULL;
    size_t cap = 0;
    ssize_t len;
    TRY(open_list(path, &f, e));
    while ((len = getline(&line, &cap, f)) >= 0)
        TRY(do_line(a, line, (size_t)len, e));
    if (!feof(f))
        return FAIL(e, ERR_INTERNAL, "audit.list", "cannot read the list %s to its end", path);
    return ERR_OK;
}

/* --- the command --- */

static void print_summary(const struct audit *a)
{
    size_t n = a->n_accepted + a->n_rejected + a->n_unreadable;
    if (a->c->args.json || n < 2)
        return;
    term_printf(&a->c->out, "%zu accepted, %zu rejected", a->n_accepted, a->n_rejected);
    if (a->n_unreadable)
        term_printf(&a->c->out, ", %zu could not be read", a->n_unreadable);
    term_printf(&a->c->out, "\n");
}

static enum err run(struct cli *c, struct error *e)
{
    const struct cli_args *args = &c->args;
    struct audit a = {.c = c,
                      .options = {.archive_only = args->archive_only, .strict = args->strict}};
    if (args->n_positional == 0 && !args->files_from)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "missing argument: %s", c->command->args);
    for (size_t i = 0; i < args->n_positional; i++)
        TRY(do_path(&a, args->positional[i], e));
    if (args->files_from)
        TRY(do_list(&a, args->files_from, e));
    print_summary(&a);
    c->exit_code = a.n_unreadable ? EXIT_UNREADABLE : a.n_rejected ? EXIT_REJECTED : CLI_EXIT_OK;
    return ERR_OK;
}

static const struct opt table[] = {
    OPT_ROW_FLAG(0, "archive-only", archive_only, "leave out what concerns SKILL.md"),
    OPT_ROW_FLAG(0, "strict", strict, "reject what otherwise is a warning"),
    OPT_ROW_STRING(0, "files-from", files_from, "FILE",
                   "audit what FILE names, too: one path a line; - is standard input"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {opt_table_json, table, NULL};

const struct command cmd_audit = {
    .name = "audit",
    .args = "FILE|DIR...",
    .summary = "judge archives and skills by the server's rules, offline",
    .text =
        "Tells of each archive whether a server would accept it: accept or reject, and every rule\n"
        "that it breaks, with the entry, the offset, the values and what to do. A directory with\n"
        "a SKILL.md is packed as \"stigmer skill push\" packs it and judged; of any other one,\n"
        "every *.zip below it is judged. With --json each gets one line, one object.\n",
    .max_args = CLI_ANY_NUMBER,
    .complete = COMPLETE_FILE,
    .exit_codes = "0 all accepted, 1 some rejected, 2 something could not be read, or wrong usage",
    .failure = EXIT_UNREADABLE,
    .options = options,
    .run = run,
};
