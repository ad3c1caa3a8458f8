/* HMAC-SHA256 of many short texts under one key by the processor's own instructions.
 *
 * FIPS 180-4 and FIPS 198-1. The instructions of one text wait for each other, those of two do
 * not: two texts are hashed side by side. Where there are no such instructions,
 * keyed_digests.c does it. No branch and no table depends on key or text, only on a length. */

#include "digest_lanes.h"
#include "hmac_blocks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define OWN __attribute__((target("sse4.1,sha")))
#define PAIR 2
#define HAS_SHA (1u << 29)

typedef struct {
    __m128i abef, cdgh; /* the words a to h as the instructions take them */
} halves;

/* Four of the 64 rounds for both texts: `w` are the words of these rounds, and become those of
 * the four that come 16 rounds later. */
#define FOUR(n)                                                                                   \
    for (int i = 0; i < PAIR; i++) {                                                              \
        __m128i *w = words[i];                                                                    \
        __m128i now = _mm_add_epi32(                                                              \
            w[(n) & 3], _mm_loadu_si128((const __m128i *)(SHA256_ADDED + 4 * (n))));              \
        new[i].cdgh = _mm_sha256rnds2_epu32(new[i].cdgh, new[i].abef, now);                       \
        new[i].abef =                                                                             \
            _mm_sha256rnds2_epu32(new[i].abef, new[i].cdgh, _mm_shuffle_epi32(now, 0x0e));        \
        if ((n) < 12) {                                                                           \
            __m128i seventh = _mm_alignr_epi8(w[((n) + 3) & 3], w[((n) + 2) & 3], 4);             \
            __m128i first = _mm_sha256msg1_epu32(w[(n) & 3], w[((n) + 1) & 3]);                   \
            w[(n) & 3] =                                                                          \
                _mm_sha256msg2_epu32(_mm_add_epi32(first, seventh), w[((n) + 3) & 3]);            \
        }                                                                                         \
    }

OWN static inline void compress(halves state[PAIR], __m128i words[PAIR][4]) {
    halves new[PAIR] = {state[0], state[1]};
    FOUR(0) FOUR(1) FOUR(2) FOUR(3) FOUR(4) FOUR(5) FOUR(6) FOUR(7)
    FOUR(8) FOUR(9) FOUR(10) FOUR(11) FOUR(12) FOUR(13) FOUR(14) FOUR(15)
    for (int i = 0; i < PAIR; i++) {
        state[i].abef = _mm_add_epi32(state[i].abef, new[i].abef);
        state[i].cdgh = _mm_add_epi32(state[i].cdgh, new[i].cdgh);
    }
}

OWN static inline __m128i turned(__m128i bytes) {
    return _mm_shuffle_epi8(
        bytes, _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
}

OWN static inline void load(__m128i words[4], const uint8_t block[BLOCK]) {
    for (int i = 0; i < 4; i++)
        words[i] = turned(_mm_loadu_si128((const __m128i *)(block + 16 * i)));
}

/* The words a to d and e to h of a state. */
OWN static inline void words_of(halves state, __m128i *first, __m128i *second) {
    __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    *first = _mm_blend_epi16(feba, dchg, 0xf0);
    *second = _mm_alignr_epi8(dchg, feba, 8);
}

/* What the hash makes of the key's block. */
OWN static halves start(const uint8_t *key, size_t size, uint8_t pad) {
    uint8_t block[BLOCK];
    __m128i words[PAIR][4];
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)SHA256_START), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(SHA256_START + 4)), 0x1b);
    halves first = {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
    halves state[PAIR] = {first, first};
    padded_key(block, key, size, pad);
    load(words[0], block), load(words[1], block);
    compress(state, words);
    wipe(block, sizeof block);
    wipe(words, sizeof words);
    return state[0];
}

OWN static void hash(const halves keyed[2], const uint8_t *prefix, size_t head,
                     const column *texts, size_t rows, uint8_t *out) {
    uint8_t block[BLOCK];
    __m128i words[PAIR][4];
    halves state[PAIR], before[PAIR];
    for (size_t first = 0; first < rows; first += PAIR) {
        const uint8_t *text[PAIR];
        size_t length[PAIR], blocks[PAIR], most = 0;
        for (size_t i = 0; i < PAIR; i++) { /* an odd row at the end is hashed twice */
            size_t own = 0, row = first + i < rows ? first + i : first;
            text[i] = prefix;
            if (!is_null(texts, row)) text[i] = text_at(texts, row, &own);
            length[i] = head + own;
            blocks[i] = blocks_of(length[i]);
            if (blocks[i] > most) most = blocks[i];
            state[i] = keyed[0];
        }
        for (size_t number = 0; number < most; number++) {
            for (size_t i = 0; i < PAIR; i++) {
                size_t own = number < blocks[i] ? number : 0; /* one that has ended: any block */
                fill(block, prefix, head, text[i], length[i], own, blocks[i]);
                load(words[i], block);
                before[i] = state[i];
            }
            compress(state, words);
            for (size_t i = 0; i < PAIR; i++)
                if (number >= blocks[i]) state[i] = before[i];
        }
        for (size_t i = 0; i < PAIR; i++) {
            words_of(state[i], &words[i][0], &words[i][1]);
            words[i][2] = _mm_set_epi32(0, 0, 0, (int)0x80000000u);
            words[i][3] = _mm_set_epi32((BLOCK + DIGEST) * 8, 0, 0, 0);
            state[i] = keyed[1];
        }
        compress(state, words);
        for (size_t i = 0; i < PAIR && first + i < rows; i++) {
            __m128i half[2];
            words_of(state[i], &half[0], &half[1]);
            for (size_t part = 0; part < 2; part++)
                _mm_storeu_si128((__m128i *)(out + (first + i) * DIGEST + 16 * part),
                                 turned(half[part]));
        }
    }
    wipe(block, sizeof block);
    wipe(words, sizeof words);
    wipe(state, sizeof state);
    wipe(before, sizeof before);
}

int keyed_sha256(const uint8_t *key, size_t size, const uint8_t *prefix, size_t head,
                 const column *texts, size_t rows, uint8_t *out) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & HAS_SHA)) return 0;
    halves keyed[2] = {start(key, size, INNER), start(key, size, OUTER)};
    hash(keyed, prefix, head, texts, rows, out);
    wipe(keyed, sizeof keyed);
    return 1;
}
#else
int keyed_sha256(const uint8_t *key, size_t size, const uint8_t *prefix, size_t head,
                 const column *texts, size_t rows, uint8_t *out) {
    (void)key, (void)size, (void)prefix, (void)head, (void)texts, (void)rows, (void)out;
    return 0;
}
#endif
