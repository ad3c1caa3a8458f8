/* Sound CSV records into cells. The first record in which anything is odd ends the scan: it is for
   the careful reader, which says what is wrong with it. Nothing is guessed here. */
#include "cells.h"

enum { PLAIN, ENDS, QUOTE, RETURN, HIGH };
enum { UTF8, GB18030 };

/* What is read and where the cells go. */
typedef struct {
    const uint8_t *data;
    size_t size;
    uint8_t delimiter;
    int encoding;
    const uint16_t *two;  /* code point by (lead - 0x81) * 256 + trail; 0: none */
    const uint16_t *four; /* code point of the four-byte codes of the BMP, in their order; 0: none */
    uint8_t *aside;
    size_t aside_size, aside_used;
    uint8_t kind[256];
} reader;

#define FOUR_IN_BMP 39420
#define FOUR_BEYOND 189000

/* One character of GB 18030 at `at` as UTF-8 behind what stands aside; returns its bytes, 0: none. */
static size_t gb18030(reader *in, size_t at) {
    const uint8_t *p = in->data + at;
    size_t left = in->size - at;
    uint32_t code;
    if (left < 2 || p[0] < 0x81 || p[0] > 0xFE) return 0;
    if (p[1] < 0x30 || p[1] > 0x39) {
        code = in->two[(size_t)(p[0] - 0x81) * 256 + p[1]];
        if (!code) return 0;
        in->aside_used += onecard_put_utf8(in->aside + in->aside_used, code);
        return 2;
    }
    if (left < 4 || p[2] < 0x81 || p[2] > 0xFE || p[3] < 0x30 || p[3] > 0x39) return 0;
    uint32_t place = ((uint32_t)(p[0] - 0x81) * 10 + (p[1] - 0x30)) * 1260 +
                     (uint32_t)(p[2] - 0x81) * 10 + (p[3] - 0x30);
    if (place < FOUR_IN_BMP)
        code = in->four[place];
    else if (place >= FOUR_BEYOND && place - FOUR_BEYOND < 0x100000)
        code = 0x10000 + place - FOUR_BEYOND;
    else
        code = 0;
    if (!code) return 0;
    in->aside_used += onecard_put_utf8(in->aside + in->aside_used, code);
    return 4;
}

/* A cell under way: what of it stands aside so far, from `began`; or nothing, from `from`. */
typedef struct {
    size_t from, began;
    int aside;
} under_way;

/* Writes what was read since `w->from` aside. */
static void move(reader *in, under_way *w, size_t upto) {
    if (!w->aside) {
        w->aside = 1;
        w->began = in->aside_used;
    }
    memcpy(in->aside + in->aside_used, in->data + w->from, upto - w->from);
    in->aside_used += upto - w->from;
    w->from = upto;
}

/* Takes the character beyond ASCII at *at; 0 where it is none. */
static int high(reader *in, under_way *w, size_t *at) {
    size_t taken;
    if (in->encoding == UTF8) {
        taken = onecard_utf8(in->data + *at, in->size - *at);
        *at += taken;
        return taken != 0;
    }
    move(in, w, *at);
    taken = gb18030(in, *at);
    *at += taken;
    w->from = *at;
    return taken != 0;
}

static void finish(reader *in, under_way *w, size_t upto, onecard_cell *cell) {
    if (w->aside) {
        move(in, w, upto);
        cell->at = (uint32_t)w->began | ASIDE;
        cell->size = (int32_t)(in->aside_used - w->began);
    } else {
        cell->at = (uint32_t)w->from;
        cell->size = (int32_t)(upto - w->from);
    }
}

/* A cell that begins behind an opening quote; returns the place behind its closing one, 0: odd. */
static size_t quoted(reader *in, size_t at, onecard_cell *cell) {
    under_way w = {at, 0, 0};
    while (at < in->size) {
        uint8_t byte = in->data[at];
        if (byte == '\n') return 0;
        if (byte >= 0x80) {
            if (!high(in, &w, &at)) return 0;
        } else if (byte != '"') {
            at++;
            at += onecard_plain(in->data + at, in->size - at, EACH('"'), EACH('"'));
        } else if (at + 1 < in->size && in->data[at + 1] == '"') {
            move(in, &w, at + 1);
            at += 2;
            w.from = at;
        } else {
            finish(in, &w, at, cell);
            return at + 1;
        }
    }
    return 0;
}

/* A cell without an opening quote, up to what ends it; -1: odd. A quote inside it is data. */
static ptrdiff_t unquoted(reader *in, size_t at, onecard_cell *cell) {
    under_way w = {at, 0, 0};
    uint64_t mark = EACH(in->delimiter);
    size_t began = at;
    while (at < in->size) {
        int kind = in->kind[in->data[at]];
        if (kind == PLAIN || kind == QUOTE) {
            at++;
            at += onecard_plain(in->data + at, in->size - at, mark, mark);
        } else if (kind == HIGH) {
            if (!high(in, &w, &at)) return -1;
        } else {
            break;
        }
    }
    finish(in, &w, at, cell);
    if (at == began) cell->size = IS_NULL;
    return (ptrdiff_t)at;
}

/* The cells of the record at `at`; returns the place behind its line's end, 0: it is odd. */
static size_t record(reader *in, size_t at, size_t columns, onecard_cell *row) {
    for (size_t c = 0; c < columns; c++) {
        if (at < in->size && in->data[at] == '"') {
            at = quoted(in, at + 1, row + c);
            if (!at) return 0;
        } else {
            ptrdiff_t end = unquoted(in, at, row + c);
            if (end < 0) return 0;
            at = (size_t)end;
        }
        if (c + 1 < columns) {
            if (at >= in->size || in->data[at] != in->delimiter) return 0;
            at++;
        }
    }
    if (at < in->size && in->data[at] == '\r') {
        if (at + 1 >= in->size || in->data[at + 1] != '\n') return 0;
        at++;
    }
    if (at == in->size) return at;
    return in->data[at] == '\n' ? at + 1 : 0;
}

/* Whether a cell's text is the name, with or without a byte order mark before it. */
static int is_name(const reader *in, const onecard_cell *cell, const uint8_t *name, size_t size) {
    static const uint8_t mark[3] = {0xEF, 0xBB, 0xBF};
    size_t long_ = cell->size < 0 ? 0 : (size_t)cell->size;
    const uint8_t *text = (cell->at & ASIDE ? in->aside : in->data) + (cell->at & ~ASIDE);
    if (long_ == size + sizeof mark && !memcmp(text, mark, sizeof mark)) {
        text += sizeof mark;
        long_ = size;
    }
    return long_ == size && (!size || !memcmp(text, name, size));
}

/* The place behind a line of nothing but blanks; 0: it holds something. */
static size_t blank_line(const reader *in, size_t at, const uint8_t *blanks) {
    while (at < in->size && blanks[in->data[at]]) {
        if (in->data[at] == '\n') return at + 1;
        at++;
    }
    return at == in->size ? at : 0;
}

/* Records from the beginning of `data`, up to the first that is odd, or `most`.

   blanks: 256 marks of bytes that a blank line may hold, LF among them. name: of the first column,
   as UTF-8: a record that begins with it is odd, it may be the header row again. aside has room for
   one and a half times the data and eight bytes more. totals: bytes of each column, added up.
   found: rows, bytes taken, blank lines, bytes that stand aside. */
EXPORT void onecard_csv_scan(const uint8_t *data, size_t size, uint8_t delimiter,
                                     const uint8_t *blanks, int encoding, const uint16_t *two,
                                     const uint16_t *four, const uint8_t *name, size_t name_size,
                                     size_t columns, size_t most, onecard_cell *cells,
                                     uint8_t *aside, size_t aside_size, int64_t *totals,
                                     int64_t *found) {
    reader in = {data, size, delimiter, encoding, two, four, aside, aside_size, 0, {0}};
    size_t at = 0, rows = 0, blank = 0;
    for (int byte = 0x80; byte < 0x100; byte++) in.kind[byte] = HIGH;
    in.kind['"'] = QUOTE;
    in.kind['\r'] = RETURN;
    in.kind['\n'] = in.kind[delimiter] = ENDS;
    if (aside_size < size + size / 2 + 8) most = 0;
    while (at < size && rows < most) {
        size_t before = in.aside_used, end = 0;
        if (blanks[data[at]]) end = blank_line(&in, at, blanks);
        if (end) {
            blank++;
            at = end;
            continue;
        }
        onecard_cell *row = cells + rows * columns;
        end = record(&in, at, columns, row);
        if (!end || is_name(&in, row, name, name_size)) {
            in.aside_used = before;
            break;
        }
        for (size_t c = 0; c < columns; c++)
            if (row[c].size > 0) totals[c] += row[c].size;
        rows++;
        at = end;
    }
    found[0] = (int64_t)rows;
    found[1] = (int64_t)at;
    found[2] = (int64_t)blank;
    found[3] = (int64_t)in.aside_used;
}
