/* stigmer skill pull REF [DIR] */
#include "agent/download.h"
#include "base/sys.h"
#include "base/sys_proc.h"
#include "base/tmpfile.h"
#include "cli/artifact.h"
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "cli/skill.h"
#include "zip/unpack.h"

#include <fcntl.h>

struct pull {
    struct cli *c;
    struct ref ref;
    struct grpc_client *client;
    PB_SKILL(Skill) * skill;
    struct skill_view view;
    const char *target; /* as given: DIR, FILE or the slug */
    char *parent;       /* owned: the directory that will hold it */
    char *name;         /* owned: its name in there */
    int parent_fd;
    uint64_t size;
    size_t n_files; /* unpacked; 0 with --zip */
};

static void pull_deinit(struct pull *p)
{
    grpc_client_closep(&p->client);
    skill_message_freep(&p->skill);
    freep(&p->parent);
    freep(&p->name);
    sys_closep(&p->parent_fd);
}

static enum err check_free(const struct pull *p, struct error *e)
{
    struct stat st;
    enum err err = sys_fstatat(p->parent_fd, p->name, AT_SYMLINK_NOFOLLOW, &st, e);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    return FAIL(e, ERR_ALREADY_EXISTS, "pull.exists",
                "%s exists already: remove it or name another place", p->target);
}

/* "a/b/c/" is c in a/b. */
static enum err choose_target(struct pull *p, const char *slug, struct error *e)
{
    const struct cli_args *args = &p->c->args;
    p->target = args->zip ? args->zip : args->n_positional > 1 ? args->positional[1] : slug;
    str path = str_c(p->target);
    while (path.len > 1 && path.p[path.len - 1] == '/')
        path.len--;
    ptrdiff_t slash = str_rfind(path, '/');
    str parent = slash < 0 ? STR(".") : slash == 0 ? STR("/") : str_head(path, (size_t)slash);
    str name = str_skip(path, (size_t)(slash + 1));
    p->parent = str_dup_c(parent);
    p->name = str_dup_c(name);
    if (!p->parent || !p->name)
        return FAIL_NOMEM(e);
    if (!*p->name || strcmp(p->name, ".") == 0 || strcmp(p->name, "..") == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "\"%s\" exists already: name a new directory or file", p->target);
    TRY(sys_openat(AT_FDCWD, p->parent, O_RDONLY | O_DIRECTORY, 0, &p->parent_fd, e));
    return check_free(p, e);
}

static enum err audit(const struct pull *p, int fd, struct zip_report *report, struct error *e)
{
    TRY(zip_audit(fd, p->size, NULL, report, e));
    if (zip_report_accepted(report))
        return ERR_OK;
    const char *reason = zip_report_reason(report);
    return FAIL(e, ERR_DATA_LOSS, "pull.refused", "the archive is not safe to unpack: %s",
                reason ? reason : "out of memory");
}

struct unpacking {
    struct progress progress;
    uint64_t total;
};

static void on_unpacked(void *ctx, uint64_t done)
{
    struct unpacking *u = ctx;
    progress_update(&u->progress, done, u->total);
}

static enum err unpack(struct pull *p, int fd, const struct zip_report *report, struct error *e)
{
    struct unpacking u = {.total = report->uncompressed};
    progress_begin(&u.progress, &p->c->err, "Unpacking");
    enum err err = zip_unpack(fd, report, p->parent_fd, p->name, on_unpacked, &u, e);
    progress_end(&u.progress);
    return err;
}

static enum err download(struct pull *p, int fd, struct error *e)
{
    struct progress progress;
    struct agent_download d = {
        .client = p->client,
        .timeout_ms = remote_timeout_ms(p->c, REMOTE_TRANSFER_TIMEOUT_S),
        .fd = fd,
        .progress = progress_update,
        .ctx = &progress,
    };
    if (!digest_from_hex(p->view.hash, &d.hash))
        return FAIL(e, ERR_DATA_LOSS, "pull.hash",
                    "the server's answer is damaged: it has no version hash");
    progress_begin(&progress, &p->c->err, "Downloading");
    enum err err = agent_download(&d, &p->size, e);
    progress_end(&progress);
    return err;
}

static enum err pull_directory(struct pull *p, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    CLEANUP(zip_report_deinit) struct zip_report report = {0};
    TRY(artifact_temp(&fd, e));
    TRY(download(p, fd, e));
    TRY(audit(p, fd, &report, e));
    TRY(unpack(p, fd, &report, e));
    for (size_t i = 0; i < report.n_entries; i++)
        p->n_files += !report.entries[i].directory && !report.entries[i].left_out;
    return ERR_OK;
}

/* The sealed archive itself, only its hash is checked: it may be kept to be looked at. */
static enum err pull_archive(struct pull *p, struct error *e)
{
    CLEANUP(tmpfile_deinit) struct tmpfile t = TMPFILE_INIT;
    TRY(tmpfile_open(&t, p->parent_fd, e));
    TRY(download(p, t.fd, e));
    TRY(sys_fchmod(t.fd, 0666 & ~sys_umask(), e));
    return tmpfile_commit(&t, p->name, e);
}

static enum err print(const struct pull *p, struct error *e)
{
    char size[SIZE_TEXT_MAX];
    const struct term *t = &p->c->out;
    if (p->c->args.json)
        return json_print(t,
                          json_pack("{so so sI sI}", "path", json_of_text(str_c(p->target)),
                                    "versionHash", json_of_text(p->view.hash), "size",
                                    (json_int_t)p->size, "files", (json_int_t)p->n_files),
                          e);
    size_format(p->size, size);
    term_styled(t, TERM_GREEN, "✓");
    term_printf(t, " ");
    skill_print_ref(t, &p->view);
    term_printf(t, " (%s) is in ", size);
    term_foreign(t, str_c(p->target));
    term_printf(t, "\nVersion hash: ");
    term_foreign(t, p->view.hash);
    term_printf(t, "\n");
    return ERR_OK;
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(pull_deinit) struct pull p = {.c = c, .parent_fd = -1};
    char slug[SKILL_REF_TEXT];
    if (c->args.zip && c->args.n_positional > 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "give DIR or --zip FILE, not both");
    TRY(skill_ref_arg(c, &p.ref, e));
    (void)snprintf(slug, sizeof slug, "%.*s", STR_ARG(p.ref.slug));
    TRY(choose_target(&p, slug, e));
    TRY(skill_open(c, &p.client, &p.ref, &p.skill, e));
    p.view = skill_view_of(p.skill);
    TRY(c->args.zip ? pull_archive(&p, e) : pull_directory(&p, e));
    return print(&p, e);
}

static const struct opt table[] = {
    OPT_ROW_STRING('z', "zip", zip, "FILE", "keep the sealed archive as FILE instead"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {
    table, opt_table_ref, opt_table_json, opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_skill_pull = {
    .name = "pull",
    .args = "REF [DIR]",
    .summary = "download a version and unpack it",
    .text = "Downloads the version that REF names, checks its bytes against the version hash,\n"
            "audits the archive and unpacks it into DIR (default: the skill's name), which must\n"
            "not exist yet.\n",
    .min_args = 1,
    .max_args = 2,
    .complete = COMPLETE_DIR,
    .options = options,
    .run = run,
};
