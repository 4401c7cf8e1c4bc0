/* Request messages of every method: the first byte chooses the request, the rest is its bytes. */
#include "fuzz.h"

#include "api/request.h"
#include "base/macro.h"
#include "base/utf8.h"

struct result {
    enum err code;
    struct error e;
    str texts[4]; /* what was taken from the request */
};

static void take_ref(struct result *r, const struct skill_ref *ref)
{
    r->texts[0] = ref->org;
    r->texts[1] = ref->slug;
    r->texts[2] = ref->version;
}

static void push(str in, struct arena *a, struct result *r)
{
    struct skill_push p = {0};
    r->code = request_push(in, 1, a, &p, &r->e);
    r->texts[0] = p.name;
    r->texts[1] = p.org;
    r->texts[2] = p.tag;
    FUZZ_CHECK(r->code != ERR_OK || (p.name.len > 0 && p.name.len <= SKILL_NAME_MAX));
}

static void id(str in, struct arena *a, struct result *r)
{
    (void)a;
    r->code = request_id(in, &r->texts[0], &r->e);
}

static void artifact(str in, struct arena *a, struct result *r)
{
    (void)a;
    int64_t offset = 0;
    r->code = request_artifact(in, &r->texts[0], &offset, &r->e);
    FUZZ_CHECK(r->code != ERR_OK || offset >= 0);
}

static void reference(str in, struct arena *a, struct result *r)
{
    struct skill_ref ref = {0};
    r->code = request_reference(in, a, &ref, &r->e);
    take_ref(r, &ref);
}

static void by_tag(str in, struct arena *a, struct result *r)
{
    struct skill_ref ref = {0};
    r->code = request_by_tag(in, a, &ref, &r->e);
    take_ref(r, &ref);
}

static void by_hash(str in, struct arena *a, struct result *r)
{
    struct skill_ref ref = {0};
    r->code = request_by_hash(in, a, &ref, &r->e);
    take_ref(r, &ref);
}

static void find(str in, struct arena *a, struct result *r)
{
    struct skill_find q = {0};
    r->code = request_find(in, a, &q, &r->e);
    r->texts[0] = q.org;
    r->texts[1] = q.token;
    FUZZ_CHECK(r->code != ERR_OK || (q.page > 0 && q.page_size > 0 && q.page_size <= 100));
}

static void versions(str in, struct arena *a, struct result *r)
{
    struct skill_versions q = {0};
    r->code = request_versions(in, a, &q, &r->e);
    take_ref(r, &q.ref);
    r->texts[3] = q.token;
    FUZZ_CHECK(r->code != ERR_OK || (q.page_size > 0 && q.page_size <= 100));
}

static void files(str in, struct arena *a, struct result *r)
{
    struct skill_files q = {0};
    r->code = request_files(in, a, &q, &r->e);
    take_ref(r, &q.ref);
    r->texts[3] = q.token;
    FUZZ_CHECK(r->code != ERR_OK || (q.page_size > 0 && q.page_size <= SKILL_FILES_PAGE_MAX));
}

static void move_tag(str in, struct arena *a, struct result *r)
{
    struct skill_ref ref = {0};
    r->code = request_move_tag(in, a, &ref, &r->texts[3], &r->e);
    take_ref(r, &ref);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const requests[])(str, struct arena *, struct result *) = {
        push, id, artifact, reference, by_tag, by_hash, find, versions, move_tag, files};
    if (size == 0)
        return 0;
    struct arena a;
    arena_init(&a, MIB(4));
    struct result r = {0};
    requests[data[0] % ARRAY_SIZE(requests)](str_of(data + 1, size - 1), &a, &r);
    FUZZ_CHECK(r.code == ERR_OK || r.code == ERR_INVALID_ARGUMENT ||
               r.code == ERR_RESOURCE_EXHAUSTED);
    FUZZ_CHECK(r.code == ERR_OK || (r.e.sys == 0 && r.e.msg[0] != '\0'));
    for (size_t i = 0; r.code == ERR_OK && i < ARRAY_SIZE(r.texts); i++)
        FUZZ_CHECK(utf8_valid(r.texts[i]));
    arena_deinit(&a);
    return 0;
}
