/* Entries of what a consumer holds, packed in groups, and groups as rows of a binary COPY. */

#include "native.h"

#define ENTRY 26

static inline uint64_t group_of(uint64_t high, uint64_t groups) {
    return (high >> 32) * groups >> 32;
}

static inline int is_before(const uint8_t *one, const uint8_t *other) {
    uint64_t a[2], b[2];
    memcpy(a, one, 16);
    memcpy(b, other, 16);
    return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]);
}

/* By reference; a group has some two dozen entries. */
static void sort(uint8_t *entries, int64_t count) {
    uint8_t held[ENTRY];
    for (uint8_t *entry = entries + ENTRY; --count > 0; entry += ENTRY) {
        uint8_t *hole = entry;
        while (hole > entries && is_before(entry, hole - ENTRY)) hole -= ENTRY;
        if (hole == entry) continue;
        memcpy(held, entry, ENTRY);
        memmove(hole + ENTRY, hole, (size_t)(entry - hole));
        memcpy(hole, held, ENTRY);
    }
}

/* Entries of `onecard.store.holding` by group and, in it, by reference.
 *
 * groups: fewer than 2^32; the first 32 bits of `high` say which. starts: groups + 1 numbers, for
 * what is found out. out: 26 bytes a row. */
EXPORT void onecard_pack_entries(const uint64_t *high, const uint64_t *low, const uint64_t *digest,
                                 const uint32_t *transfer, size_t rows, size_t groups,
                                 int64_t *starts, uint8_t *out) {
    memset(starts, 0, (groups + 1) * sizeof *starts);
    for (size_t row = 0; row < rows; row++) starts[group_of(high[row], groups) + 1]++;
    for (size_t group = 0; group < groups; group++) starts[group + 1] += starts[group];
    for (size_t row = 0; row < rows; row++) { /* each start is its group's next free place */
        uint8_t *at = out + ENTRY * starts[group_of(high[row], groups)]++;
        memcpy(at, high + row, 8);
        memcpy(at + 8, low + row, 8);
        memcpy(at + 16, digest + row, 6);
        memcpy(at + 22, transfer + row, 4);
    }
    memmove(starts + 1, starts, groups * sizeof *starts);
    starts[0] = 0;
    for (size_t group = 0; group < groups; group++)
        sort(out + ENTRY * starts[group], starts[group + 1] - starts[group]);
}

static inline void put_big(uint8_t *to, uint32_t number) {
    number = __builtin_bswap32(number);
    memcpy(to, &number, 4);
}

/* A row for each group: `head`, in it at `place` the group's number, at its end the length of what
 * follows, then the group's records, which begin at starts[i] and end at starts[i + 1]. */
EXPORT void onecard_group_rows(const uint8_t *head, size_t size, size_t place,
                               const int32_t *numbers, const int64_t *starts, size_t count,
                               const uint8_t *records, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        size_t length = (size_t)(starts[i + 1] - starts[i]);
        memcpy(out, head, size);
        put_big(out + place, (uint32_t)numbers[i]);
        put_big(out + size - 4, (uint32_t)length);
        memcpy(out + size, records + starts[i], length);
        out += size + length;
    }
}
