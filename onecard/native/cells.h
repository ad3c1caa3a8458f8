/* Cells of text records, as the scanners of csv.c and json.c leave them and cells.c gathers them. */
#ifndef ONECARD_CELLS_H
#define ONECARD_CELLS_H

#include "native.h"

/* Where a cell's text stands: in what was read, or (ASIDE) in the room for text that had to be
   written anew. Both are below 2 GiB. */
typedef struct {
    uint32_t at;
    int32_t size;
} onecard_cell;

#define ASIDE 0x80000000u
#define IS_NULL (-1)
#define NOT_SEEN (-2)

/* Bytes of one character of valid UTF-8 at p, which has `left` bytes behind it; 0: it is none. As
   Python's strict codec: no surrogates, no overlong forms, nothing beyond U+10FFFF. */
static inline size_t onecard_utf8(const uint8_t *p, size_t left) {
    uint8_t a = p[0];
    if (a < 0x80) return 1;
    if (a < 0xC2 || left < 2 || (p[1] & 0xC0) != 0x80) return 0;
    if (a < 0xE0) return 2;
    if (left < 3 || (p[2] & 0xC0) != 0x80) return 0;
    if (a == 0xE0 && p[1] < 0xA0) return 0;
    if (a == 0xED && p[1] > 0x9F) return 0;
    if (a < 0xF0) return 3;
    if (a > 0xF4 || left < 4 || (p[3] & 0xC0) != 0x80) return 0;
    if (a == 0xF0 && p[1] < 0x90) return 0;
    if (a == 0xF4 && p[1] > 0x8F) return 0;
    return 4;
}

/* A byte eight times. */
#define EACH(byte) (0x0101010101010101u * (uint8_t)(byte))

/* How many bytes from p on, of `left`, are surely ASCII, no controls and neither `one` nor `other`
   (each eight times): eight at a time, so that up to seven more may follow where none is left. */
static inline size_t onecard_plain(const uint8_t *p, size_t left, uint64_t one, uint64_t other) {
    size_t at = 0;
    for (; left - at >= 8; at += 8) {
        uint64_t eight, first, second;
        memcpy(&eight, p + at, 8);
        first = eight ^ one;
        second = eight ^ other;
        /* The highest bit of a byte tells; what a borrow sets wrongly stands behind a right one. */
        uint64_t found = (eight | ((eight - EACH(0x20)) & ~eight) | ((first - EACH(1)) & ~first) |
                          ((second - EACH(1)) & ~second)) &
                         EACH(0x80);
        if (found) return at + (size_t)__builtin_ctzll(found) / 8;
    }
    return at;
}

/* Writes a code point as UTF-8, at most four bytes; returns how many. */
static inline size_t onecard_put_utf8(uint8_t *to, uint32_t code) {
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xC0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (uint8_t)(0xE0 | code >> 12);
        to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        to[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | code >> 18);
    to[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    to[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    to[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

#endif
