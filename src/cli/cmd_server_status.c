/* stigmer server status */
#include "cli/daemon.h"
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/remote.h"

enum { STATUS_TIMEOUT_S = 2 };

struct status {
    struct address address;
    bool healthy;
    struct error why_not; /* when not healthy */
    bool ours;            /* a process by our pid file */
    pid_t pid;
    int64_t uptime_s;
    char version[DAEMON_VERSION_MAX]; /* empty = not known */
    char log_path[SYS_PATH_MAX];
};

static enum err look(struct cli *c, struct status *s, struct error *e)
{
    CLEANUP(daemon_close) struct daemon d = DAEMON_INIT;
    TRY(address_choose(c->args.server, &s->address, e));
    TRY(daemon_open(&d, false, e));
    TRY(daemon_find(&d, e));
    int64_t timeout_ms = remote_timeout_ms(c, STATUS_TIMEOUT_S);
    s->healthy = remote_health(c, &s->address, timeout_ms, &s->why_not) == ERR_OK;
    s->ours = d.pidfd >= 0 && sys_proc_uptime(d.pid, &s->uptime_s, e) == ERR_OK;
    s->pid = d.pid;
    if (s->ours)
        daemon_version(&d, s->version);
    memcpy(s->log_path, d.log_path, sizeof s->log_path);
    return ERR_OK;
}

static enum err print_json(struct cli *c, const struct status *s, struct error *e)
{
    json_t *j = json_pack("{sb ss sb}", "running", s->ours || s->healthy, "address",
                          s->address.text, "healthy", s->healthy);
    int failed = json_object_set_new(j, "pid", s->ours ? json_integer(s->pid) : json_null());
    failed |=
        json_object_set_new(j, "uptimeSeconds", s->ours ? json_integer(s->uptime_s) : json_null());
    failed |= json_object_set_new(j, "version",
                                  s->version[0] ? json_of_text(str_c(s->version)) : json_null());
    failed |= json_object_set_new(j, "log", json_of_text(str_c(s->log_path)));
    if (failed) {
        json_decref(j);
        j = NULL;
    }
    return json_print(&c->out, j, e);
}

static void print_text(struct cli *c, const struct status *s)
{
    char uptime[SIZE_TEXT_MAX];
    const struct term *t = &c->out;
    if (!s->ours && !s->healthy) {
        term_printf(t, "stigmer-server is not running.\n");
        return;
    }
    duration_format(s->uptime_s, uptime);
    term_printf(t, "stigmer-server is running%s\n",
                s->ours ? "." : ", but was not started by \"stigmer server start\".");
    if (s->version[0]) {
        term_printf(t, "  Version:  ");
        term_foreign(t, str_c(s->version));
        term_printf(t, "\n");
    }
    if (s->ours)
        term_printf(t, "  Pid:      %d\n  Uptime:   %s\n", (int)s->pid, uptime);
    term_printf(t, "  Address:  %s\n  Healthy:  ", s->address.text);
    term_styled(t, s->healthy ? TERM_GREEN : TERM_RED, s->healthy ? "yes" : "no");
    if (!s->healthy) {
        term_printf(t, ", ");
        term_foreign(t, str_c(s->why_not.msg));
    }
    if (s->ours) {
        term_printf(t, "\n  Log:      ");
        term_foreign(t, str_c(s->log_path));
    }
    term_printf(t, "\n");
}

static enum err run(struct cli *c, struct error *e)
{
    struct status s = {0};
    TRY(look(c, &s, e));
    if (!s.ours && !s.healthy)
        c->exit_code = CLI_EXIT_NOT_RUNNING;
    if (c->args.json)
        return print_json(c, &s, e);
    print_text(c, &s);
    return ERR_OK;
}

static const struct opt table[] = {
    OPT_ROW_TIMEOUT("how long to wait for its answer (default: 2)"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {opt_table_json, opt_table_connect, table, NULL};

const struct command cmd_server_status = {
    .name = "status",
    .summary = "tell whether the server runs and answers",
    .text =
        "Tells the process that \"server start\" started (pid and uptime) and whether a server\n"
        "answers its health check at the address.\n",
    .exit_codes = "0 running, 1 failure, 2 wrong usage, 3 not running",
    .options = options,
    .run = run,
};
