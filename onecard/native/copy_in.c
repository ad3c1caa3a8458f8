/* Arrow columns → the binary format of PostgreSQL's COPY FROM (documentation: COPY, Binary Format).
 *
 * A row is a 16-bit count of fields, then for each its 32-bit length and its bytes, all in network
 * order; -1 as a length is NULL. What has no place in a column's type is refused by row. */

#include "native.h"

#ifndef __SIZEOF_INT128__
#error "64-bit machines only; others take the plain path"
#endif

enum kind { TEXT, DATE, TIMESTAMP, INT64, DECIMAL };

/* One Arrow array: `offset` counts rows, in all buffers alike. */
typedef struct {
  int64_t kind;
  int64_t scale;                /* of DECIMAL */
  int64_t offset;
  const uint8_t *validity;      /* bits; NULL: no nulls */
  const uint8_t *values;        /* of TEXT: views of 16 bytes */
  const uint8_t *const *data;   /* of TEXT: the buffers that views point into */
} column;

enum { DAYS = 10957, INLINE = 12, DECIMAL_BYTES = 4 + 8 + 2 * 11 };
static const int64_t MICROSECONDS = INT64_C(946684800000000);
/* From 1970 to 2000, the epoch of PostgreSQL. */

static uint8_t *put16(uint8_t *to, uint16_t value) {
  value = __builtin_bswap16(value);
  memcpy(to, &value, 2);
  return to + 2;
}

static uint8_t *put32(uint8_t *to, uint32_t value) {
  value = __builtin_bswap32(value);
  memcpy(to, &value, 4);
  return to + 4;
}

static uint8_t *put64(uint8_t *to, uint64_t value) {
  value = __builtin_bswap64(value);
  memcpy(to, &value, 8);
  return to + 8;
}

/* NUMERIC: digits to the base of 10,000, the first of weight `weight`, `scale` of them shown. */
static uint8_t *put_decimal(uint8_t *to, const uint8_t *value, int64_t scale) {
  static const uint16_t tens[] = {1, 10, 100, 1000};
  __int128 number;
  memcpy(&number, value, 16);
  unsigned __int128 rest = number < 0 ? -(unsigned __int128)number : (unsigned __int128)number;
  uint16_t digits[12]; /* the last first: 39 decimal digits, cut at the point */
  int count = 0, behind = (int)((scale + 3) / 4), odd = (int)(scale % 4);
  if (odd && rest) {
    digits[count++] = (uint16_t)((uint16_t)(rest % tens[odd]) * tens[4 - odd]);
    rest /= tens[odd];
  }
  while (rest >> 64) {
    digits[count++] = (uint16_t)(rest % 10000);
    rest /= 10000;
  }
  for (uint64_t low = (uint64_t)rest; low; low /= 10000) digits[count++] = (uint16_t)(low % 10000);
  to = put32(to, (uint32_t)(8 + 2 * count));
  to = put16(to, (uint16_t)count);
  to = put16(to, (uint16_t)(count - behind - 1));
  to = put16(to, number < 0 ? 0x4000 : 0);
  to = put16(to, (uint16_t)scale);
  while (count) to = put16(to, digits[--count]);
  return to;
}

/* One value; NULL where `room` does not hold it, `to` itself where the type does not. */
static uint8_t *put_value(const column *c, int64_t row, uint8_t *to, int64_t room) {
  int64_t at = row + c->offset;
  if (room < DECIMAL_BYTES) return NULL;
  if (c->validity && !(c->validity[at >> 3] >> (at & 7) & 1)) return put32(to, UINT32_MAX);
  if (c->kind == TEXT) {
    const uint8_t *view = c->values + 16 * at;
    int32_t size, buffer, start;
    memcpy(&size, view, 4);
    if (room - 4 < size) return NULL;
    to = put32(to, (uint32_t)size);
    if (size <= INLINE) {
      memcpy(to, view + 4, INLINE);
    } else {
      memcpy(&buffer, view + 8, 4);
      memcpy(&start, view + 12, 4);
      memcpy(to, c->data[buffer] + start, (size_t)size);
    }
    return to + size;
  }
  if (c->kind == DECIMAL) return put_decimal(to, c->values + 16 * at, c->scale);
  if (c->kind == DATE) {
    int32_t days;
    memcpy(&days, c->values + 4 * at, 4);
    if (days <= INT32_MIN + DAYS) return to;
    return put32(put32(to, 4), (uint32_t)(days - DAYS));
  }
  int64_t number;
  memcpy(&number, c->values + 8 * at, 8);
  if (c->kind == TIMESTAMP) {
    if (number <= INT64_MIN + MICROSECONDS) return to;
    number -= MICROSECONDS;
  }
  return put64(put32(to, 8), (uint64_t)number);
}

/* Encode rows `from` to `end`; returns the first that is not encoded.
 *
 * It stops where `room` bytes at `out` are used up; `used` says how many are. -1 - row: a value of
 * that row has no place in its type. */
EXPORT int64_t onecard_encode(const column *columns, int64_t count, int64_t from, int64_t end,
                              uint8_t *out, int64_t room, int64_t *used) {
  uint8_t *to = out;
  for (*used = 0; from < end; from++) {
    if (room - *used < 2) break;
    to = put16(to, (uint16_t)count);
    for (int64_t n = 0; n < count; n++) {
      uint8_t *next = put_value(&columns[n], from, to, room - (to - out));
      if (next == NULL) return from;
      if (next == to) return -1 - from;
      to = next;
    }
    *used = to - out;
  }
  return from;
}
