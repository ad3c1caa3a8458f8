/* Rows of XML whose parts are elements of known names that hold text alone, into cells. A row in
   which anything else stands (attributes, elements in its parts, other or repeated names, comments,
   references by number, bytes that are no UTF-8) is odd: nothing is guessed here. */
#include "xml_text.h"

typedef struct {
    const uint8_t *names;
    const uint32_t *ends;
    size_t count, next; /* next: the column that is looked at first for a name */
} columns;

static span name_of(const columns *of, size_t column) {
    size_t from = column ? of->ends[column - 1] : 0;
    span name = {of->names + from, of->ends[column] - from};
    return name;
}

/* The column whose name begins at `in->at` and ends there; -1: none. */
static ptrdiff_t column_at(xml_reader *in, columns *of) {
    for (size_t tried = 0; tried < of->count; tried++) {
        size_t c = of->next + tried;
        if (c >= of->count) c -= of->count;
        span name = name_of(of, c);
        if (in->size - in->at <= name.size || memcmp(in->data + in->at, name.at, name.size))
            continue;
        uint8_t b = in->data[in->at + name.size];
        if (b != '>' && b != '/') continue;
        in->at += name.size;
        of->next = c + 1 < of->count ? c + 1 : 0;
        return (ptrdiff_t)c;
    }
    return -1;
}

static int closed(xml_reader *in, span name) {
    return TAKEN(in, "</") && xml_taken(in, name.at, name.size) && TAKEN(in, ">");
}

/* A part of a row, behind its `<`. */
static int part(xml_reader *in, columns *of, onecard_cell *row) {
    ptrdiff_t c = column_at(in, of);
    if (c < 0 || row[c].size != NOT_SEEN) return 0;
    row[c].size = IS_NULL;
    if (TAKEN(in, "/>")) return 1;
    if (!TAKEN(in, ">") || !xml_text(in, 0, row + c)) return 0;
    if (row[c].size == 0) row[c].size = IS_NULL;
    return closed(in, name_of(of, (size_t)c));
}

/* The row that begins at `in->at`; 0: odd. */
static int row_at(xml_reader *in, span name, columns *of, onecard_cell *row) {
    size_t parts = 0;
    for (size_t c = 0; c < of->count; c++) row[c].size = NOT_SEEN;
    of->next = 0;
    if (!TAKEN(in, "<") || !xml_taken(in, name.at, name.size) || !TAKEN(in, ">")) return 0;
    for (;; parts++) {
        xml_blanks(in);
        if (in->size - in->at < 2 || in->data[in->at] != '<') return 0;
        if (in->data[in->at + 1] == '/') break;
        in->at++;
        if (!part(in, of, row)) return 0;
    }
    return parts && closed(in, name);
}

/* Rows from a place of the data on, up to `most` or to the first that is odd or not whole.
   name: of the elements that are rows; names, ends: of the columns, one behind the other, and where
   each ends. aside: as large as the data. seen: 1 for a column that a row had.
   found, which goes on from call to call: rows, place in the data, lines gone past, bytes that
   stand aside. */
EXPORT void onecard_xml_rows(const uint8_t *data, size_t size, const uint8_t *name,
                             size_t name_size, const uint8_t *names, const uint32_t *ends,
                             size_t count, size_t most, onecard_cell *cells, uint8_t *aside,
                             int64_t *totals, uint8_t *seen, int64_t *found) {
    xml_reader in = {data, size, (size_t)found[1], aside, (size_t)found[3], found[2]};
    columns of = {names, ends, count, 0};
    span wanted = {name, name_size};
    size_t rows = (size_t)found[0];
    while (rows < most) {
        onecard_cell *row = cells + rows * count;
        xml_blanks(&in);
        size_t begin = in.at, before = in.aside_used;
        int64_t lines = in.lines;
        if (!row_at(&in, wanted, &of, row) || in.at - begin > LONGEST_ROW) {
            in.at = begin;
            in.aside_used = before;
            in.lines = lines;
            break;
        }
        for (size_t c = 0; c < count; c++) {
            if (row[c].size == NOT_SEEN) {
                row[c].size = IS_NULL;
                continue;
            }
            seen[c] = 1;
            if (row[c].size > 0) totals[c] += row[c].size;
        }
        rows++;
    }
    found[0] = (int64_t)rows;
    found[1] = (int64_t)in.at;
    found[2] = in.lines;
    found[3] = (int64_t)in.aside_used;
}
