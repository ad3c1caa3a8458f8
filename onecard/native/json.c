/* Flat JSON objects with known keys into cells, as strictly as connectors/common/strict_json.py and
   records.py read them. A record in which anything is odd (an unknown, repeated or escaped key, a
   nested value, a number with an exponent where one form is asked for, a lone surrogate, bytes that
   are no UTF-8, no JSON at all) is left to them; nothing is guessed here. */
#include "cells.h"

enum { KEY = 1, ONE_FORM = 2, NEEDED = 4 };
/* Of a column: its true and false are odd; its numbers have one form; a record without it is odd. */

#define LONGEST_FORM 60
/* Characters of a number that gets its one form here; a longer one is odd. */

typedef struct {
    const uint8_t *data;
    size_t size, at;
    const uint8_t *names;
    const uint32_t *ends;
    const uint8_t *marks;
    size_t columns, next; /* next: the column that is looked at first for a key */
    uint8_t *aside;
    size_t aside_used;
} reader;

static inline void blanks(reader *in) {
    while (in->at < in->size) {
        uint8_t b = in->data[in->at];
        if (b != ' ' && b != '\t' && b != '\n' && b != '\r') return;
        in->at++;
    }
}

/* Takes one byte if it is the next one. */
static inline int taken(reader *in, uint8_t byte) {
    if (in->at >= in->size || in->data[in->at] != byte) return 0;
    in->at++;
    return 1;
}

static int hex4(const reader *in, size_t at, uint32_t *code) {
    if (at + 4 > in->size) return 0;
    *code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t b = in->data[at + i];
        uint32_t digit = b >= '0' && b <= '9'   ? (uint32_t)(b - '0')
                         : b >= 'a' && b <= 'f' ? (uint32_t)(b - 'a' + 10)
                         : b >= 'A' && b <= 'F' ? (uint32_t)(b - 'A' + 10)
                                                : 16;
        if (digit > 15) return 0;
        *code = *code << 4 | digit;
    }
    return 1;
}

/* Writes what the escape behind a backslash means; 0: odd. */
static int escape(reader *in) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (in->at >= in->size) return 0;
    uint8_t b = in->data[in->at++];
    if (b != 'u') {
        const char *place = b ? strchr(from, b) : NULL;
        if (!place) return 0;
        in->aside[in->aside_used++] = (uint8_t)to[place - from];
        return 1;
    }
    uint32_t code, low;
    if (!hex4(in, in->at, &code)) return 0;
    in->at += 4;
    if (code >= 0xDC00 && code <= 0xDFFF) return 0;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (!(taken(in, '\\') && taken(in, 'u') && hex4(in, in->at, &low))) return 0;
        if (low < 0xDC00 || low > 0xDFFF) return 0;
        in->at += 4;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    in->aside_used += onecard_put_utf8(in->aside + in->aside_used, code);
    return 1;
}

/* A string behind its opening quote; 0: odd. */
static int string(reader *in, onecard_cell *cell) {
    size_t from = in->at, began = in->aside_used;
    int aside = 0;
    while (in->at < in->size) {
        uint8_t b = in->data[in->at];
        if (b >= 0x80) {
            size_t size = onecard_utf8(in->data + in->at, in->size - in->at);
            if (!size) return 0;
            in->at += size;
        } else if (b == '"' || b == '\\') {
            if (b == '\\' || aside) {
                memcpy(in->aside + in->aside_used, in->data + from, in->at - from);
                in->aside_used += in->at - from;
                aside = 1;
            }
            in->at++;
            if (b == '"') {
                cell->at = aside ? (uint32_t)began | ASIDE : (uint32_t)from;
                cell->size = (int32_t)(aside ? in->aside_used - began : in->at - 1 - from);
                return 1;
            }
            if (!escape(in)) return 0;
            from = in->at;
        } else if (b < 0x20) {
            return 0;
        } else {
            in->at++;
            in->at += onecard_plain(in->data + in->at, in->size - in->at, EACH('"'), EACH('\\'));
        }
    }
    return 0;
}

static size_t digits(reader *in) {
    size_t from = in->at;
    while (in->at < in->size && in->data[in->at] >= '0' && in->data[in->at] <= '9') in->at++;
    return in->at - from;
}

/* The one form of a number with a point and no exponent: 1, -0.5; -0.0 is 0. */
static void one_form(const reader *in, size_t from, size_t point, onecard_cell *cell) {
    size_t end = in->at;
    while (end > point + 1 && in->data[end - 1] == '0') end--;
    if (end == point + 1) end = point;
    cell->at = (uint32_t)from;
    cell->size = (int32_t)(end - from);
    if (cell->size == 2 && in->data[from] == '-' && in->data[from + 1] == '0') {
        cell->at++;
        cell->size = 1;
    }
}

/* A number as it is written, or in its one form; 0: odd. */
static int number(reader *in, int mark, onecard_cell *cell) {
    size_t from = in->at, point = 0;
    int power = 0;
    taken(in, '-');
    if (!taken(in, '0') && !digits(in)) return 0;
    if (in->at < in->size && in->data[in->at] == '.') {
        point = in->at++;
        if (!digits(in)) return 0;
    }
    if (in->at < in->size && (in->data[in->at] | 0x20) == 'e') {
        power = 1;
        in->at++;
        if (!taken(in, '+')) taken(in, '-');
        if (!digits(in)) return 0;
    }
    cell->at = (uint32_t)from;
    cell->size = (int32_t)(in->at - from);
    if (!(mark & ONE_FORM) || (!point && !power)) return 1;
    if (power || cell->size > LONGEST_FORM) return 0;
    one_form(in, from, point, cell);
    return 1;
}

static int word(reader *in, const char *text, size_t size) {
    if (in->size - in->at < size || memcmp(in->data + in->at, text, size)) return 0;
    in->at += size;
    return 1;
}

static int value(reader *in, int mark, onecard_cell *cell) {
    if (in->at >= in->size) return 0;
    uint8_t b = in->data[in->at];
    if (b == '"') {
        in->at++;
        return string(in, cell);
    }
    if (b == 'n') {
        cell->size = IS_NULL;
        return word(in, "null", 4);
    }
    if (b == 't' || b == 'f') {
        size_t size = b == 't' ? 4 : 5;
        cell->at = (uint32_t)in->at;
        cell->size = (int32_t)size;
        return !(mark & KEY) && word(in, b == 't' ? "true" : "false", size);
    }
    return (b == '-' || (b >= '0' && b <= '9')) && number(in, mark, cell);
}

/* The column of the key that begins at `in->at`, behind its quote; -1: odd. */
static ptrdiff_t column(reader *in) {
    for (size_t tried = 0; tried < in->columns; tried++) {
        size_t c = in->next + tried;
        if (c >= in->columns) c -= in->columns;
        size_t from = c ? in->ends[c - 1] : 0, size = in->ends[c] - from;
        if (in->size - in->at > size && in->data[in->at + size] == '"' &&
            !memcmp(in->data + in->at, in->names + from, size)) {
            in->at += size + 1;
            in->next = c + 1 < in->columns ? c + 1 : 0;
            return (ptrdiff_t)c;
        }
    }
    return -1;
}

/* The object at `in->at`; 0: odd. */
static int object(reader *in, onecard_cell *row) {
    for (size_t c = 0; c < in->columns; c++) row[c].size = NOT_SEEN;
    in->next = 0;
    if (!taken(in, '{')) return 0;
    blanks(in);
    if (!taken(in, '}')) {
        do {
            blanks(in);
            if (!taken(in, '"')) return 0;
            ptrdiff_t c = column(in);
            if (c < 0 || row[c].size != NOT_SEEN) return 0;
            blanks(in);
            if (!taken(in, ':')) return 0;
            blanks(in);
            if (!value(in, in->marks[c], row + c)) return 0;
            blanks(in);
        } while (taken(in, ','));
        if (!taken(in, '}')) return 0;
    }
    for (size_t c = 0; c < in->columns; c++)
        if (row[c].size == NOT_SEEN) {
            if (in->marks[c] & NEEDED) return 0;
            row[c].size = IS_NULL;
        }
    return 1;
}

static void add(const onecard_cell *row, size_t columns, int64_t *totals) {
    for (size_t c = 0; c < columns; c++)
        if (row[c].size > 0) totals[c] += row[c].size;
}

static int ends_line(uint8_t b) {
    return b == ' ' || (b >= '\t' && b <= '\r') || b == 0x1A;
}

/* An object a line, up to `most` of them. names, ends: native names, one behind the other, and where
   each ends; marks: of each column. aside: as large as the data. lines: where each row's line begins
   and ends. odd: 1 for a row that is for the careful reader; its cells are NULL.
   found: rows, bytes taken, blank lines, bytes that stand aside, odd rows. */
EXPORT void onecard_json_lines(const uint8_t *data, size_t size, const uint8_t *names,
                               const uint32_t *ends, const uint8_t *marks, size_t columns,
                               size_t most, onecard_cell *cells, uint8_t *aside, uint32_t *lines,
                               uint8_t *odd, int64_t *totals, int64_t *found) {
    static const uint8_t mark[3] = {0xEF, 0xBB, 0xBF};
    reader in = {data, size, 0, names, ends, marks, columns, 0, aside, 0};
    size_t at = 0, rows = 0, blank = 0, spoilt = 0;
    while (at < size && rows < most) {
        const uint8_t *stop = memchr(data + at, '\n', size - at);
        size_t begin = at, end = stop ? (size_t)(stop - data) : size;
        at = stop ? end + 1 : size;
        if (end - begin >= 3 && !memcmp(data + begin, mark, 3)) begin += 3;
        while (end > begin && ends_line(data[end - 1])) end--;
        if (end == begin) {
            blank++;
            continue;
        }
        onecard_cell *row = cells + rows * columns;
        size_t before = in.aside_used;
        in.at = begin;
        in.size = end;
        blanks(&in);
        odd[rows] = !(object(&in, row) && in.at == end);
        if (odd[rows]) {
            spoilt++;
            in.aside_used = before;
            for (size_t c = 0; c < columns; c++) row[c].size = IS_NULL;
        } else {
            add(row, columns, totals);
        }
        lines[2 * rows] = (uint32_t)begin;
        lines[2 * rows + 1] = (uint32_t)end;
        rows++;
    }
    found[0] = (int64_t)rows;
    found[1] = (int64_t)at;
    found[2] = (int64_t)blank;
    found[3] = (int64_t)in.aside_used;
    found[4] = (int64_t)spoilt;
}

/* A list of objects that begins at `begin`; found as above, bytes taken counted from the data's
   beginning, 0 where the list or one of its records is odd, or where there are more than `most`. */
EXPORT void onecard_json_list(const uint8_t *data, size_t size, size_t begin, const uint8_t *names,
                              const uint32_t *ends, const uint8_t *marks, size_t columns,
                              size_t most, onecard_cell *cells, uint8_t *aside, int64_t *totals,
                              int64_t *found) {
    reader in = {data, size, begin, names, ends, marks, columns, 0, aside, 0};
    size_t rows = 0;
    memset(found, 0, 5 * sizeof *found);
    if (!taken(&in, '[')) return;
    blanks(&in);
    if (!taken(&in, ']')) {
        do {
            blanks(&in);
            onecard_cell *row = cells + rows * columns;
            if (rows == most || !object(&in, row)) return;
            add(row, columns, totals);
            rows++;
            blanks(&in);
        } while (taken(&in, ','));
        if (!taken(&in, ']')) return;
    }
    found[0] = (int64_t)rows;
    found[1] = (int64_t)in.at;
    found[3] = (int64_t)in.aside_used;
}

/* Goes past a string whose opening quote is at `in->at`, and says where it ends; 0: never. */
static size_t past_string(reader *in) {
    for (in->at++; in->at < in->size; in->at++) {
        if (in->data[in->at] == '\\') {
            in->at++;
        } else if (in->data[in->at] == '"') {
            in->at++;
            return in->at - 1;
        }
    }
    return 0;
}

/* Goes past a value, whatever it holds. */
static int past_value(reader *in) {
    size_t depth = 0;
    while (in->at < in->size) {
        uint8_t b = in->data[in->at];
        if (b == '"') {
            if (!past_string(in)) return 0;
            continue;
        }
        if (depth == 0 && (b == ',' || b == '}' || b == ']')) return 1;
        if (b == '{' || b == '[') depth++;
        if (b == '}' || b == ']') depth--;
        in->at++;
    }
    return 0;
}

/* Where the list at a path of keys begins; 0: not found (a document of one list has none to find).
   The way there is not checked: the document without the list is read strictly afterwards. */
EXPORT size_t onecard_json_find(const uint8_t *data, size_t size, const uint8_t *steps,
                                const uint32_t *ends, size_t count) {
    reader in = {data, size, 0, NULL, NULL, NULL, 0, 0, NULL, 0};
    for (size_t s = 0; s < count; s++) {
        size_t from = s ? ends[s - 1] : 0, long_ = ends[s] - from;
        blanks(&in);
        if (!taken(&in, '{')) return 0;
        for (;;) {
            blanks(&in);
            size_t begin = in.at + 1;
            if (in.at >= size || data[in.at] != '"') return 0;
            size_t end = past_string(&in);
            blanks(&in);
            if (!end || !taken(&in, ':')) return 0;
            if (end - begin == long_ && !memcmp(data + begin, steps + from, long_)) break;
            if (!past_value(&in) || !taken(&in, ',')) return 0;
        }
    }
    blanks(&in);
    return in.at < size && data[in.at] == '[' ? in.at : 0;
}
