#include "zip/rules.h"

static const struct zip_rule rules[ZIP_N_RULES] = {
#define X(name, id, title, stops, advice) [ZIP_RULE_##name] = {id, title, stops, advice},
    ZIP_RULES(X)
#undef X
};

const struct zip_limits zip_limits_default = {
    .max_size = 104857600,
    .max_uncompressed = 524288000,
    .max_entries = 10000,
    .max_ratio = 100,
    .max_skill_md = 1048576,
    .max_findings = 100,
    .max_blocks = 16384,
};

const struct zip_rule *zip_rule(enum zip_rule_id id)
{
    return &rules[id];
}

const struct zip_rule *zip_rules(size_t *ret_n)
{
    *ret_n = ZIP_N_RULES;
    return rules;
}
