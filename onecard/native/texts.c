/* Where the texts of a column lie. */

#include "texts.h"

static inline int32_t narrow(int64_t start, int64_t end, int64_t size) {
    if (start < 0 || end < start || end > size || end - start > INT32_MAX) return BAD;
    return (int32_t)(end - start);
}

static inline int32_t by_offsets(const texts *column, int64_t row, const uint8_t **at) {
    int64_t ends[2];
    if (column->kind == NARROW) {
        ends[0] = number_at(column->places + 4 * row);
        ends[1] = number_at(column->places + 4 * row + 4);
    } else {
        memcpy(ends, column->places + 8 * row, 16);
    }
    int64_t size = column->parts ? column->sizes[0] : 0, start = ends[0] - column->base;
    *at = column->places;
    if (ends[0] < column->base || ends[1] < ends[0]) return BAD;
    int32_t length = narrow(start, ends[1] - column->base, size);
    if (length > 0) *at = column->data[0] + start;
    return length;
}

static inline int32_t by_view(const texts *column, int64_t row, const uint8_t **at) {
    const uint8_t *view = column->places + 16 * row;
    int32_t length = number_at(view), part = number_at(view + 8), start = number_at(view + 12);
    *at = view + 4;
    if (length <= 12) return length < 0 ? BAD : length;
    if (part < 0 || part >= column->parts) return BAD;
    length = narrow(start, (int64_t)start + length, column->sizes[part]);
    if (length > 0) *at = column->data[part] + start;
    return length;
}

void find_texts(const texts *column, int64_t first, int number, block *found) {
    int64_t row = column->offset + first;
    if (column->kind == VIEWS)
        for (int i = 0; i < number; i++) found->length[i] = by_view(column, row + i, found->at + i);
    else
        for (int i = 0; i < number; i++)
            found->length[i] = by_offsets(column, row + i, found->at + i);
    if (column->valid == NULL) return;
    for (int i = 0; i < number; i++)
        if (!bit(column->valid, row + i)) found->length[i] = NONE;
}
