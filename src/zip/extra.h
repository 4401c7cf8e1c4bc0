/* Extra fields (APPNOTE 4.5.1): a sequence of id, length, data. */
#ifndef STIGMER_ZIP_EXTRA_H
#define STIGMER_ZIP_EXTRA_H

#include "zip/record.h"
#include "zip/report.h"

enum { EXTRA_ZIP64 = 0x0001, EXTRA_UNICODE_PATH = 0x7075, EXTRA_ATTRIBUTES = 0x6c78 };

struct extra {
    uint16_t id;
    str data;
};

/* Takes the first field off *rest; false at the end and where no whole field is left. */
bool extra_next(str *rest, struct extra *ret);
/* The data of the first field with that id. */
bool extra_find(str extras, uint16_t id, str *ret_data);

/* Which header holds the fields. */
struct extra_place {
    str entry;       /* its name */
    str name;        /* the name in this very header */
    uint64_t offset; /* of the header */
    uint32_t external_attr;
    bool local;
    const struct cdh *h; /* what the directory says of the entry */
};
/* The rules extra-form, extra-allowed, unicode-path and, for central headers, no-zip64. */
void extra_check(struct findings *f, const struct extra_place *at, str extras);

#endif
