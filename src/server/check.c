/* stigmer-server check: looks for damage; also beside a running server. */
#include "check/check.h"
#include "base/macro.h"
#include "server/command.h"

#include <jansson.h>
#include <stdio.h>

static void print_finding(void *ctx, const struct check_finding *f)
{
    (void)ctx;
    printf("%s: %s\n", f->kind, f->text);
    if (f->skill && f->skill[0])
        printf("    concerns %s\n", f->skill);
}

static void print_finding_json(void *ctx, const struct check_finding *f)
{
    (void)ctx;
    json_t *line = json_pack("{s:s,s:s,s:s?}", "kind", f->kind, "text", f->text, "skill", f->skill);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(line);
}

typedef unsigned long long ull;

static void print_report(const struct check_report *r)
{
    printf("%s: %llu skills, %llu versions, %llu records on %llu pages, %llu archives with %llu "
           "bytes\n",
           r->findings ? "damaged" : "sound", (ull)r->skills, (ull)r->versions, (ull)r->records,
           (ull)r->pages, (ull)r->artifacts, (ull)r->bytes);
    if (r->garbage)
        printf("%llu archive%s held by no version; `stigmer-server gc` removes them\n",
               (ull)r->garbage, r->garbage == 1 ? " is" : "s are");
}

static void print_report_json(const struct check_report *r)
{
    printf("{\"sound\":%s,\"findings\":%llu,\"skills\":%llu,\"versions\":%llu,\"records\":%llu,"
           "\"pages\":%llu,\"lostPages\":%llu,\"archives\":%llu,\"bytes\":%llu,\"garbage\":%llu}\n",
           r->findings ? "false" : "true", (ull)r->findings, (ull)r->skills, (ull)r->versions,
           (ull)r->records, (ull)r->pages, (ull)r->lost_pages, (ull)r->artifacts, (ull)r->bytes,
           (ull)r->garbage);
}

enum err command_check(const struct config *c, const struct check_words *w, bool *ret_sound,
                       struct error *e)
{
    uint64_t lost = 0;
    struct check_report r;
    const struct check_options o = {
        .db_path = c->db_path,
        .storage_path = c->storage_path,
        .skip_artifacts = w->no_archives,
        .found = w->json ? print_finding_json : print_finding,
    };
    if (w->repair)
        TRY(repair(c, &lost, e));
    TRY(check_store(&o, &r, e));
    if (w->json)
        print_report_json(&r);
    else
        print_report(&r);
    *ret_sound = r.findings == 0 && lost == 0;
    if (fflush(stdout) != 0)
        return FAIL(e, ERR_INTERNAL, "check.write", "cannot write to standard output");
    return ERR_OK;
}
