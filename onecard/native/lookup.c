/* Where numbers stand in a sorted array. */

#include "native.h"

/* `starts` says where each bucket of values begins, by their first bits, those left of `shift`; a
 * last entry says where the last bucket ends. `places`: of the first equal value, or -1. */
EXPORT void onecard_lookup(const int64_t *sorted, const uint32_t *starts, int64_t shift,
                           const int64_t *wanted, int64_t count, int64_t *places) {
  for (int64_t n = 0; n < count; n++) {
    int64_t value = wanted[n];
    uint64_t bucket = ((uint64_t)value ^ UINT64_C(1) << 63) >> shift;
    uint32_t from = starts[bucket], end = starts[bucket + 1], stop = end;
    while (from < end) {
      uint32_t middle = from + (end - from) / 2;
      if (sorted[middle] < value)
        from = middle + 1;
      else
        end = middle;
    }
    places[n] = from < stop && sorted[from] == value ? (int64_t)from : -1;
  }
}
