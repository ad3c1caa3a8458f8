/* Rows as texts that no other values give: `head`, then of each column a NUL, and `=` and the
 * value, or `~` for NULL; before all of it, if asked for, two numbers from the row's digest. */

#include "views.h"

#define DIGEST 32
#define MOST_DIGITS 20

/* The digits of a number, from the end of `last` backwards; returns where they begin. */
static inline uint8_t *digits(uint64_t number, uint8_t *last) {
    do {
        *--last = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    return last;
}

static inline uint8_t *signed_digits(int64_t number, uint8_t *last) {
    uint8_t *first = digits(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, last);
    if (number < 0) *--first = '-';
    return first;
}

static inline int64_t number_at(const column *from, size_t row) {
    size_t place = row + (size_t)from->offset;
    int32_t narrow;
    int64_t wide;
    if (from->kind == NUMBERS_32) {
        memcpy(&narrow, from->values + 4 * place, 4);
        return narrow;
    }
    memcpy(&wide, from->values + 8 * place, 8);
    return wide;
}

static inline uint8_t *put(uint8_t *out, const uint8_t *from, size_t size) {
    memcpy(out, from, size);
    return out + size;
}

/* Bytes that the rows need at most. */
EXPORT int64_t onecard_row_texts_size(const column *columns, size_t width, size_t rows,
                                      size_t head, int secret) {
    uint64_t most = rows * (head + 2 * width + (secret ? 2 * MOST_DIGITS + 1 : 0));
    for (size_t i = 0; i < width; i++) {
        if (columns[i].kind != TEXTS) {
            most += rows * (MOST_DIGITS + 1);
            continue;
        }
        for (size_t row = 0; row < rows; row++) {
            size_t length;
            if (is_null(columns + i, row)) continue;
            text_at(columns + i, row, &length);
            most += length;
        }
    }
    return (int64_t)most;
}

/* Write the texts and their `rows` + 1 offsets; digests: 32 bytes a row, or NULL. */
EXPORT void onecard_row_texts(const column *columns, size_t width, size_t rows,
                              const uint8_t *head, size_t size, const uint8_t *digests,
                              int64_t *offsets, uint8_t *out) {
    uint8_t number[MOST_DIGITS + 1], *end = number + sizeof number, *start = out, *first;
    for (size_t row = 0; row < rows; row++) {
        offsets[row] = out - start;
        if (digests) {
            for (size_t word = 2; word < 4; word++) {
                uint64_t part;
                memcpy(&part, digests + row * DIGEST + 8 * word, 8);
                first = digits(__builtin_bswap64(part), end);
                out = put(out, first, (size_t)(end - first));
            }
            *out++ = 0;
        }
        out = put(out, head, size);
        for (size_t i = 0; i < width; i++) {
            const column *from = columns + i;
            *out++ = 0;
            if (is_null(from, row)) {
                *out++ = '~';
                continue;
            }
            *out++ = '=';
            if (from->kind == TEXTS) {
                size_t length;
                const uint8_t *text = text_at(from, row, &length);
                out = put(out, text, length);
            } else {
                first = signed_digits(number_at(from, row), end);
                out = put(out, first, (size_t)(end - first));
            }
        }
    }
    offsets[rows] = out - start;
}
