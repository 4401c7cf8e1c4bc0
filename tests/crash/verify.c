/* Whether a server holds what its clients were told. */
#include "lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- worlds --- */

static bool see(struct grpc_client *g, const struct client *c, unsigned k, struct world_skill *ret)
{
    struct error e;
    if (api_see(g, c->epoch, c->id, k, ret, &e) == ERR_OK)
        return true;
    lab_violation("client %u, skill %u cannot be seen: %s: %s", c->id, k, err_name(e.code), e.msg);
    return false;
}

static void print_difference(const struct client *c, unsigned k, const struct world_skill *got,
                             const struct world_skill *next)
{
    lab_violation("client %u, skill %u is not what was acknowledged", c->id, k);
    world_skill_print("acknowledged", &c->done.skills[k]);
    if (next)
        world_skill_print("with the change under way", next);
    world_skill_print("found", got);
}

bool verify_client(struct grpc_client *g, struct client *c, bool *ret_applied)
{
    struct world_skill got;
    struct world next = c->done;
    bool ok = true;
    *ret_applied = false;
    if (c->in_flight)
        world_apply(&next, &c->pending);
    for (unsigned k = 0; k < LAB_SKILLS; k++) {
        bool open = c->in_flight && c->pending.skill == k;
        if (!see(g, c, k, &got)) {
            ok = false;
        } else if (open && world_skill_eq(&got, &next.skills[k])) {
            *ret_applied = true;
        } else if (!world_skill_eq(&got, &c->done.skills[k])) {
            print_difference(c, k, &got, open ? &next.skills[k] : NULL);
            ok = false;
        }
    }
    if (*ret_applied)
        c->done = next;
    return ok;
}

/* A delete that took place answers NOT_FOUND when it is repeated. */
static bool repeated_ok(const struct op *op, bool applied, enum err err)
{
    return err == ERR_OK || (op->kind == OP_DELETE && applied && err == ERR_NOT_FOUND);
}

void verify_retry(struct grpc_client *g, struct client *c, bool applied)
{
    struct error e;
    struct world_skill got;
    if (!c->in_flight)
        return;
    enum err err = api_do(g, c->epoch, c->id, &c->pending, &e);
    if (!repeated_ok(&c->pending, applied, err))
        lab_violation("client %u: the retry failed: %s: %s", c->id, err_name(err), e.msg);
    world_apply(&c->done, &c->pending);
    c->in_flight = false;
    if (see(g, c, c->pending.skill, &got) &&
        !world_skill_eq(&got, &c->done.skills[c->pending.skill]))
        print_difference(c, c->pending.skill, &got, NULL);
}

/* --- files --- */

struct digests {
    struct digest *all;
    size_t n, cap;
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

static void add(struct digests *ds, const struct digest *d)
{
    if (ds->n == ds->cap) {
        ds->cap = ds->cap ? ds->cap * 2 : 256;
        ds->all = realloc(ds->all, ds->cap * sizeof *ds->all);
        if (!ds->all)
            lab_die("no memory");
    }
    ds->all[ds->n++] = *d;
}

static bool hash_file(int dirfd, const char *name, struct digest *ret)
{
    struct stat st;
    struct error e;
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 && sha256_of_file(fd, (uint64_t)st.st_size, ret, &e) == ERR_OK;
    (void)close(fd);
    return ok;
}

static void check_name(int dirfd, const char *name, struct digests *found)
{
    struct digest want, got;
    if (strlen(name) != SHA256_HEX_LEN + 4 ||
        !digest_from_hex(str_head(str_c(name), SHA256_HEX_LEN), &want))
        lab_violation("a foreign file in the store: %s", name);
    else if (!hash_file(dirfd, name, &got))
        lab_violation("an artifact that cannot be read: %s", name);
    else if (!digest_eq(&want, &got))
        lab_violation("an artifact with wrong bytes: %s", name);
    else
        add(found, &got);
}

static void scan(const struct server *s, struct digests *found)
{
    char path[LAB_PATH_MAX];
    lab_path(path, s->dir, "storage/skills");
    DIR *dir = opendir(path);
    if (!dir) {
        lab_violation("the store cannot be read: %s", path);
        return;
    }
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir))
        if (d->d_name[0] != '.')
            check_name(dirfd(dir), d->d_name, found);
    (void)closedir(dir);
    if (found->n)
        qsort(found->all, found->n, sizeof *found->all, compare);
}

static void check_present(const struct client *c, unsigned k, const struct digests *found)
{
    char hex[SHA256_HEX_LEN + 1];
    const struct world_skill *s = &c->done.skills[k];
    for (unsigned i = 0; i < s->n_versions; i++) {
        const struct digest *d = &s->versions[i].digest;
        if (found->n && bsearch(d, found->all, found->n, sizeof *d, compare))
            continue;
        digest_to_hex(d, hex);
        lab_violation("client %u, skill %u, version %u has no artifact %s", c->id, k, i + 1, hex);
    }
}

void verify_files(const struct server *s, const struct client *clients, size_t n)
{
    struct digests found = {0};
    scan(s, &found);
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < LAB_SKILLS; k++)
            check_present(&clients[i], k, &found);
    free(found.all);
}

/* --- the server's own check --- */

void verify_check(const struct server *s)
{
    const char *const args[] = {s->program, "check", NULL};
    CLEANUP(buf_deinit) struct buf out;
    buf_init(&out, MIB(1));
    int status = server_run(s, args, &out);
    if (status != 0)
        lab_violation("check ended with %d: %s", status, buf_cstr(&out));
}
