/* stigmer server status */
#include "base/clock.h"
#include "cli/daemon.h"
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "stigmer/server/v1/status.pb-c.h"

enum { STATUS_TIMEOUT_S = 2 };

struct status {
    struct address address;
    bool healthy;
    struct error why_not;                    /* when not healthy */
    Stigmer__Server__V1__ServerState *state; /* NULL: it does not tell */
    bool ours;                               /* a process by our pid file */
    pid_t pid;
    int64_t uptime_s;
    char version[DAEMON_VERSION_MAX]; /* empty = not known */
    char log_path[SYS_PATH_MAX];
};

static void status_deinit(struct status *s)
{
    if (s->state)
        protobuf_c_message_free_unpacked(&s->state->base, NULL);
}

/* A server that answers, but is older than this question, has no state. */
static void ask_state(struct cli *c, struct status *s, int64_t timeout_ms)
{
    struct error ignored;
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    Stigmer__Server__V1__GetServerStateRequest ask =
        STIGMER__SERVER__V1__GET_SERVER_STATE_REQUEST__INIT;
    if (remote_connect(c, &s->address, timeout_ms, &client, &ignored) != ERR_OK)
        return;
    (void)remote_call(c, client, "/stigmer.server.v1.ServerStatus/get", &ask.base,
                      &stigmer__server__v1__server_state__descriptor, &s->state, &ignored);
}

static enum err look(struct cli *c, struct status *s, struct error *e)
{
    CLEANUP(daemon_close) struct daemon d = DAEMON_INIT;
    TRY(address_choose(c->args.server, &s->address, e));
    TRY(daemon_open(&d, false, e));
    TRY(daemon_find(&d, e));
    int64_t timeout_ms = remote_timeout_ms(c, STATUS_TIMEOUT_S);
    s->healthy = remote_health(c, &s->address, timeout_ms, &s->why_not) == ERR_OK;
    ask_state(c, s, timeout_ms);
    s->ours = d.pidfd >= 0 && sys_proc_uptime(d.pid, &s->uptime_s, e) == ERR_OK;
    s->pid = d.pid;
    if (s->ours)
        daemon_version(&d, s->version);
    memcpy(s->log_path, d.log_path, sizeof s->log_path);
    return ERR_OK;
}

/* Also when it answers that it is not well. */
static bool is_running(const struct status *s)
{
    return s->ours || s->healthy || s->state;
}

/* null: there was none. */
static int json_scrub(json_t *j, const Stigmer__Server__V1__ServerState *s)
{
    char at[CLOCK_RFC3339_MAX];
    if (!s || !s->scrub_completed_at)
        return json_object_set_new(j, "lastScrub", json_null());
    clock_format_rfc3339(s->scrub_completed_at * NS_PER_S, at);
    return json_object_set_new(j, "lastScrub",
                               json_pack("{ss sI sI}", "completedAt", at, "archives",
                                         (json_int_t)s->scrub_archives, "damaged",
                                         (json_int_t)s->scrub_damaged));
}

/* null: not known. */
static int json_state(json_t *j, const Stigmer__Server__V1__ServerState *s)
{
    int failed =
        json_object_set_new(j, "takesPushes", s ? json_boolean(s->takes_pushes) : json_null());
    failed |=
        json_object_set_new(j, "takesDeletes", s ? json_boolean(s->takes_deletes) : json_null());
    failed |= json_object_set_new(j, "reason",
                                  s && s->reason[0] ? json_of_text(str_c(s->reason)) : json_null());
    return failed | json_scrub(j, s);
}

static enum err print_json(struct cli *c, const struct status *s, struct error *e)
{
    json_t *j = json_pack("{sb ss sb}", "running", is_running(s), "address", s->address.text,
                          "healthy", s->healthy);
    int failed = json_object_set_new(j, "pid", s->ours ? json_integer(s->pid) : json_null());
    failed |=
        json_object_set_new(j, "uptimeSeconds", s->ours ? json_integer(s->uptime_s) : json_null());
    failed |= json_object_set_new(j, "version",
                                  s->version[0] ? json_of_text(str_c(s->version)) : json_null());
    failed |= json_state(j, s->state);
    failed |= json_object_set_new(j, "log", json_of_text(str_c(s->log_path)));
    if (failed) {
        json_decref(j);
        j = NULL;
    }
    return json_print(&c->out, j, e);
}

static void print_scrub(const struct term *t, const Stigmer__Server__V1__ServerState *s)
{
    char at[CLOCK_RFC3339_MAX];
    uint64_t damaged = MAX(s->scrub_damaged, s->scrub_damaged_so_far);
    term_printf(t, "\n  Scrub:    ");
    if (s->scrub_completed_at) {
        clock_format_rfc3339(s->scrub_completed_at * NS_PER_S, at);
        term_printf(t, "%llu archives were read again until %s",
                    (unsigned long long)s->scrub_archives, at);
    } else {
        term_printf(t, "the archives were not yet read again");
    }
    if (damaged == 0)
        return;
    term_printf(t, ", ");
    term_styled(t, TERM_RED, "damage was found");
    term_printf(t, ": see stigmer-server check");
}

static void print_state(const struct term *t, const Stigmer__Server__V1__ServerState *s)
{
    term_printf(t, "\n  Changes:  ");
    if (s->takes_pushes) {
        term_printf(t, "taken");
        return;
    }
    term_styled(t, TERM_RED, s->takes_deletes ? "only deletes" : "none");
    term_printf(t, ", ");
    term_foreign(t, str_c(s->reason));
}

static void print_text(struct cli *c, const struct status *s)
{
    char uptime[SIZE_TEXT_MAX];
    const struct term *t = &c->out;
    if (!is_running(s)) {
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
    if (s->state) {
        print_state(t, s->state);
        print_scrub(t, s->state);
    }
    if (s->ours) {
        term_printf(t, "\n  Log:      ");
        term_foreign(t, str_c(s->log_path));
    }
    term_printf(t, "\n");
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(status_deinit) struct status s = {0};
    TRY(look(c, &s, e));
    if (!is_running(&s))
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
        "answers its health check at the address, and whether it takes changes: a server whose "
        "disk\n"
        "is full takes only deletes, one whose disk has failed takes none until that is well "
        "again.\n",
    .exit_codes = "0 running, 1 failure, 2 wrong usage, 3 not running",
    .options = options,
    .run = run,
};
