#include "cli/progress.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/sys_proc.h"

enum { BAR_MAX = 32, BESIDE_BAR = 46, REDRAW_MS = 50 };

void progress_begin(struct progress *p, const struct term *t, const char *label)
{
    *p = (struct progress){.term = t, .label = label};
}

static void draw(struct progress *p, uint64_t done, uint64_t total)
{
    static const char full[] = "################################";
    static const char rest[] = "................................";
    _Static_assert(sizeof full - 1 == BAR_MAX && sizeof rest - 1 == BAR_MAX, "bar width");
    unsigned columns = sys_tty_columns(fileno(p->term->f));
    int width = columns > BESIDE_BAR ? (int)MIN(columns - BESIDE_BAR, (unsigned)BAR_MAX) : 0;
    double part = total ? (double)MIN(done, total) / (double)total : 1;
    int filled = (int)(part * width);
    char a[SIZE_TEXT_MAX], b[SIZE_TEXT_MAX];
    size_format(done, a);
    size_format(total, b);
    /* ECMA-48 EL: clear to the end of the line */
    term_printf(p->term, "\r%-11s [%.*s%.*s] %3d%%  %s of %s\033[K", p->label, filled, full,
                width - filled, rest, (int)(part * 100), a, b);
    (void)fflush(p->term->f);
}

void progress_update(void *ctx, uint64_t done, uint64_t total)
{
    struct progress *p = ctx;
    int64_t now = clock_mono_ns();
    if (!p->term->tty || (p->drawn && now - p->drawn_ns < REDRAW_MS * NS_PER_MS && done != total))
        return;
    draw(p, done, total);
    p->drawn = true;
    p->drawn_ns = now;
}

void progress_end(struct progress *p)
{
    if (!p->drawn)
        return;
    term_printf(p->term, "\r\033[K");
    (void)fflush(p->term->f);
    p->drawn = false;
}
