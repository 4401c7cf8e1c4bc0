#include "agent/ref.h"

#include "digest/sha256.h"

/* Bounds in bytes (API.md section 3). */
enum { ORG_MAX = 128, SLUG_MAX = 256, TAG_MAX = 128 };

#define SYNTAX(e, ...) FAIL((e), ERR_INVALID_ARGUMENT, REF_SYNTAX, __VA_ARGS__)

static bool is_slug(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return s.len > 0 && s.len <= SLUG_MAX;
}

static bool is_hash(str s)
{
    struct digest d;
    return digest_from_hex(s, &d);
}

enum err ref_check_org(str org, struct error *e)
{
    if (!str_is_label(org) || org.len > ORG_MAX)
        return SYNTAX(e, "\"%.*s\" is not an organization: 1 to %d characters of A-Z a-z 0-9 . _ -",
                      STR_ARG(org), ORG_MAX);
    return ERR_OK;
}

enum err ref_check_tag(str tag, struct error *e)
{
    if (!str_is_label(tag) || tag.len > TAG_MAX)
        return SYNTAX(e, "\"%.*s\" is not a tag: 1 to %d characters of A-Z a-z 0-9 . _ -",
                      STR_ARG(tag), TAG_MAX);
    if (is_hash(tag))
        return SYNTAX(e, "a tag cannot look like a version hash: %.*s", STR_ARG(tag));
    return ERR_OK;
}

static enum err parse_version(str rest, struct ref *ret, struct error *e)
{
    str version = str_skip(rest, 1);
    if (rest.p[0] == '@' && !is_hash(version))
        return SYNTAX(e, "\"%.*s\" is not a version hash: 64 digits of 0-9 a-f follow the @",
                      STR_ARG(version));
    if (rest.p[0] == ':' && (!str_is_label(version) || version.len > TAG_MAX))
        return SYNTAX(e, "\"%.*s\" is not a tag: 1 to %d characters of A-Z a-z 0-9 . _ -",
                      STR_ARG(version), TAG_MAX);
    ret->version = version;
    return ERR_OK;
}

static enum err parse_org(str *rest, struct ref *ret, struct error *e)
{
    str org;
    if (!str_cut(str_skip(*rest, 1), '/', &org, rest))
        return SYNTAX(e, "a reference that starts with @ reads @ORG/SLUG");
    TRY(ref_check_org(org, e));
    ret->org = org;
    return ERR_OK;
}

enum err ref_parse(str text, struct ref *ret, struct error *e)
{
    str rest = text;
    size_t n = 0;
    *ret = (struct ref){0};
    if (str_starts_with(rest, STR("@")))
        TRY(parse_org(&rest, ret, e));
    while (n < rest.len && rest.p[n] != ':' && rest.p[n] != '@')
        n++;
    ret->slug = str_head(rest, n);
    if (!is_slug(ret->slug))
        return SYNTAX(e, "\"%.*s\" is not a skill: [@ORG/]SLUG[:TAG|@HASH], SLUG of a-z 0-9 -",
                      STR_ARG(text));
    return n < rest.len ? parse_version(str_skip(rest, n), ret, e) : ERR_OK;
}
