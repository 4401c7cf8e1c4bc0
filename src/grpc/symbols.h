/*
 * Which .proto file declares a name: the index behind reflection, over serialized
 * google.protobuf.FileDescriptorProto messages.
 */
#ifndef STIGMER_GRPC_SYMBOLS_H
#define STIGMER_GRPC_SYMBOLS_H

#include "base/err.h"
#include "base/str.h"

struct symbols;

/* Indexes messages, fields, oneofs, enums, their values, services, methods and extensions by full
 * name, nested ones too. The files are borrowed. INVALID_ARGUMENT for what is not a descriptor. */
enum err symbols_new(const str *files, size_t n_files, struct symbols **ret, struct error *e);
void symbols_free(struct symbols *s);

/* Index of the file with that name, or -1. */
ptrdiff_t symbols_file(const struct symbols *s, str name);
/* Index of the file that declares the full name, or -1. */
ptrdiff_t symbols_find(const struct symbols *s, str name);
/* Marks the file and all it imports, directly or not; marks holds n_files entries. */
void symbols_mark_imports(const struct symbols *s, size_t file, bool *marks);

#endif
