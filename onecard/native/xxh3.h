/* XXH3 of 64 bits with its own secret and the seed 0, as its specification says (xxHash 0.8).
 *
 * No cryptographic hash: what makes a row's digest secret stands in the text (ADR 0020). */

#ifndef ONECARD_XXH3_H
#define ONECARD_XXH3_H

#include "native.h"

#define XXH_32_1 UINT64_C(0x9e3779b1)
#define XXH_32_2 UINT64_C(0x85ebca77)
#define XXH_32_3 UINT64_C(0xc2b2ae3d)
#define XXH_64_1 UINT64_C(0x9e3779b185ebca87)
#define XXH_64_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define XXH_64_3 UINT64_C(0x165667b19e3779f9)
#define XXH_64_4 UINT64_C(0x85ebca77c2b2ae63)
#define XXH_64_5 UINT64_C(0x27d4eb2f165667c5)
#define XXH_MIX_1 UINT64_C(0x165667919e3779f9)
#define XXH_MIX_2 UINT64_C(0x9fb21c651e98df25)

enum { XXH_SECRET = 192, XXH_LEAST_SECRET = 136, XXH_MIDDLE = 240, XXH_STRIPE = 64,
       XXH_STEP = 8, XXH_STRIPES = (XXH_SECRET - XXH_STRIPE) / XXH_STEP };

static const uint8_t xxh_secret[XXH_SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e};

static inline uint64_t xxh_32(const uint8_t *at) {
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

static inline uint64_t xxh_64(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

/* Two words of the secret, of which short texts take one. */
static inline uint64_t xxh_two(size_t at) {
    return xxh_64(xxh_secret + at) ^ xxh_64(xxh_secret + at + 8);
}

static inline uint64_t xxh_folded(uint64_t one, uint64_t other) {
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t xxh_ended(uint64_t h) {
    h = (h ^ h >> 37) * XXH_MIX_1;
    return h ^ h >> 32;
}

static inline uint64_t xxh_turned(uint64_t h, int bits) { return h << bits | h >> (64 - bits); }

static inline uint64_t xxh_mixed(const uint8_t *at, size_t secret) {
    return xxh_folded(xxh_64(at) ^ xxh_64(xxh_secret + secret),
                      xxh_64(at + 8) ^ xxh_64(xxh_secret + secret + 8));
}

static inline uint64_t xxh_to_16(const uint8_t *at, size_t size) {
    if (size > 8) {
        uint64_t low = xxh_64(at) ^ xxh_two(24), high = xxh_64(at + size - 8) ^ xxh_two(40);
        return xxh_ended(size + __builtin_bswap64(low) + high + xxh_folded(low, high));
    }
    uint64_t h = (xxh_32(at + size - 4) + (xxh_32(at) << 32)) ^ xxh_two(8);
    h = (h ^ xxh_turned(h, 49) ^ xxh_turned(h, 24)) * XXH_MIX_2;
    h = (h ^ ((h >> 35) + size)) * XXH_MIX_2;
    return h ^ h >> 28;
}

static inline uint64_t xxh_to_128(const uint8_t *at, size_t size) {
    uint64_t h = size * XXH_64_1;
    for (size_t pair = (size - 1) / 32 + 1; pair-- > 0;)
        h += xxh_mixed(at + 16 * pair, 32 * pair) +
             xxh_mixed(at + size - 16 * (pair + 1), 32 * pair + 16);
    return xxh_ended(h);
}

static inline uint64_t xxh_to_240(const uint8_t *at, size_t size) {
    uint64_t h = size * XXH_64_1;
    for (size_t part = 0; part < 8; part++) h += xxh_mixed(at + 16 * part, 16 * part);
    h = xxh_ended(h);
    for (size_t part = 8; part < size / 16; part++)
        h += xxh_mixed(at + 16 * part, 16 * (part - 8) + 3);
    return xxh_ended(h + xxh_mixed(at + size - 16, XXH_LEAST_SECRET - 17));
}

static inline void xxh_stripe(uint64_t sums[8], const uint8_t *at, const uint8_t *secret) {
    for (int i = 0; i < 8; i++) {
        uint64_t word = xxh_64(at + 8 * i), keyed = word ^ xxh_64(secret + 8 * i);
        sums[i ^ 1] += word;
        sums[i] += (keyed & UINT32_MAX) * (keyed >> 32);
    }
}

static inline uint64_t xxh_long(const uint8_t *at, size_t size) {
    uint64_t sums[8] = {XXH_32_3, XXH_64_1, XXH_64_2, XXH_64_3,
                        XXH_64_4, XXH_32_2, XXH_64_5, XXH_32_1};
    const uint8_t *last = xxh_secret + XXH_SECRET - XXH_STRIPE;
    size_t stripes = (size - 1) / XXH_STRIPE;
    for (size_t n = 0; n < stripes; n++) {
        xxh_stripe(sums, at + XXH_STRIPE * n, xxh_secret + XXH_STEP * (n % XXH_STRIPES));
        if (n % XXH_STRIPES == XXH_STRIPES - 1)
            for (int i = 0; i < 8; i++)
                sums[i] = (sums[i] ^ sums[i] >> 47 ^ xxh_64(last + 8 * i)) * XXH_32_1;
    }
    xxh_stripe(sums, at + size - XXH_STRIPE, last - 7);
    uint64_t h = size * XXH_64_1;
    for (int i = 0; i < 4; i++)
        h += xxh_folded(sums[2 * i] ^ xxh_64(xxh_secret + 11 + 16 * i),
                        sums[2 * i + 1] ^ xxh_64(xxh_secret + 19 + 16 * i));
    return xxh_ended(h);
}

/* Of a text of at least four bytes: a row's has five. */
static inline uint64_t xxh3(const uint8_t *text, size_t size) {
    if (size > XXH_MIDDLE) return xxh_long(text, size);
    if (size > 128) return xxh_to_240(text, size);
    return size > 16 ? xxh_to_128(text, size) : xxh_to_16(text, size);
}

#endif
