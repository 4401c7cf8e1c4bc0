#include "cli/opt.h"

#include <stdio.h>

static const struct command *const root_subs[] = {
    &cmd_apply,  &cmd_audit,   &cmd_skill,      &cmd_agent, &cmd_cache,
    &cmd_server, &cmd_version, &cmd_completion, &cmd_help,  NULL,
};

static const struct opt root_table[] = {
    OPT_ROW_FLAG('V', "version", version, "print the version"),
    OPT_ROW_END,
};
static const struct opt *const root_options[] = {root_table, NULL};

const struct command cmd_root = {
    .name = "stigmer",
    .summary = "package, publish and read skills",
    .text =
        "Packs a directory with a SKILL.md into a sealed archive, pushes it to a stigmer-server\n"
        "and reads skills back by name, tag or hash. A local server is started when needed.\n",
    .options = root_options,
    .subs = root_subs,
};

static const struct command *const skill_subs[] = {
    &cmd_skill_push,  &cmd_skill_get, &cmd_skill_list, &cmd_skill_versions, &cmd_skill_show,
    &cmd_skill_files, &cmd_skill_tag, &cmd_skill_pull, &cmd_skill_delete,   NULL,
};

const struct command cmd_skill = {
    .name = "skill",
    .summary = "push, read, tag, download and delete skills",
    .text =
        "REF names a skill: [@ORG/]SLUG[:TAG|@HASH], for example calculator, @local/calculator,\n"
        "calculator:v1 or calculator@<64 hex digits>. Without a tag or hash it is the current\n"
        "version; without an organization the server looks for the one skill of that name.\n",
    .subs = skill_subs,
};

static const struct command *const agent_subs[] = {
    &cmd_agent_resolve, &cmd_agent_fetch, &cmd_agent_mount, &cmd_agent_unmount,
    &cmd_agent_prompt,  &cmd_agent_exec,  &cmd_agent_run,   NULL,
};

const struct command cmd_agent = {
    .name = "agent",
    .summary = "skills for an agent: resolve, fetch, mount, prompt, run",
    .text =
        "What an agent needs of its skills: exact versions, verified files, a place to run them\n"
        "from, and the text for its prompt. References come as arguments, from --refs-file, or "
        "are\n"
        "all those of skills.lock, which is honoured wherever it is.\n",
    .subs = agent_subs,
};

static const struct command *const cache_subs[] = {&cmd_cache_prune, NULL};

const struct command cmd_cache = {
    .name = "cache",
    .summary = "look after the cache of unpacked skills",
    .text = "The cache is $XDG_CACHE_HOME/stigmer, else ~/.cache/stigmer. Everything in it can be\n"
            "fetched again.\n",
    .subs = cache_subs,
};

static const struct command *const server_subs[] = {
    &cmd_server_start, &cmd_server_stop, &cmd_server_status, &cmd_server_run, NULL,
};

const struct command cmd_server = {
    .name = "server",
    .summary = "start, stop and look at the local stigmer-server",
    .text = "One server runs for each home directory: its data is in ~/.stigmer.\n",
    .subs = server_subs,
};

const struct command *command_find(const struct command *group, str name)
{
    for (const struct command *const *sub = group->subs; sub && *sub; sub++)
        if (str_eq(str_c((*sub)->name), name))
            return *sub;
    return NULL;
}

size_t command_walk(const struct command **cmd, const char *const *words, size_t n_words,
                    char *path)
{
    size_t used = 0;
    int len = snprintf(path, COMMAND_PATH_MAX, "%s", (*cmd)->name);
    while (used < n_words) {
        const struct command *sub = command_find(*cmd, str_c(words[used]));
        if (!sub)
            break;
        *cmd = sub;
        used++;
        len += snprintf(path + len, COMMAND_PATH_MAX - (size_t)len, " %s", sub->name);
    }
    return used;
}
