/* The binary format of PostgreSQL's COPY TO → buffers of Arrow arrays, straight from libpq.
 *
 * What a message holds is looked at before it is believed: nothing is read behind its end, nothing
 * written behind the room of a column. A row counts when all of it is decoded; one that finds no
 * room is decoded again from its start when the caller has made some. */

#include <poll.h>

#include "native.h"

enum kind { TEXT, NUMERIC, DATE, TIMESTAMP, INT16, INT32, INT64 };
static const int64_t WIDTHS[] = {-1, -1, 4, 8, 2, 4, 8};

enum outcome { MORE, FULL, GROW, SILENT, ENDED, FAILED, BROKEN };

/* One array being filled. TEXT and NUMERIC: `values` are 32-bit offsets, one more than rows. */
typedef struct {
  int64_t kind;
  uint8_t *validity; /* bits, zero at first */
  uint8_t *values;
  uint8_t *data;     /* of TEXT and NUMERIC */
  int64_t room;      /* bytes at `data` */
  int64_t nulls;
} column;

/* A batch being filled, and where the stream stands. */
typedef struct {
  column *columns;
  int64_t count;
  int64_t most_rows;
  int64_t most_bytes; /* of the stream, after which a batch counts as full */
  int64_t rows;
  int64_t bytes;
  int64_t needed;     /* GROW: bytes that the column `wanting` must hold */
  int64_t wanting;
  uint8_t *message;   /* libpq's; NULL: none in hand */
  int64_t size;
  int64_t at;         /* decoded up to here */
  int64_t begun;      /* the header has been seen */
  int64_t closed;     /* the trailer has been seen */
} stream;

/* libpq, as psycopg has loaded it. */
typedef struct {
  int (*get)(void *connection, char **message, int async);
  int (*consume)(void *connection);
  void (*release)(void *message);
  void *connection;
  int64_t socket;
} source;

enum { DAYS = 10957, LONGEST = INT32_MAX, PER_GROUP = 4 };
static const uint64_t MICROSECONDS = UINT64_C(946684800000000);
/* From 1970 to 2000, the epoch of PostgreSQL. */

static uint16_t get16(const uint8_t *from) {
  uint16_t value;
  memcpy(&value, from, 2);
  return __builtin_bswap16(value);
}

static uint32_t get32(const uint8_t *from) {
  uint32_t value;
  memcpy(&value, from, 4);
  return __builtin_bswap32(value);
}

static uint64_t get64(const uint8_t *from) {
  uint64_t value;
  memcpy(&value, from, 8);
  return __builtin_bswap64(value);
}

/* Whether so many bytes more fit; says in the stream what would. */
static int fits(stream *s, column *c, int64_t start, int64_t size) {
  if (start + size <= c->room) return 1;
  s->needed = start + size;
  s->wanting = c - s->columns;
  return 0;
}

static uint8_t *put_group(uint8_t *to, unsigned group, int digits) {
  static const unsigned tens[] = {1, 10, 100, 1000};
  while (digits--) *to++ = (uint8_t)('0' + group / tens[digits] % 10);
  return to;
}

/* NUMERIC as text, all digits of its scale shown: what PostgreSQL itself prints but for the words
 * of the values that are no number. Returns its end; NULL: it is none. */
static uint8_t *put_numeric(uint8_t *to, const uint8_t *from, int64_t size) {
  int groups = get16(from), weight = (int16_t)get16(from + 2), scale = get16(from + 6);
  unsigned sign = get16(from + 4);
  const char *word = sign == 0xC000 ? "nan" : sign == 0xD000 ? "inf" : sign == 0xF000 ? "-inf" : NULL;
  if (word) {
    size_t length = strlen(word);
    memcpy(to, word, length);
    return to + length;
  }
  if ((sign != 0 && sign != 0x4000) || size != 8 + 2 * groups) return NULL;
  for (int n = 0; n < groups; n++)
    if (get16(from + 8 + 2 * n) > 9999) return NULL;
  if (sign) *to++ = '-';
  for (int n = 0; n <= weight; n++) {
    unsigned group = n < groups ? get16(from + 8 + 2 * n) : 0;
    int digits = n ? PER_GROUP : group > 999 ? 4 : group > 99 ? 3 : group > 9 ? 2 : 1;
    to = put_group(to, group, digits);
  }
  if (weight < 0) *to++ = '0';
  if (scale) *to++ = '.';
  for (int left = scale, n = weight + 1; left > 0; n++, left -= PER_GROUP) {
    unsigned group = n >= 0 && n < groups ? get16(from + 8 + 2 * n) : 0;
    static const unsigned cut[] = {1, 1000, 100, 10};
    int digits = left < PER_GROUP ? left : PER_GROUP;
    to = put_group(to, digits < PER_GROUP ? group / cut[digits] : group, digits);
  }
  return to;
}

/* A number of a fixed width, moved to Arrow's epoch. What PostgreSQL calls infinity, and what lies
 * out of Arrow's range, comes out as some moment far away: the gate finds it. */
static void put_fixed(column *c, int64_t row, const uint8_t *from) {
  uint16_t small;
  uint32_t half;
  uint64_t whole;
  switch (c->kind) {
  case INT16:
    small = get16(from);
    memcpy(c->values + 2 * row, &small, 2);
    break;
  case INT32:
  case DATE:
    half = get32(from) + (c->kind == DATE ? DAYS : 0);
    memcpy(c->values + 4 * row, &half, 4);
    break;
  default:
    whole = get64(from) + (c->kind == TIMESTAMP ? MICROSECONDS : 0);
    memcpy(c->values + 8 * row, &whole, 8);
  }
}

/* One value of `size` bytes. */
static int64_t put_value(stream *s, column *c, const uint8_t *from, int64_t size, int64_t start,
                         int64_t *end) {
  if (c->kind == TEXT) {
    if (!fits(s, c, start, size)) return GROW;
    memcpy(c->data + start, from, (size_t)size);
    *end = start + size;
    return MORE;
  }
  if (c->kind == NUMERIC) {
    if (size < 8) return BROKEN;
    int64_t before = (int16_t)get16(from + 2), behind = get16(from + 6);
    if (!fits(s, c, start, 4 * (before < 0 ? 1 : before + 1) + behind + 8)) return GROW;
    uint8_t *to = put_numeric(c->data + start, from, size);
    if (to == NULL) return BROKEN;
    *end = to - c->data;
    return MORE;
  }
  if (size != WIDTHS[c->kind]) return BROKEN;
  put_fixed(c, s->rows, from);
  return MORE;
}

/* The row that starts behind its count of fields at `from`; `from` moves behind it. */
static int64_t put_row(stream *s, const uint8_t **from, const uint8_t *end) {
  const uint8_t *at = *from;
  for (int64_t n = 0; n < s->count; n++) {
    column *c = &s->columns[n];
    if (end - at < 4) return BROKEN;
    int32_t size = (int32_t)get32(at);
    at += 4;
    if (size < -1 || size > end - at) return BROKEN;
    int32_t start = 0;
    int64_t stop;
    int text = c->kind == TEXT || c->kind == NUMERIC;
    if (text) memcpy(&start, c->values + 4 * s->rows, 4);
    stop = start;
    uint8_t bit = (uint8_t)(1u << (s->rows & 7));
    if (size < 0) {
      c->validity[s->rows >> 3] &= (uint8_t)~bit;
      if (!text) memset(c->values + WIDTHS[c->kind] * s->rows, 0, (size_t)WIDTHS[c->kind]);
    } else {
      if ((int64_t)start + size > LONGEST) return FULL;
      int64_t outcome = put_value(s, c, at, size, start, &stop);
      if (outcome != MORE) return outcome;
      if (stop > LONGEST) return FULL;
      c->validity[s->rows >> 3] |= bit;
      at += size;
    }
    int32_t next = (int32_t)stop;
    if (text) memcpy(c->values + 4 * (s->rows + 1), &next, 4);
  }
  *from = at;
  return MORE;
}

static void count_row(stream *s) {
  for (int64_t n = 0; n < s->count; n++) {
    column *c = &s->columns[n];
    c->nulls += !(c->validity[s->rows >> 3] >> (s->rows & 7) & 1);
  }
  s->rows++;
}

/* Signature, flags (none is known) and an extension that nobody uses. */
static int64_t read_header(stream *s) {
  static const char signature[11] = "PGCOPY\n\377\r\n\0";
  if (s->size < 19 || memcmp(s->message, signature, 11) || get32(s->message + 11)) return BROKEN;
  int64_t extension = (int32_t)get32(s->message + 15);
  if (extension < 0 || extension > s->size - 19) return BROKEN;
  s->at = 19 + extension;
  s->begun = 1;
  return MORE;
}

/* Decode what is left of the message in hand. */
EXPORT int64_t onecard_decode(stream *s) {
  if (!s->begun && read_header(s) != MORE) return BROKEN;
  const uint8_t *at = s->message + s->at, *end = s->message + s->size;
  while (at < end) {
    if (s->closed || end - at < 2) return BROKEN;
    int16_t fields = (int16_t)get16(at);
    if (fields == -1) {
      s->closed = 1;
      at += 2;
      continue;
    }
    if (fields != s->count) return BROKEN;
    if (s->rows == s->most_rows || s->bytes >= s->most_bytes) return FULL;
    const uint8_t *row = at + 2;
    int64_t outcome = put_row(s, &row, end);
    if (outcome == FULL && !s->rows) return BROKEN; /* one value that no column holds */
    if (outcome != MORE) return outcome;
    count_row(s);
    s->bytes += row - at;
    at = row;
    s->at = at - s->message;
  }
  return MORE;
}

/* Give back the message in hand. */
EXPORT void onecard_release(stream *s, const source *from) {
  if (s->message) from->release(s->message);
  s->message = NULL;
}

/* The next message; SILENT when none has come for `patience` milliseconds.
 *
 * What has arrived is asked for before anything is waited for: TLS may hold decrypted bytes of
 * which the socket knows nothing. */
static int64_t next_message(stream *s, const source *from, int patience) {
  for (int asked = 0;; asked = !asked) {
    char *message;
    int size = from->get(from->connection, &message, 1);
    if (size > 0) {
      s->message = (uint8_t *)message;
      s->size = size;
      s->at = 0;
      return MORE;
    }
    if (size < 0) return size == -1 && s->closed ? ENDED : FAILED;
    if (asked) {
      struct pollfd waited = {.fd = (int)from->socket, .events = POLLIN};
      if (poll(&waited, 1, patience) == 0) return SILENT;
    }
    if (!from->consume(from->connection)) return FAILED;
  }
}

/* Fill the batch from the connection, until it is full, the stream ends or somebody must act. */
EXPORT int64_t onecard_fetch(stream *s, const source *from, int64_t patience) {
  for (;;) {
    int64_t outcome = s->message ? MORE : next_message(s, from, (int)patience);
    if (outcome != MORE) return outcome;
    outcome = onecard_decode(s);
    if (outcome != MORE) return outcome;
    onecard_release(s, from);
  }
}
