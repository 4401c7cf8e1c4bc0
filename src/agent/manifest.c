#include "agent/manifest.h"

#include "base/hex.h"
#include "base/macro.h"

#include <stdlib.h>

#define HEAD STR("stigmer-manifest 1\n")
#define TAIL STR("sha256 ")

void manifest_deinit(struct manifest *m)
{
    buf_deinit(&m->text);
    free(m->entries);
    *m = (struct manifest){0};
}

/* --- writing --- */

static enum err add_line(struct zip_names *names, const struct zip_entry *z, struct buf *text,
                         struct error *e)
{
    str name;
    char hex[SHA256_HEX_LEN + 1];
    if (z->left_out)
        return ERR_OK;
    TRY(zip_names_get(names, z, &name, e));
    digest_to_hex(&z->sha256, hex);
    if (z->directory)
        buf_addf(text, "d ");
    else
        buf_addf(text, "f %04o %u %s ", (unsigned)z->mode, z->usize, hex);
    buf_add(text, name);
    buf_add_char(text, '\n');
    return buf_status(text, e);
}

static enum err add_lines(struct zip_names *names, const struct zip_report *report,
                          struct buf *text, struct error *e)
{
    CLEANUP(freep) uint32_t *order = calloc(report->n_entries + 1, sizeof *order);
    if (!order)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < report->n_entries; i++)
        order[i] = (uint32_t)i;
    TRY(zip_names_sort(names, report->entries, order, report->n_entries, e));
    for (size_t i = 0; i < report->n_entries; i++)
        TRY(add_line(names, &report->entries[order[i]], text, e));
    return ERR_OK;
}

enum err manifest_write(int fd, uint64_t size, const struct zip_report *report, struct buf *text,
                        struct error *e)
{
    CLEANUP(zip_names_closep) struct zip_names *names = NULL;
    struct digest sum;
    char hex[SHA256_HEX_LEN + 1];
    buf_add(text, HEAD);
    TRY(zip_names_open(fd, size, &names, e));
    TRY(add_lines(names, report, text, e));
    TRY(sha256_of(buf_view(text), &sum, e));
    digest_to_hex(&sum, hex);
    buf_addf(text, "sha256 %s\n", hex);
    return buf_status(text, e);
}

/* --- reading --- */

static enum err damaged(struct error *e)
{
    return FAIL(e, ERR_DATA_LOSS, "manifest.damaged", "the manifest is damaged");
}

static bool parse_mode(str text, mode_t *ret)
{
    *ret = str_eq(text, STR("0755")) ? 0755 : 0644;
    return str_eq(text, STR("0755")) || str_eq(text, STR("0644"));
}

static bool parse_file(str line, struct manifest_entry *ret)
{
    str mode, size, hex;
    return str_cut(line, ' ', &mode, &line) && str_cut(line, ' ', &size, &line) &&
           str_cut(line, ' ', &hex, &ret->path) && parse_mode(mode, &ret->mode) &&
           str_to_u64(size, &ret->size) && digest_from_hex(hex, &ret->sha256) &&
           ret->path.len > 0 && !str_ends_with(ret->path, STR("/"));
}

static bool parse_line(str line, struct manifest_entry *ret)
{
    *ret = (struct manifest_entry){.mode = 0755};
    if (str_starts_with(line, STR("f ")))
        return parse_file(str_skip(line, 2), ret);
    ret->directory = true;
    ret->path = str_starts_with(line, STR("d ")) ? str_skip(line, 2) : STR_NULL;
    return ret->path.len > 1 && str_ends_with(ret->path, STR("/"));
}

/* Cuts the lines between head and tail out of the text, when the tail's hash is theirs. */
static enum err cut_body(str text, str *ret, struct error *e)
{
    const size_t tail = TAIL.len + SHA256_HEX_LEN + 1;
    struct digest is, want;
    if (!str_starts_with(text, HEAD) || text.len < HEAD.len + tail)
        return damaged(e);
    str end = str_skip(text, text.len - tail);
    TRY(sha256_of(str_head(text, text.len - tail), &is, e));
    if (!str_starts_with(end, TAIL) || !str_ends_with(end, STR("\n")) ||
        !digest_from_hex(str_head(str_skip(end, TAIL.len), SHA256_HEX_LEN), &want) ||
        !digest_eq(&is, &want))
        return damaged(e);
    *ret = str_skip(str_head(text, text.len - tail), HEAD.len);
    return ERR_OK;
}

static size_t count_lines(str body)
{
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        n += body.p[i] == '\n';
    return n;
}

static enum err parse_lines(str body, struct manifest *m, struct error *e)
{
    str line;
    m->entries = calloc(count_lines(body) + 1, sizeof *m->entries);
    if (!m->entries)
        return FAIL_NOMEM(e);
    while (body.len) {
        struct manifest_entry *at = &m->entries[m->n_entries];
        if (!str_cut(body, '\n', &line, &body) || !parse_line(line, at) ||
            (m->n_entries && str_cmp(at[-1].path, at->path) >= 0) ||
            __builtin_add_overflow(m->size, at->size, &m->size))
            return damaged(e);
        m->n_entries++;
    }
    return ERR_OK;
}

static enum err read(struct manifest *m, struct error *e)
{
    str body;
    TRY(cut_body(buf_view(&m->text), &body, e));
    return parse_lines(body, m, e);
}

enum err manifest_read(struct buf *text, struct manifest *ret, struct error *e)
{
    *ret = (struct manifest){.text = *text};
    *text = (struct buf){.max = text->max};
    enum err err = read(ret, e);
    if (err != ERR_OK)
        manifest_deinit(ret);
    return err;
}

size_t manifest_search(const struct manifest *m, str path)
{
    size_t low = 0, high = m->n_entries;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (str_cmp(m->entries[mid].path, path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
