/* Columns of text as Arrow holds them, read in blocks of places and lengths.
 *
 * Nothing that a column says is believed: a text that does not lie in its buffer is BAD, and its
 * row is doubted. */

#ifndef ONECARD_TEXTS_H
#define ONECARD_TEXTS_H

#include "native.h"

#define BLOCK 512

enum { NARROW = 0, WIDE = 1, VIEWS = 2 };   /* offsets of 32 or 64 bits, or views of 16 bytes */
enum { NONE = -1, BAD = -2 };               /* instead of a length: NULL, or out of bounds */

typedef struct {
    int64_t length, offset;    /* in rows; the buffers begin before the offset */
    int64_t kind, parts;       /* parts: number of data buffers */
    int64_t base;              /* of offsets: what the first byte of the data has */
    const uint8_t *valid;      /* bits; NULL: no row is NULL */
    const uint8_t *places;     /* offsets or views */
    const uint8_t *const *data;
    const int64_t *sizes;
} texts;

typedef struct {
    const uint8_t *at[BLOCK];
    int32_t length[BLOCK];
} block;

/* A list of words: word i lies at text[ends[i-1]] to text[ends[i]]; ends begins with 0. */
typedef struct {
    int64_t number;
    const uint8_t *text;
    const int32_t *ends;
} words;

static inline int bit(const uint8_t *bits, int64_t place) {
    return bits == NULL || (bits[place >> 3] >> (place & 7) & 1);
}

static inline int32_t number_at(const uint8_t *at) {
    int32_t number;
    memcpy(&number, at, 4);
    return number;
}

static inline int among(const words *list, const uint8_t *at, int32_t length) {
    for (int64_t i = 0; i < list->number; i++) {
        int32_t start = list->ends[i];
        if (list->ends[i + 1] - start == length && !memcmp(list->text + start, at, length))
            return 1;
    }
    return 0;
}

static inline int64_t bytes_of_bits(int64_t bits) { return (bits + 7) / 8; }

/* Bits of eight marks, each 0 or 1, the first one lowest. */
static inline uint8_t bits_of(const uint8_t *marks) {
    uint64_t eight;
    memcpy(&eight, marks, 8);
    return (uint8_t)((eight * 0x0102040810204080u) >> 56);
}

/* Where `number` texts from row `first` on lie; at most BLOCK. */
void find_texts(const texts *column, int64_t first, int number, block *found);

#endif
