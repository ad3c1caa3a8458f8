/* The rounds of SHA-256 (FIPS 180-4) and SM3 (GB/T 32905), over words of any width.
 *
 * As macros, so that each is compiled for several processors. `TYPE` is uint32_t or a vector of
 * it; `state` has eight of them, `block` sixteen. */

#ifndef ONECARD_DIGEST_LANES_H
#define ONECARD_DIGEST_LANES_H

#include "native.h"

static const uint32_t SHA256_START[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t SHA256_ADDED[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint32_t SM3_START[8] = {0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600,
                                      0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e};

#define TURNED(x, n) ((x) << (n) | (x) >> (32 - (n)))

#define SHA256_ROUNDS(TYPE, state, block)                                                         \
    TYPE w[16], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4],             \
                f = state[5], g = state[6], h = state[7];                                         \
    for (int t = 0; t < 64; t++) {                                                                \
        TYPE now;                                                                                 \
        if (t < 16) {                                                                             \
            now = block[t];                                                                       \
        } else {                                                                                  \
            TYPE x = w[(t - 15) & 15], y = w[(t - 2) & 15];                                       \
            now = w[t & 15] + w[(t - 7) & 15] + (TURNED(x, 25) ^ TURNED(x, 14) ^ x >> 3) +        \
                  (TURNED(y, 15) ^ TURNED(y, 13) ^ y >> 10);                                      \
        }                                                                                         \
        w[t & 15] = now;                                                                          \
        TYPE one = h + (TURNED(e, 26) ^ TURNED(e, 21) ^ TURNED(e, 7)) + (g ^ (e & (f ^ g))) +     \
                   SHA256_ADDED[t] + now;                                                         \
        TYPE two = (TURNED(a, 30) ^ TURNED(a, 19) ^ TURNED(a, 10)) +                              \
                   ((a & b) | (c & (a | b)));                                                     \
        h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;                     \
    }                                                                                             \
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f,     \
        state[6] += g, state[7] += h;

#define SM3_ROUNDS(TYPE, state, block)                                                            \
    TYPE w[68], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4],             \
                f = state[5], g = state[6], h = state[7];                                         \
    for (int t = 0; t < 16; t++) w[t] = block[t];                                                 \
    for (int t = 16; t < 68; t++) {                                                               \
        TYPE x = w[t - 16] ^ w[t - 9] ^ TURNED(w[t - 3], 15);                                     \
        w[t] = (x ^ TURNED(x, 15) ^ TURNED(x, 23)) ^ TURNED(w[t - 13], 7) ^ w[t - 6];             \
    }                                                                                             \
    for (int t = 0; t < 64; t++) {                                                                \
        uint32_t constant = t < 16 ? 0x79cc4519u : 0x7a879d8au, turn = (uint32_t)t & 31;          \
        constant = turn ? TURNED(constant, turn) : constant;                                      \
        TYPE twelve = TURNED(a, 12), one = twelve + e + constant;                                 \
        one = TURNED(one, 7);                                                                     \
        TYPE first = t < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);                            \
        TYPE second = t < 16 ? e ^ f ^ g : (e & f) | (~e & g);                                    \
        TYPE left = first + d + (one ^ twelve) + (w[t] ^ w[t + 4]);                               \
        TYPE right = second + h + one + w[t];                                                     \
        d = c, c = TURNED(b, 9), b = a, a = left;                                                 \
        h = g, g = TURNED(f, 19), f = e, e = right ^ TURNED(right, 9) ^ TURNED(right, 17);        \
    }                                                                                             \
    state[0] ^= a, state[1] ^= b, state[2] ^= c, state[3] ^= d, state[4] ^= e, state[5] ^= f,     \
        state[6] ^= g, state[7] ^= h;

#endif
