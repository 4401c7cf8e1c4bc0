#include "cli/skill_md.h"

#include "base/arena.h"
#include "base/sys.h"
#include "skillmd/skillmd.h"

#include <fcntl.h>

enum { WARNINGS_SHOWN = 5 };

static enum err read_text(const char *dir, struct buf *to, struct error *e)
{
    size_t n;
    CLEANUP(sys_closep) int dirfd = -1;
    CLEANUP(sys_closep) int fd = -1;
    char *room = buf_reserve(to, SKILLMD_MAX);
    TRY(buf_status(to, e));
    TRY(sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &dirfd, e));
    TRY(sys_openat(dirfd, "SKILL.md", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, e));
    TRY(sys_pread(fd, room, SKILLMD_MAX, 0, &n, e)); /* the packer saw that it is no longer */
    to->len = n;
    return ERR_OK;
}

/* "Warning: SKILL.md:3:5: <message> [<rule id>]" */
static void print_warning(const struct term *t, const struct skillmd_finding *f)
{
    term_styled(t, TERM_YELLOW, "Warning:");
    term_printf(t, " SKILL.md");
    if (f->line)
        term_printf(t, ":%u:%u", f->line, f->column);
    term_printf(t, ": %s [%s]\n", f->message, f->rule->id);
}

/* Returns how many there are. */
static size_t print_warnings(const struct term *t, const struct skillmd_report *r)
{
    size_t n = r->n_dropped, shown = 0;
    for (size_t i = 0; i < r->n_findings; i++) {
        if (r->findings[i].refuses)
            continue;
        n++;
        if (shown < WARNINGS_SHOWN) {
            print_warning(t, &r->findings[i]);
            shown++;
        }
    }
    if (n > shown) {
        term_styled(t, TERM_YELLOW, "Warning:");
        term_printf(t, " SKILL.md: and %zu more\n", n - shown);
    }
    return n;
}

static enum err judge(const struct cli *c, const struct skillmd_report *r, struct arena *a,
                      struct error *e)
{
    size_t n = print_warnings(&c->err, r);
    if (r->refused) {
        const char *reason = skillmd_reason(r, a);
        return reason
                   ? FAIL(e, ERR_INVALID_ARGUMENT, "push.text", "SKILL.md is refused: %s", reason)
                   : FAIL_NOMEM(e);
    }
    if (c->args.strict && n > 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "push.strict",
                    "SKILL.md has %zu warning%s, which --strict takes as errors", n,
                    n == 1 ? "" : "s");
    return ERR_OK;
}

enum err skill_md_review(const struct cli *c, const char *dir, struct error *e)
{
    struct skillmd_report report;
    CLEANUP(buf_deinit) struct buf text;
    CLEANUP(arena_deinit) struct arena a;
    arena_init(&a, MIB(1));
    buf_init(&text, SKILLMD_MAX);
    TRY(read_text(dir, &text, e));
    TRY(skillmd_check(buf_view(&text), &a, &report, e));
    return judge(c, &report, &a, e);
}
