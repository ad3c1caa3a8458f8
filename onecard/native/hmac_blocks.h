/* What HMAC does to texts before a hash sees them: their blocks, and how memory is wiped. */

#ifndef ONECARD_HMAC_BLOCKS_H
#define ONECARD_HMAC_BLOCKS_H

#include "views.h"

#define WORDS 8
#define BLOCK 64
#define DIGEST 32
#define INNER 0x36
#define OUTER 0x5c

static inline void wipe(void *memory, size_t size) {
    volatile uint8_t *byte = memory;
    while (size--) *byte++ = 0;
}

/* Blocks of a text of that length with its padding. */
static inline size_t blocks_of(size_t length) { return (length + 9 + BLOCK - 1) / BLOCK; }

/* The part of "prefix, text, padding" that is its block of that number; `length` is of both. */
static inline void fill(uint8_t out[BLOCK], const uint8_t *prefix, size_t head,
                        const uint8_t *text, size_t length, size_t number, size_t blocks) {
    size_t from = number * BLOCK, have = 0;
    memset(out, 0, BLOCK);
    if (from < head) {
        have = head - from < BLOCK ? head - from : BLOCK;
        memcpy(out, prefix + from, have);
    }
    size_t at = from + have;
    if (have < BLOCK && at < length) {
        size_t more = length - at < BLOCK - have ? length - at : BLOCK - have;
        memcpy(out + have, text + (at - head), more);
    }
    if (length >= from && length < from + BLOCK) out[length - from] = 0x80;
    if (number + 1 == blocks) {
        uint64_t bits = __builtin_bswap64((uint64_t)(BLOCK + length) * 8);
        memcpy(out + BLOCK - 8, &bits, 8);
    }
}

/* The key as a block that both of its hashes begin with. */
static inline void padded_key(uint8_t out[BLOCK], const uint8_t *key, size_t size, uint8_t pad) {
    for (size_t at = 0; at < BLOCK; at++) out[at] = (uint8_t)((at < size ? key[at] : 0) ^ pad);
}

/* `onecard_keyed_digests` by the processor's own SHA-256; returns 0 where it has none. */
int keyed_sha256(const uint8_t *key, size_t size, const uint8_t *prefix, size_t head,
                 const column *texts, size_t rows, uint8_t *out);

#endif
