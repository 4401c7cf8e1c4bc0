#include "skillmd/rules.h"

static const struct skillmd_rule rules[SKILLMD_N_RULES] = {
#define X(name, id, title, stops, advice) [SKILLMD_RULE_##name] = {id, title, stops, advice},
    SKILLMD_RULES(X)
#undef X
};

const struct skillmd_rule *skillmd_rule(enum skillmd_rule_id id)
{
    return &rules[id];
}

const struct skillmd_rule *skillmd_rules(size_t *ret_n)
{
    *ret_n = SKILLMD_N_RULES;
    return rules;
}
