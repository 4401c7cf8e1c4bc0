#include "cli/push.h"

#include "base/sys.h"
#include "base/sys_proc.h"
#include "cli/artifact.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "cli/skill.h"
#include "cli/skill_md.h"

#include <fcntl.h>

#define DEFAULT_ORG "local"
#define DEFAULT_TAG "latest"

struct push {
    struct cli *c;
    const char *org, *tag, *name;
    char dir[SYS_PATH_MAX]; /* resolved */
    struct artifact_file artifact;
    PB_SKILL(Skill) * answer; /* NULL after a dry run */
};

static void push_deinit(struct push *p)
{
    artifact_file_deinit(&p->artifact);
    skill_message_freep(&p->answer);
}

/* Text of the report; --json prints only the end. */
#define SAY(p, ...)                                                                                \
    do {                                                                                           \
        if (!(p)->c->args.json)                                                                    \
            term_printf(&(p)->c->out, __VA_ARGS__);                                                \
    } while (0)

static void say_done(struct push *p, const char *text)
{
    if (p->c->args.json)
        return;
    term_styled(&p->c->out, TERM_GREEN, "✓");
    term_printf(&p->c->out, " %s", text);
}

static void say_name(struct push *p, const char *label)
{
    SAY(p, "%s", label);
    if (!p->c->args.json)
        term_foreign(&p->c->out, str_c(p->name));
    SAY(p, "\n");
}

static enum err check_skill_md(const char *dir, struct error *e)
{
    struct stat st;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, e));
    if (sys_fstatat(fd, "SKILL.md", AT_SYMLINK_NOFOLLOW, &st, e) != ERR_OK)
        return FAIL(e, ERR_INVALID_ARGUMENT, "push.no_skill_md",
                    "no SKILL.md in %s: a skill is a directory with a SKILL.md", dir);
    return ERR_OK;
}

static enum err choose(struct push *p, struct error *e)
{
    const struct cli_args *args = &p->c->args;
    TRY(sys_realpath(args->n_positional ? args->positional[0] : ".", p->dir, e));
    TRY(check_skill_md(p->dir, e));
    const char *slash = strrchr(p->dir, '/');
    p->name = args->name ? args->name : slash + 1;
    p->org = args->org ? args->org : DEFAULT_ORG;
    p->tag = args->tag ? args->tag : DEFAULT_TAG;
    if (!*p->name)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "this directory has no name: give --name");
    return ERR_OK;
}

static enum err pack(struct push *p, struct error *e)
{
    char size[SIZE_TEXT_MAX];
    say_name(p, "Skill name: ");
    SAY(p, "Creating skill artifact...\n");
    (void)fflush(p->c->out.f);
    TRY(artifact_pack(p->c, p->dir, &p->artifact, e));
    size_format(p->artifact.size, size);
    say_done(p, "Artifact created");
    SAY(p, " (%s)\nVersion hash: %s\n", size, p->artifact.hex);
    return ERR_OK;
}

/* Fields 1 to 3 of PushSkillRequest, then tag and length of field 4: the archive follows. */
static enum err pack_head(const struct push *p, struct buf *to, struct error *e)
{
    enum { ARTIFACT_KEY = 4 << 3 | 2 }; /* field 4, length-delimited */
    PB_SKILL(PushSkillRequest) r = PB_SKILL_C(PUSH_SKILL_REQUEST__INIT);
    r.name = (char *)(uintptr_t)p->name;
    r.scope = *p->org ? PB_RES_C(API_RESOURCE_OWNER_SCOPE__organization)
                      : PB_RES_C(API_RESOURCE_OWNER_SCOPE__platform);
    r.org = (char *)(uintptr_t)p->org;
    TRY(message_pack(&r.base, to, e));
    buf_add_char(to, ARTIFACT_KEY);
    uint64_t n = p->artifact.size;
    for (; n >= 0x80; n >>= 7)
        buf_add_char(to, (char)(n | 0x80));
    buf_add_char(to, (char)n);
    return buf_status(to, e);
}

static enum err pack_tail(const struct push *p, struct buf *to, struct error *e)
{
    PB_SKILL(PushSkillRequest) r = PB_SKILL_C(PUSH_SKILL_REQUEST__INIT);
    r.tag = (char *)(uintptr_t)p->tag;
    return message_pack(&r.base, to, e);
}

static enum err send(struct push *p, struct grpc_client *client, struct buf *answer,
                     struct error *e)
{
    CLEANUP(buf_deinit) struct buf head;
    CLEANUP(buf_deinit) struct buf tail;
    struct progress progress;
    buf_init(&head, MIB(1));
    buf_init(&tail, MIB(1));
    TRY(pack_head(p, &head, e));
    TRY(pack_tail(p, &tail, e));
    struct grpc_request r = {
        .path = REMOTE_COMMAND("push"),
        .head = buf_view(&head),
        .fd = p->artifact.fd,
        .len = p->artifact.size,
        .tail = buf_view(&tail),
        .timeout_ms = remote_timeout_ms(p->c, REMOTE_TRANSFER_TIMEOUT_S),
        .progress = progress_update,
        .ctx = &progress,
    };
    progress_begin(&progress, &p->c->err, "Uploading");
    enum err err = grpc_client_call(client, &r, answer, e);
    progress_end(&progress);
    return err;
}

static enum err upload(struct push *p, struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    CLEANUP(buf_deinit) struct buf answer;
    buf_init(&answer, MIB(8));
    SAY(p, "Uploading skill artifact...\n");
    (void)fflush(p->c->out.f);
    TRY(remote_open(p->c, true, &client, e));
    TRY(send(p, client, &answer, e));
    TRY(message_unpack(buf_view(&answer), &pb_skill(skill__descriptor), &p->answer, e));
    struct skill_view v = skill_view_of(p->answer);
    if (!str_eq(v.hash, str_c(p->artifact.hex)))
        return FAIL(e, ERR_DATA_LOSS, "push.hash",
                    "the server stored another version than the one sent: %.*s",
                    STR_ARG(str_head(v.hash, SHA256_HEX_LEN)));
    say_done(p, "Skill artifact uploaded successfully\n");
    return ERR_OK;
}

static enum err print_json(const struct push *p, struct error *e)
{
    json_t *j = json_pack("{so so so ss sI sI sb so}", "name", json_of_text(str_c(p->name)), "org",
                          json_of_text(str_c(p->org)), "tag", json_of_text(str_c(p->tag)),
                          "versionHash", p->artifact.hex, "size", (json_int_t)p->artifact.size,
                          "files", (json_int_t)p->artifact.n_files, "dryRun", p->answer == NULL,
                          "skill", p->answer ? json_of_message(&p->answer->base) : json_null());
    return json_print(&p->c->out, j, e);
}

static void print_next_steps(const struct push *p)
{
    const struct term *t = &p->c->out;
    struct skill_view v = skill_view_of(p->answer);
    term_printf(t, "\nNext steps:\n  - Reference it in an agent:  ");
    skill_print_ref(t, &v);
    term_printf(t, "\n  - Read it back:              stigmer skill show ");
    skill_print_ref(t, &v);
    term_printf(t, "\n  - See all its versions:      stigmer skill versions ");
    skill_print_ref(t, &v);
    term_printf(t, "\n");
}

static enum err print_result(struct push *p, struct error *e)
{
    char size[SIZE_TEXT_MAX];
    size_format(p->artifact.size, size);
    if (p->c->args.json)
        return print_json(p, e);
    if (!p->answer) {
        SAY(p, "\nDry run: %u files are ready, nothing was sent.\n", p->artifact.n_files);
        return ERR_OK;
    }
    SAY(p, "\n🚀 Skill uploaded successfully!\n\nSkill Details:\n");
    say_name(p, "  Name:         ");
    SAY(p, "  Version Hash: %s\n  Tag:          %s\n  Size:         %s\n", p->artifact.hex, p->tag,
        size);
    print_next_steps(p);
    return ERR_OK;
}

enum err push_run(struct cli *c, const char *announce, struct error *e)
{
    CLEANUP(push_deinit) struct push p = {.c = c, .artifact = ARTIFACT_FILE_INIT};
    TRY(choose(&p, e));
    if (announce)
        SAY(&p, "%s\n\n", announce);
    TRY(pack(&p, e));
    TRY(skill_md_review(c, p.dir, e));
    if (!c->args.dry_run)
        TRY(upload(&p, e));
    return print_result(&p, e);
}
