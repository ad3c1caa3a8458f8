/* Rows as texts that no other values give: `head`, then of each column a NUL, and `=` and the
 * value, or `~` for NULL; and hashes of such texts, before which two numbers from the row's digest
 * stand. */

#include "views.h"
#include "xxh3.h"

#define DIGEST 32
#define MOST_DIGITS 20
#define EIGHT_DIGITS 100000000u
#define SIXTEEN_DIGITS 10000000000000000u
#define INLINE 12 /* bytes of a text that stand in its view */

static const char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293"
    "949596979899";

/* The digits of a number, from the end of `last` backwards; returns where they begin. */
static inline uint8_t *digits(uint64_t number, uint8_t *last) {
    if (number >= SIXTEEN_DIGITS) { /* the sixteen last as two numbers side by side */
        uint64_t rest = number % (SIXTEEN_DIGITS);
        uint32_t low = (uint32_t)(rest % EIGHT_DIGITS), high = (uint32_t)(rest / EIGHT_DIGITS);
        number /= SIXTEEN_DIGITS;
        for (int pair = 0; pair < 4; pair++) {
            last -= 2;
            memcpy(last, pairs + low % 100 * 2, 2);
            memcpy(last - 8, pairs + high % 100 * 2, 2);
            low /= 100, high /= 100;
        }
        last -= 8;
    }
    while (number > 99) {
        last -= 2;
        memcpy(last, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number < 10) {
        *--last = (uint8_t)('0' + number);
        return last;
    }
    last -= 2;
    memcpy(last, pairs + number * 2, 2);
    return last;
}

static inline uint8_t *signed_digits(int64_t number, uint8_t *last) {
    uint8_t *first = digits(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, last);
    if (number < 0) *--first = '-';
    return first;
}

static inline int64_t number_at(const column *from, size_t row) {
    size_t place = row + (size_t)from->offset;
    int32_t narrow;
    int64_t wide;
    if (from->kind == NUMBERS_32) {
        memcpy(&narrow, from->values + 4 * place, 4);
        return narrow;
    }
    memcpy(&wide, from->values + 8 * place, 8);
    return wide;
}

static inline uint8_t *put(uint8_t *out, const uint8_t *from, size_t size) {
    memcpy(out, from, size);
    return out + size;
}

/* Bytes that the text of a row needs at most. */
static inline size_t room_of(const column *columns, size_t width, size_t row, size_t head) {
    size_t most = head + 2 * width;
    for (size_t i = 0; i < width; i++) {
        size_t length = MOST_DIGITS + 1;
        if (columns[i].kind == TEXTS) {
            if (is_null(columns + i, row)) continue;
            text_at(columns + i, row, &length);
        }
        most += length;
    }
    return most;
}

/* Write the text of a row; returns its end. INLINE bytes behind it may be written as well. */
static inline uint8_t *put_row(uint8_t *out, const column *columns, size_t width, size_t row,
                               const uint8_t *head, size_t size) {
    uint8_t number[MOST_DIGITS + 1], *end = number + sizeof number, *first;
    out = put(out, head, size);
    for (size_t i = 0; i < width; i++) {
        const column *from = columns + i;
        *out++ = 0;
        if (is_null(from, row)) {
            *out++ = '~';
            continue;
        }
        *out++ = '=';
        if (from->kind == TEXTS) {
            size_t length;
            const uint8_t *text = text_at(from, row, &length);
            if (length <= INLINE) { /* of its view, in one move */
                memcpy(out, text, INLINE);
                out += length;
            } else {
                out = put(out, text, length);
            }
        } else {
            first = signed_digits(number_at(from, row), end);
            out = put(out, first, (size_t)(end - first));
        }
    }
    return out;
}

/* The last 16 bytes of a row's digest as two numbers, and a NUL behind them. */
static inline uint8_t *put_secret(uint8_t *out, const uint8_t *digest) {
    uint8_t number[MOST_DIGITS], *end = number + sizeof number;
    for (size_t word = 2; word < 4; word++) {
        uint64_t part;
        memcpy(&part, digest + 8 * word, 8);
        uint8_t *first = digits(__builtin_bswap64(part), end);
        out = put(out, first, (size_t)(end - first));
    }
    *out++ = 0;
    return out;
}

/* Bytes that the rows need at most, and those that a short text is copied too many. */
EXPORT int64_t onecard_row_texts_size(const column *columns, size_t width, size_t rows,
                                      size_t head) {
    size_t most = INLINE;
    for (size_t row = 0; row < rows; row++) most += room_of(columns, width, row, head);
    return (int64_t)most;
}

/* Write the texts and their `rows` + 1 offsets. */
EXPORT void onecard_row_texts(const column *columns, size_t width, size_t rows,
                              const uint8_t *head, size_t size, int64_t *offsets, uint8_t *out) {
    uint8_t *start = out;
    for (size_t row = 0; row < rows; row++) {
        offsets[row] = out - start;
        out = put_row(out, columns, width, row, head, size);
    }
    offsets[rows] = out - start;
}

/* Bytes that the longest of the texts needs which `onecard_row_hashes` makes. */
EXPORT int64_t onecard_row_hashes_room(const column *columns, size_t width, size_t rows,
                                       size_t head) {
    size_t most = 0;
    for (size_t row = 0; row < rows; row++) {
        size_t room = room_of(columns, width, row, head);
        if (room > most) most = room;
    }
    return (int64_t)(most + 2 * MOST_DIGITS + 1 + INLINE);
}

/* XXH3 of each row's text with its secret before it; digests: 32 bytes a row. */
EXPORT void onecard_row_hashes(const column *columns, size_t width, size_t rows,
                               const uint8_t *head, size_t size, const uint8_t *digests,
                               uint8_t *room, uint64_t *out) {
    for (size_t row = 0; row < rows; row++) {
        uint8_t *end = put_secret(room, digests + row * DIGEST);
        end = put_row(end, columns, width, row, head, size);
        out[row] = xxh3(room, (size_t)(end - room));
    }
}
