/*
 * Characters that are not seen: which there are, and where one belongs all the same.
 * Private to src/skillmd.
 */
#ifndef STIGMER_SKILLMD_HIDDEN_H
#define STIGMER_SKILLMD_HIDDEN_H

#include "skillmd/rules.h"

struct hidden_kind {
    enum skillmd_rule_id rule;
    bool refuses;
    bool carries;     /* a run of them can carry a text: hidden_byte */
    const char *noun; /* in the singular; an s makes the plural */
};

/* What kind of hidden character cp is; NULL when it is seen, or is tab, LF or CR. */
const struct hidden_kind *hidden_kind(uint32_t cp);

/* The byte that a tag character or a variation selector stands for where it hides one. */
uint8_t hidden_byte(uint32_t cp);

/* What is around a hidden character. */
struct hidden_context {
    uint32_t base;   /* the last seen character that is no mark on another one */
    uint32_t before; /* directly before: base, a mark on it, or what hidden_at_home allowed there */
    uint32_t next;   /* 0: the end */
};

/* Whether the hidden character cp does there what it is for, as UTS 51 (emoji), the orthography of
 * a script or a standardized variant asks. */
bool hidden_at_home(uint32_t cp, const struct hidden_context *c);
/* Whether the seen character cp only changes the one before it: a combining mark, a skin tone. */
bool hidden_is_mark(uint32_t cp);

/* An emoji tag sequence (UTS 51, ED-14a), of the form that a subdivision's flag has. */
enum { HIDDEN_REGION_MIN = 3, HIDDEN_REGION_MAX = 6 };
struct hidden_flag {
    size_t len; /* bytes of its tag characters; 0: there is no such sequence */
    char region[HIDDEN_REGION_MAX + 1]; /* "gbeng" */
    bool recommended;                   /* one of the three for general interchange */
};
/* text: what follows a black flag. */
struct hidden_flag hidden_flag(str text);
#define HIDDEN_BLACK_FLAG 0x1f3f4

#endif
