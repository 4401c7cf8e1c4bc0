/*
 * YAML as a tree of objects, arrays and texts: every scalar is a text (1.0 stays "1.0").
 *
 * Bounded: 100,000 events, 32 levels. Anchors and tags are ignored, an alias is null: what uses
 * one where it matters is not understood there. A key twice, or one that is no text, is an error.
 */
#ifndef STIGMER_AGENT_YAML_TREE_H
#define STIGMER_AGENT_YAML_TREE_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

/* *ret: the first document, a new reference; null for an empty text. INVALID_ARGUMENT: line, why.
 */
enum err yaml_tree(str text, json_t **ret, struct error *e);

#endif
