#include "skillmd/show.h"
#include "test.h"

#include <stdio.h>

static char shown[SHOWN_MAX + 1];

static void check_shown(str text, const char *want)
{
    CHECK_STR(str_c(show(shown, text)), str_c(want));
}

TEST(what_is_not_printable_ascii_is_escaped)
{
    check_shown(STR(""), "");
    check_shown(STR_NULL, "");
    check_shown(STR(" az~"), " az~");
    check_shown(STR("\"\\'"), "\\\"\\\\'");
    check_shown(STR("\0\n\x1f\x7f"), "\\x00\\x0a\\x1f\\x7f");
    check_shown(STR("\xc2\x80\u00e9\u202e\U0010ffff"), "\\u{80}\\u{e9}\\u{202e}\\u{10ffff}");
    check_shown(STR("\xff\xe2\x80"), "\\xff\\xe2\\x80");
}

TEST(what_does_not_fit_is_left_out_whole)
{
    char text[SHOWN_MAX + 8], want[SHOWN_MAX + 8];
    (void)snprintf(text, sizeof text, "%0*d", SHOWN_MAX, 1);
    check_shown(str_c(text), text);
    (void)snprintf(text, sizeof text, "%0*d1", SHOWN_MAX, 1);
    (void)snprintf(want, sizeof want, "%0*d...", SHOWN_MAX - 3, 0);
    check_shown(str_c(text), want);
    (void)snprintf(text, sizeof text, "%0*d\n12", SHOWN_MAX - 5, 1);
    (void)snprintf(want, sizeof want, "%0*d...", SHOWN_MAX - 5, 1);
    check_shown(str_c(text), want);
}
