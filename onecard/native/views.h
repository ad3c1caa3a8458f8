/* Columns as Polars holds them: texts as Arrow's string views, numbers as they are. */

#ifndef ONECARD_VIEWS_H
#define ONECARD_VIEWS_H

#include "native.h"

enum { TEXTS = 0, NUMBERS_32 = 1, NUMBERS_64 = 2 };

typedef struct {
    int64_t kind;
    int64_t offset;                /* rows before the first one */
    const uint8_t *valid;          /* bits; NULL: no row is NULL */
    const uint8_t *values;         /* views of 16 bytes, or numbers */
    const uint8_t *const *buffers; /* of views, for texts above 12 bytes */
} column;

static inline int is_null(const column *from, size_t row) {
    size_t place = row + (size_t)from->offset;
    return from->valid != NULL && !(from->valid[place >> 3] >> (place & 7) & 1);
}

/* Where a text lies, and its length. */
static inline const uint8_t *text_at(const column *from, size_t row, size_t *length) {
    const uint8_t *view = from->values + (row + (size_t)from->offset) * 16;
    int32_t parts[4]; /* length, four first bytes, buffer, place in it */
    memcpy(parts, view, 16);
    *length = (size_t)parts[0];
    return parts[0] <= 12 ? view + 4 : from->buffers[parts[2]] + parts[3];
}

#endif
