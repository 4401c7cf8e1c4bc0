/* The server under test as a process. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 30000 };

void server_init(struct server *s, const char *program, const char *dir)
{
    *s = (struct server){.program = program, .log_fd = -1};
    (void)snprintf(s->dir, sizeof s->dir, "%s", dir);
}

/* In the child: the environment that the server reads. */
static void set_environment(const struct server *s)
{
    char storage[LAB_PATH_MAX], db[LAB_PATH_MAX];
    lab_path(storage, s->dir, "storage");
    lab_path(db, s->dir, "db");
    (void)setenv("STORAGE_PATH", storage, 1);
    (void)setenv("DB_PATH", db, 1);
    (void)setenv("HOME", s->dir, 1);
    (void)setenv("GRPC_PORT", "0", 1);
    (void)setenv("GRPC_LISTEN", "127.0.0.1", 1);
    (void)setenv("LOG_FORMAT", "json", 1);
    (void)setenv("LOG_LEVEL", "info", 1);
}

void server_exec(const struct server *s, const char *const *args, int out, int err)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    set_environment(s);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    (void)execv(s->program, (char *const *)(uintptr_t)args);
    _exit(127);
}

void server_spawn(struct server *s)
{
    int p[2];
    const char *const args[] = {s->program, "serve", NULL};
    if (pipe2(p, O_CLOEXEC) < 0 || fcntl(p[0], F_SETPIPE_SZ, 1 << 20) < 0)
        lab_die("pipe: errno %d", errno);
    (void)fcntl(p[0], F_SETFL, O_NONBLOCK);
    (void)fflush(NULL);
    s->log_len = s->port = 0;
    s->pid = fork();
    if (s->pid < 0)
        lab_die("fork: errno %d", errno);
    if (s->pid == 0)
        server_exec(s, args, p[1], p[1]);
    (void)close(p[1]);
    s->log_fd = p[0];
}

void server_drain(struct server *s)
{
    char rest[4096];
    for (;;) {
        size_t room = sizeof s->log - 1 - s->log_len;
        ssize_t n = read(s->log_fd, room ? s->log + s->log_len : rest, room ? room : sizeof rest);
        if (n <= 0)
            break;
        s->log_len += room ? (size_t)n : 0;
    }
    s->log[s->log_len] = '\0';
}

static bool find_port(struct server *s)
{
    static const char key[] = "\"port\":";
    const char *at = strstr(s->log, key);
    if (at)
        s->port = (unsigned)strtoul(at + sizeof key - 1, NULL, 10);
    return s->port != 0;
}

bool server_wait_port(struct server *s)
{
    struct pollfd p = {.fd = s->log_fd, .events = POLLIN};
    for (;;) {
        if (poll(&p, 1, START_MS) <= 0)
            lab_die("the server said nothing for %d s: %s", START_MS / 1000, s->log);
        server_drain(s);
        if (find_port(s))
            return true;
        if (p.revents & POLLHUP)
            return false;
    }
}

bool server_start(struct server *s)
{
    server_spawn(s);
    if (server_wait_port(s))
        return true;
    lab_violation("the server does not start: %s", s->log);
    server_kill(s);
    return false;
}

void server_kill(struct server *s)
{
    if (s->pid) {
        (void)kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    }
    if (s->log_fd >= 0)
        (void)close(s->log_fd);
    s->pid = 0;
    s->log_fd = -1;
}

int server_run(const struct server *s, const char *const *args, struct buf *out)
{
    int p[2], status;
    char some[4096];
    if (pipe2(p, O_CLOEXEC) < 0)
        lab_die("pipe: errno %d", errno);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        lab_die("fork: errno %d", errno);
    if (pid == 0)
        server_exec(s, args, p[1], p[1]);
    (void)close(p[1]);
    for (ssize_t n; (n = read(p[0], some, sizeof some)) != 0;)
        if (n > 0)
            buf_add(out, str_of(some, (size_t)n));
    (void)close(p[0]);
    if (waitpid(pid, &status, 0) < 0)
        lab_die("waitpid: errno %d", errno);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
