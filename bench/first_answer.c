/*
 * Starts a server and asks it for a skill until it answers: how long does that take?
 *
 *     bench_first_answer PROGRAM PORT SLUG
 *
 * The environment is passed on and must say GRPC_PORT=PORT. Prints milliseconds; ends the server.
 */
#include "base/clock.h"
#include "base/macro.h"
#include "grpc/message.h"
#include "pb.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (30 * NS_PER_S)
#define PAUSE_US    200

extern char **environ;

static enum err ask(const char *target, const char *slug, struct error *e)
{
    const struct message_call call = {"/ai.stigmer.agentic.skill.v1.SkillQueryController/"
                                      "getByReference",
                                      10000, MIB(1)};
    const struct grpc_client_options o = {.target = str_c(target)};
    struct grpc_client *c;
    PB_SKILL(Skill) *skill = NULL;
    PB_RES(ApiResourceReference) r = PB_RES_C(API_RESOURCE_REFERENCE__INIT);
    r.slug = (char *)(uintptr_t)slug;
    TRY(grpc_client_open(&o, &c, e));
    enum err err = message_call(c, &call, &r.base, &pb_skill(skill__descriptor), (void *)&skill, e);
    if (skill)
        pb_skill(skill__free_unpacked)(skill, NULL);
    grpc_client_close(c);
    return err;
}

int main(int argc, char **argv)
{
    char target[40];
    struct error e;
    pid_t pid;
    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench_first_answer PROGRAM PORT SLUG\n");
        return 2;
    }
    (void)snprintf(target, sizeof target, "127.0.0.1:%s", argv[2]);
    int64_t began = clock_mono_ns();
    if (posix_spawn(&pid, argv[1], NULL, NULL, (char *[]){argv[1], NULL}, environ) != 0) {
        (void)fprintf(stderr, "bench_first_answer: cannot start %s\n", argv[1]);
        return 1;
    }
    enum err err = ask(target, argv[3], &e);
    for (; err == ERR_UNAVAILABLE && clock_mono_ns() - began < PATIENCE_NS;
         err = ask(target, argv[3], &e))
        (void)usleep(PAUSE_US);
    int64_t took = clock_mono_ns() - began;
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
    if (err != ERR_OK)
        (void)fprintf(stderr, "bench_first_answer: %s\n", e.msg);
    else
        printf("%.2f\n", (double)took / 1e6);
    return err == ERR_OK ? 0 : 1;
}
