/* HMAC-SHA256 and HMAC-SM3 of many short texts under one key, eight at a time.
 *
 * FIPS 180-4 and FIPS 198-1; GB/T 32905. Each hash works on words of 32 bits: here a word is a
 * vector of eight, one for each text, so that one pass computes eight digests. No branch and no
 * table depends on key or text, only on a text's length. What was made of the key is wiped at the
 * end of the call, as are the texts' copies. */

#include "digest_lanes.h"
#include "hmac_blocks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define LANES 8
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));
typedef void (*compression)(lanes state[WORDS], const lanes block[16]);

static inline uint32_t big(const uint8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, 4);
    return __builtin_bswap32(word);
}

/* The compression functions: once for every processor, and for those with wide registers. */
#define COMPRESSIONS(NAME, TARGET)                                                                \
    TARGET static void sha256_##NAME(lanes state[WORDS], const lanes block[16]) {                 \
        SHA256_ROUNDS(lanes, state, block)                                                        \
    }                                                                                             \
    TARGET static void sm3_##NAME(lanes state[WORDS], const lanes block[16]) {                    \
        SM3_ROUNDS(lanes, state, block)                                                           \
    }

COMPRESSIONS(plain, )
#if defined(__x86_64__)
COMPRESSIONS(avx2, __attribute__((target("avx2"))))
COMPRESSIONS(avx512, __attribute__((target("avx2,avx512f,avx512vl"))))
#endif

/* What processor and operating system can: 2 for AVX-512, 1 for AVX2, 0 for neither. Asked of the
 * processor, since not every compiler's library answers __builtin_cpu_supports. */
static int possible(void) {
#if defined(__x86_64__)
    uint32_t a, b, c, d, saved, upper;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return 0;
    if ((saved & 0x06) != 0x06) return 0; /* registers of 128 and of 256 bits */
    int wide = (b & bit_AVX512F) && (b & bit_AVX512VL) && (saved & 0xe0) == 0xe0;
    return wide ? 2 : 1;
#else
    return 0;
#endif
}

/* width: 2 for all that the processor can, 1 for AVX2 at most, 0 for what every one can. */
static compression chosen(int sm3, int width) {
    int most = possible();
    if (width > most) width = most;
#if defined(__x86_64__)
    if (width == 2) return sm3 ? sm3_avx512 : sha256_avx512;
    if (width == 1) return sm3 ? sm3_avx2 : sha256_avx2;
#endif
    return sm3 ? sm3_plain : sha256_plain;
}

static void start(lanes state[WORDS], compression compress, int sm3, const uint8_t *key,
                  size_t size, uint8_t pad) {
    const uint32_t *initial = sm3 ? SM3_START : SHA256_START;
    lanes block[16];
    uint8_t bytes[BLOCK];
    padded_key(bytes, key, size, pad);
    for (int i = 0; i < WORDS; i++) state[i] = (lanes){0} + initial[i];
    for (int i = 0; i < 16; i++) block[i] = (lanes){0} + big(bytes + 4 * i);
    compress(state, block);
    wipe(block, sizeof block);
    wipe(bytes, sizeof bytes);
}

/* HMAC of prefix and text for each of `rows` texts.
 *
 * sm3: 0 for SHA-256, else SM3. width: as `chosen`; 3: by the processor's own SHA-256 where it has
 * one and no AVX-512, 4: where it has one. key: of at most 64 bytes. texts: as views. out: 32 bytes a row. A row that `texts` calls
 * NULL counts as the empty text. Returns 0, or 1 for a key that is too long. */
EXPORT int onecard_keyed_digests(int sm3, int width, const uint8_t *key, size_t size,
                                 const uint8_t *prefix, size_t head, const column *texts,
                                 size_t rows, uint8_t *out) {
    if (size > BLOCK) return 1;
    int own = !sm3 && (width > 3 || (width == 3 && possible() < 2));
    if (own && keyed_sha256(key, size, prefix, head, texts, rows, out)) return 0;
    compression compress = chosen(sm3, width);
    lanes inner[WORDS], outer[WORDS], state[WORDS], before[WORDS], block[16];
    uint8_t bytes[LANES][BLOCK];
    start(inner, compress, sm3, key, size, INNER);
    start(outer, compress, sm3, key, size, OUTER);
    for (size_t first = 0; first < rows; first += LANES) {
        const uint8_t *text[LANES];
        size_t length[LANES], blocks[LANES], most = 0;
        size_t count = rows - first < LANES ? rows - first : LANES;
        for (size_t lane = 0; lane < LANES; lane++) {
            size_t own = 0;
            text[lane] = prefix;
            if (lane < count && !is_null(texts, first + lane))
                text[lane] = text_at(texts, first + lane, &own);
            length[lane] = head + own;
            blocks[lane] = blocks_of(length[lane]);
            if (blocks[lane] > most) most = blocks[lane];
        }
        memcpy(state, inner, sizeof state);
        for (size_t number = 0; number < most; number++) {
            lanes ended = {0};
            for (size_t lane = 0; lane < LANES; lane++) {
                if (number < blocks[lane]) {
                    fill(bytes[lane], prefix, head, text[lane], length[lane], number,
                         blocks[lane]);
                } else {
                    ended[lane] = UINT32_MAX;
                }
            }
            for (int i = 0; i < 16; i++)
                for (int lane = 0; lane < LANES; lane++) block[i][lane] = big(bytes[lane] + 4 * i);
            memcpy(before, state, sizeof state);
            compress(state, block);
            for (int i = 0; i < WORDS; i++) state[i] = (before[i] & ended) | (state[i] & ~ended);
        }
        for (int i = 0; i < WORDS; i++) block[i] = state[i];
        block[8] = (lanes){0} + 0x80000000u;
        for (int i = 9; i < 15; i++) block[i] = (lanes){0};
        block[15] = (lanes){0} + (BLOCK + DIGEST) * 8u;
        memcpy(state, outer, sizeof state);
        compress(state, block);
        for (size_t lane = 0; lane < count; lane++) {
            for (int i = 0; i < WORDS; i++) {
                uint32_t word = __builtin_bswap32(state[i][lane]);
                memcpy(out + (first + lane) * DIGEST + 4 * (size_t)i, &word, 4);
            }
        }
    }
    wipe(inner, sizeof inner);
    wipe(outer, sizeof outer);
    wipe(state, sizeof state);
    wipe(before, sizeof before);
    wipe(block, sizeof block);
    wipe(bytes, sizeof bytes);
    return 0;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; /* RFC 4648, section 6 */

/* The first `letters` characters of the base32 of each digest; at most 51. */
EXPORT void onecard_base32(const uint8_t *digests, size_t rows, size_t letters, uint8_t *out) {
    for (size_t row = 0; row < rows; row++) {
        const uint8_t *digest = digests + row * DIGEST;
        uint64_t held = 0;
        size_t bits = 0, next = 0;
        for (size_t letter = 0; letter < letters; letter++) {
            if (bits < 5) {
                held = held << 32 | big(digest + next);
                next += 4;
                bits += 32;
            }
            bits -= 5;
            *out++ = (uint8_t)alphabet[held >> bits & 31];
        }
    }
}

/* How many texts are not so many characters of base32; a NULL is none of them. -1: no texts. */
EXPORT int64_t onecard_not_base32(const column *texts, size_t rows, size_t letters) {
    if (texts->kind != TEXTS) return -1;
    uint8_t known[256] = {0};
    int64_t found = 0;
    for (size_t at = 0; alphabet[at]; at++) known[(uint8_t)alphabet[at]] = 1;
    for (size_t row = 0; row < rows; row++) {
        size_t length;
        if (is_null(texts, row)) continue;
        const uint8_t *text = text_at(texts, row, &length);
        uint8_t right = length == letters;
        for (size_t at = 0; right && at < letters; at++) right = known[text[at]];
        found += !right;
    }
    return found;
}
