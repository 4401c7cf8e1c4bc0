/*
 * Which system calls a skill's tools may make: what programs need that compute, work on files,
 * start processes and talk over sockets. Everything else answers ENOSYS, as on a kernel that does
 * not have it, so that programs take their other way.
 *
 * Beyond the list of names: no new namespaces, no set-user-ID or set-group-ID bits (a file with
 * one, in a directory of the caller, would be a way out), no input faked for a terminal, and no
 * socket families but those of Unix, IPv4, IPv6 and routing queries.
 */
#ifndef STIGMER_SANDBOX_FILTER_H
#define STIGMER_SANDBOX_FILTER_H

#include "base/err.h"

/* Two BPF programs as bubblewrap's --add-seccomp-fd reads them, each in a descriptor without a
 * name, at its start: the names, and what is refused even so (EPERM). */
struct sandbox_filter {
    int allow, refuse;
};

#define SANDBOX_FILTER_INIT ((struct sandbox_filter){.allow = -1, .refuse = -1})

/* ret: to be released also after an error. UNIMPLEMENTED: this kernel or processor has no filters.
 * RESOURCE_EXHAUSTED: memory. */
enum err sandbox_filter(struct sandbox_filter *ret, struct error *e);
void sandbox_filter_deinit(struct sandbox_filter *f);

#endif
