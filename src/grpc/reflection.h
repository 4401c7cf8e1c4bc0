/* Answers of server reflection; v1 and v1alpha have the same wire format. */
#ifndef STIGMER_GRPC_REFLECTION_H
#define STIGMER_GRPC_REFLECTION_H

#include "base/buf.h"
#include "grpc/symbols.h"

struct reflection {
    const struct symbols *symbols;
    const str *descriptors;
    size_t n_descriptors;
    const str *services; /* full names */
    size_t n_services;
};

/* Appends the ServerReflectionResponse for a ServerReflectionRequest: list_services,
 * file_by_filename, file_containing_symbol (with all imports); error_response for what is not
 * found (5) and for other questions (12). INVALID_ARGUMENT when it is no such request. */
enum err reflection_answer(const struct reflection *r, str request, struct buf *out,
                           struct error *e);

#endif
