/* What bubblewrap is told. That it holds is shown by the escape suite (tests/e2e/escapes). */
#include "sandbox/arguments.h"

#include "base/sys.h"
#include "test.h"

#include <string.h>

static char *const command[] = {(char[]){"true"}, NULL};

static struct sandbox plain(void)
{
    return (struct sandbox){.place = "/place", .argv = command, .limits = sandbox_limits_default};
}

struct words {
    struct buf bytes;
    const char *word[2000];
    size_t n;
};

static enum err write_words(const struct sandbox *s, const struct sandbox_filter *f,
                            struct words *ret, struct error *e)
{
    struct etc etc = ETC_INIT;
    buf_init(&ret->bytes, ARGUMENTS_MAX);
    enum err err = arguments_write(s, f, &etc, 7, 8, &ret->bytes, e);
    const char *p = ret->bytes.p, *end = p + ret->bytes.len;
    for (ret->n = 0; err == ERR_OK && p < end; p += strlen(p) + 1) {
        CHECK(ret->n < ARRAY_SIZE(ret->word));
        ret->word[ret->n++] = p;
    }
    return err;
}

/* Where the words a, b (and c) follow each other; -1: nowhere. */
static int find(const struct words *w, const char *a, const char *b, const char *c)
{
    for (size_t i = 0; i + 1 < w->n; i++)
        if (strcmp(w->word[i], a) == 0 && (!b || strcmp(w->word[i + 1], b) == 0) &&
            (!c || (i + 2 < w->n && strcmp(w->word[i + 2], c) == 0)))
            return (int)i;
    return -1;
}

static void get(const struct sandbox *s, struct words *ret)
{
    struct error e;
    const struct sandbox_filter none = SANDBOX_FILTER_INIT;
    CHECK_OK(write_words(s, &none, ret, &e), &e);
}

TEST(everything_is_apart_by_default)
{
    struct words w;
    struct sandbox s = plain();
    static const char *const alone[] = {
        "--unshare-user", "--unshare-pid",     "--unshare-ipc", "--unshare-uts", "--unshare-cgroup",
        "--unshare-net",  "--die-with-parent", "--new-session", "--clearenv",
    };
    get(&s, &w);
    for (size_t i = 0; i < ARRAY_SIZE(alone); i++)
        if (find(&w, alone[i], NULL, NULL) < 0)
            test_fail(__FILE__, __LINE__, "%s is missing", alone[i]);
    CHECK(find(&w, "--cap-drop", "ALL", NULL) >= 0);
    CHECK(find(&w, "--ro-bind", "/usr", "/usr") >= 0);
    CHECK(find(&w, "--ro-bind", "/proc/sys", "/proc/sys") > find(&w, "--proc", "/proc", NULL));
    CHECK(find(&w, "--json-status-fd", "7", NULL) >= 0);
    CHECK(find(&w, "--block-fd", "8", NULL) >= 0);
    CHECK_INT(find(&w, "--bind", NULL, NULL), -1); /* nothing of the host can be written */
    CHECK_INT(find(&w, "--add-seccomp-fd", NULL, NULL), -1);
    CHECK_INT(find(&w, "--ro-bind-try", NULL, NULL), -1);
    CHECK(find(&w, "--tmpfs", SANDBOX_WORKSPACE, NULL) >= 0);
    buf_deinit(&w.bytes);
}

TEST(the_root_is_closed_when_all_is_in_it)
{
    struct words w;
    struct sandbox s = plain();
    const struct sandbox_skill skill = {"/cache/skill", "abc"};
    const struct sandbox_bind binds[] = {{"/data", "/in", false}, {"/results", "/out", true}};
    s.skills = &skill;
    s.n_skills = 1;
    s.binds = binds;
    s.n_binds = 2;
    s.workspace = "/work";
    get(&s, &w);
    int closed = find(&w, "--remount-ro", "/", NULL);
    CHECK(find(&w, "--ro-bind", "/cache/skill", SANDBOX_SKILLS "/abc") >= 0);
    CHECK(find(&w, "--bind", "/work", SANDBOX_WORKSPACE) >= 0);
    CHECK(find(&w, "--ro-bind", "/data", "/in") >= 0);
    CHECK(find(&w, "--bind", "/results", "/out") >= 0);
    CHECK(find(&w, "--bind", "/results", "/out") < closed);
    CHECK(find(&w, "--remount-ro", SANDBOX_SKILLS, NULL) >
          find(&w, "--ro-bind", "/cache/skill", SANDBOX_SKILLS "/abc"));
    CHECK_INT(find(&w, "--tmpfs", SANDBOX_WORKSPACE, NULL), -1);
    buf_deinit(&w.bytes);
}

TEST(the_network_is_given_by_name_only)
{
    struct words w;
    struct sandbox s = plain();
    s.network = true;
    get(&s, &w);
    CHECK_INT(find(&w, "--unshare-net", NULL, NULL), -1);
    CHECK(find(&w, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf") >= 0);
    buf_deinit(&w.bytes);
}

TEST(variables_and_filters)
{
    struct words w;
    struct error e;
    struct sandbox s = plain();
    const char *const env[] = {"KEY=a=b", "EMPTY="};
    const struct sandbox_filter filter = {5, 6};
    s.env = env;
    s.n_env = 2;
    CHECK_OK(write_words(&s, &filter, &w, &e), &e);
    int cleared = find(&w, "--clearenv", NULL, NULL);
    CHECK(find(&w, "--setenv", "KEY", "a=b") > cleared);
    CHECK(find(&w, "--setenv", "EMPTY", "") > cleared);
    CHECK(find(&w, "--setenv", "HOME", SANDBOX_HOME) > cleared);
    CHECK(find(&w, "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin") > cleared);
    CHECK(find(&w, "--add-seccomp-fd", "5", "--add-seccomp-fd") >= 0);
    CHECK(find(&w, "--add-seccomp-fd", "6", NULL) >= 0);
    buf_deinit(&w.bytes);
}

static void refused(const struct sandbox *s, const char *part)
{
    struct words w;
    struct error e;
    const struct sandbox_filter none = SANDBOX_FILTER_INIT;
    CHECK_ERR(write_words(s, &none, &w, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), str_c(part));
    buf_deinit(&w.bytes);
}

TEST(what_makes_no_sense_is_refused)
{
    struct sandbox s = plain();
    static const struct sandbox_bind bad[] = {
        {"relative", "/in", false}, {"/data", "relative", false}, {"/data", "/", true}};
    static const char *const env[] = {"NOVALUE", "=nothing"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        s.binds = &bad[i];
        s.n_binds = 1;
        refused(&s, "absolute paths");
    }
    s.n_binds = 0;
    for (size_t i = 0; i < ARRAY_SIZE(env); i++) {
        s.env = &env[i];
        s.n_env = 1;
        refused(&s, "NAME=VALUE");
    }
}

TEST(etc_is_given_by_descriptors)
{
    struct etc etc;
    struct error e;
    struct buf text;
    char want[64];
    CHECK_OK(etc_open(&etc, &e), &e);
    buf_init(&text, ARGUMENTS_MAX);
    etc_arguments(&etc, &text);
    CHECK(etc.fds[0] >= 0);
    int n = snprintf(want, sizeof want, "--file%c%d%c/etc/passwd", 0, etc.fds[0], 0);
    CHECK_CONTAINS(buf_view(&text), str_of(want, (size_t)n));
    etc_deinit(&etc);
    for (size_t i = 0; i < ETC_FILES; i++)
        CHECK_INT(etc.fds[i], -1);
    buf_deinit(&text);
}
