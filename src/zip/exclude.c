#include "zip/exclude.h"

#include "base/macro.h"
#include "base/sys.h"
#include "zip/glob.h"

#include <stdlib.h>

#define KEY_SEARCH KIB(64)

static const char *const junk_directories[] = {
    ".git", "node_modules", ".venv", "venv", "__pycache__", ".pytest_cache", ".idea", ".vscode",
};
static const char *const junk_files[] = {
    ".DS_Store", "Thumbs.db", "*.pyc", "*.pyo", "*.pyd", "*.so", "*.dylib",
    "*.dll",     "*.class",   "*.log", "*.swp", "*.swo", "*~",
};
/* Of any kind: in a submodule .git is a file, and .env may be a virtual environment. */
static const char *const junk[] = {".git", ".env", ".env.*"};
static const char *const secrets[] = {
    "id_rsa",        "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519",
    "id_ed25519_sk", ".npmrc", ".netrc",   "_netrc",      ".ssh",
};
static const char *const key_files[] = {"*.pem", "*.key"};

static bool matches(str name, const char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (glob_match(str_c(patterns[i]), name))
            return true;
    return false;
}

#define MATCHES(name, list) matches((name), (list), ARRAY_SIZE(list))

enum exclude exclude_name(str name, unsigned kind)
{
    bool directory = kind == S_IFDIR || kind == S_IFLNK; /* a link to what would be left out */
    if (MATCHES(name, secrets))
        return EXCLUDE_SECRET;
    if (MATCHES(name, junk) || (directory && MATCHES(name, junk_directories)) ||
        (kind != S_IFDIR && MATCHES(name, junk_files)))
        return EXCLUDE_JUNK;
    return EXCLUDE_NO;
}

bool exclude_may_hold_key(str name)
{
    return MATCHES(name, key_files);
}

enum err exclude_holds_key(int fd, bool *ret, struct error *e)
{
    size_t n = 0;
    CLEANUP(freep) char *p = malloc(KEY_SEARCH);
    if (!p)
        return FAIL_NOMEM(e);
    TRY(sys_pread(fd, p, KEY_SEARCH, 0, &n, e));
    *ret = str_find_str(str_of(p, n), STR("PRIVATE KEY-----")) >= 0;
    return ERR_OK;
}
