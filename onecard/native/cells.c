/* From the cells of records to Arrow's columns of text: offsets, bytes, bits of validity. */
#include "cells.h"

#define STEP 16

/* Copies a short text by whole steps where both sides have room, which costs no call. */
static inline void copy(uint8_t *to, const uint8_t *from, size_t size, size_t room) {
    if (size <= STEP && room >= STEP)
        memcpy(to, from, STEP);
    else
        memcpy(to, from, size);
}

/* Fills the columns; cells lie row by row. offsets[c] has room for rows + 1 numbers, data[c] for the
   column's bytes and STEP more, valid[c] for a bit of each row. */
EXPORT void onecard_cells_fill(const uint8_t *source, size_t source_size,
                                       const uint8_t *aside, size_t aside_size,
                                       const onecard_cell *cells, size_t rows, size_t columns,
                                       int32_t *const *offsets, uint8_t *const *data,
                                       uint8_t *const *valid) {
    for (size_t c = 0; c < columns; c++) {
        offsets[c][0] = 0;
        memset(valid[c], 0, (rows + 7) / 8);
    }
    for (size_t r = 0; r < rows; r++) {
        const onecard_cell *row = cells + r * columns;
        for (size_t c = 0; c < columns; c++) {
            int32_t at = offsets[c][r];
            if (row[c].size >= 0) {
                size_t size = (size_t)row[c].size, from = row[c].at & ~ASIDE;
                if (row[c].at & ASIDE)
                    copy(data[c] + at, aside + from, size, aside_size - from);
                else
                    copy(data[c] + at, source + from, size, source_size - from);
                valid[c][r >> 3] |= (uint8_t)(1u << (r & 7));
                at += row[c].size;
            }
            offsets[c][r + 1] = at;
        }
    }
}
