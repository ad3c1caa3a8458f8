/* Entries of what a consumer holds, packed in groups. */

#include "native.h"

#define ENTRY 26

static inline uint64_t group_of(uint64_t high, uint64_t groups) {
    return (high >> 32) * groups >> 32;
}

/* Entries of `onecard.store.holding` by group and, in it, by reference.
 *
 * groups: fewer than 2^32; the first 32 bits of `high` say which. starts: groups + 1 numbers, and
 * order: `rows` numbers, for what is found out. out: 26 bytes a row. */
EXPORT void onecard_pack_entries(const uint64_t *high, const uint64_t *low, const uint64_t *digest,
                                 const uint32_t *transfer, size_t rows, size_t groups,
                                 int64_t *starts, int64_t *order, uint8_t *out) {
    memset(starts, 0, (groups + 1) * sizeof *starts);
    for (size_t row = 0; row < rows; row++) starts[group_of(high[row], groups) + 1]++;
    for (size_t group = 0; group < groups; group++) starts[group + 1] += starts[group];
    for (size_t row = 0; row < rows; row++) { /* each start is its group's next free place */
        size_t group = group_of(high[row], groups);
        int64_t place = starts[group]++;
        order[place] = (int64_t)row;
    }
    memmove(starts + 1, starts, groups * sizeof *starts);
    starts[0] = 0;
    for (size_t group = 0; group < groups; group++) {
        for (int64_t at = starts[group] + 1; at < starts[group + 1]; at++) {
            int64_t row = order[at], hole = at;
            for (; hole > starts[group]; hole--) {
                int64_t other = order[hole - 1];
                if (high[other] < high[row] ||
                    (high[other] == high[row] && low[other] <= low[row]))
                    break;
                order[hole] = other;
            }
            order[hole] = row;
        }
    }
    for (size_t at = 0; at < rows; at++, out += ENTRY) {
        int64_t row = order[at];
        memcpy(out, high + row, 8);
        memcpy(out + 8, low + row, 8);
        memcpy(out + 16, digest + row, 6);
        memcpy(out + 22, transfer + row, 4);
    }
}
