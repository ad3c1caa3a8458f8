/* Rows of a workbook's sheet (ECMA-376-1, 18.3.1) into cells, as connectors/files/xlsx_sheet.py
   reads them. A row in which anything is odd (a formula, rich text, an attribute that is not listed
   here, a value below no name, no well-formed XML) is left to it; nothing is guessed here. */
#include "xml_text.h"

enum { NOT_WANTED = -1, NO_NAME = -2 };        /* instead of an output column */
enum { TEXT = 1, OTHER_POINT = 2 };            /* of a column: it is text; its decimals are judged */
enum { NUMBER = 1, BOOLEAN, ERROR, DATE };     /* of a value that the caller judges, by its style */
enum { OF_NUMBER, OF_TEXT, OF_LIST, INLINE, OF_TRUTH, OF_ERROR, OF_DATE }; /* cells */
#define JUDGED 255 /* a style that is no plain number */
#define MOST_ROWS 1048576
#define MOST_COLUMNS 16384
#define MOST_DIGITS 15

typedef struct {
    const int32_t *places; /* by a cell's column: the output column, NOT_WANTED or NO_NAME */
    int64_t named;         /* how many columns that tells of; further ones have no name */
    const uint8_t *styles; /* of each: zeros that a whole number is filled up with, or JUDGED */
    int64_t style_count;
    const uint8_t *marks;  /* of each output column */
    int64_t columns;
    const uint8_t *texts;  /* the workbook's, one behind the other, and where each ends */
    const uint64_t *ends;
    int64_t text_count;
    const uint8_t *name;   /* what the header has in one of its columns: a row that has it as well
                              is odd */
    int64_t name_size, name_place;
    int64_t described;     /* rows may have the attribute x14ac:dyDescent */
    int64_t most_rows, most_bytes;
    int64_t plain_before;  /* rows from this number on are odd */
} sheet;

typedef struct {
    xml_reader in;
    const sheet *of;
    onecard_cell *row;
    int32_t *forms;
} reader;

typedef struct {
    int64_t place; /* its column */
    size_t style;
    int kind;
} cell_head;

/* An attribute, blanks before it: 1; 0: there is none; -1: odd. */
static int attribute(xml_reader *in, span *name, span *value) {
    size_t from = in->at;
    while (in->at < in->size && in->data[in->at] == ' ') in->at++;
    if (in->at >= in->size) return -1;
    if (in->data[in->at] == '>' || in->data[in->at] == '/') return 0;
    if (in->at == from) return -1;
    name->at = in->data + in->at;
    while (in->at < in->size && in->data[in->at] > ' ' && in->data[in->at] != '=') in->at++;
    name->size = (size_t)(in->data + in->at - name->at);
    if (!TAKEN(in, "=\"")) return -1;
    value->at = in->data + in->at;
    for (; in->at < in->size; in->at++) {
        uint8_t b = in->data[in->at];
        if (b < 0x20 || b > 0x7E || b == '<' || b == '&') return -1;
        if (b == '"') {
            value->size = (size_t)(in->data + in->at - value->at);
            in->at++;
            return 1;
        }
    }
    return -1;
}

/* Which of some names; -1: none. */
static int listed(span name, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (is_same(name, names[i], strlen(names[i]))) return i;
    return -1;
}

/* A whole number of at most `most` digits; -1: it is none. */
static int64_t whole(const uint8_t *at, size_t size, size_t most) {
    int64_t number = 0;
    if (!size || size > most) return -1;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* The column of a reference like AB12; -1: odd. */
static int64_t column_of(span reference) {
    int64_t number = 0;
    size_t at = 0;
    while (at < reference.size && at < 3 && reference.at[at] >= 'A' && reference.at[at] <= 'Z')
        number = number * 26 + (reference.at[at++] - 'A' + 1);
    if (!at || number > MOST_COLUMNS) return -1;
    for (; at < reference.size; at++)
        if (reference.at[at] < '0' || reference.at[at] > '9') return -1;
    return number - 1;
}

static const char *const row_names[] = {
    "r",           "spans",        "s",         "customFormat", "ht",       "hidden",  "customHeight",
    "outlineLevel", "collapsed",   "thickTop",  "thickBot",     "ph",       "x14ac:dyDescent"};
enum { ROW_NUMBER = 0, ROW_HIDDEN = 5, ROW_DESCENT = 12, ROW_NAMES };

/* The attributes of a row; 0: odd. */
static int row_head(reader *it, int64_t *number, int *hidden) {
    span name, value;
    unsigned had = 0;
    for (int one; (one = attribute(&it->in, &name, &value));) {
        int which = one < 0 ? -1 : listed(name, row_names, ROW_NAMES);
        if (which < 0 || had & 1u << which || (which == ROW_DESCENT && !it->of->described))
            return 0;
        had |= 1u << which;
        if (which == ROW_NUMBER) *number = whole(value.at, value.size, 7);
        if (which == ROW_HIDDEN) *hidden = is_same(value, "1", 1) || is_same(value, "true", 4);
    }
    return 1;
}

static const char *const cell_names[] = {"r", "s", "t", "cm", "vm", "ph"};
static const char *const cell_kinds[] = {"n", "str", "s", "inlineStr", "b", "e", "d"};
enum { CELL_PLACE, CELL_STYLE, CELL_KIND, CELL_NAMES = 6, CELL_KINDS = 7 };

/* The attributes of a cell; 0: odd. */
static int head_of(reader *it, cell_head *head) {
    span name, value;
    unsigned had = 0;
    int64_t place = head->place + 1;
    for (int one; (one = attribute(&it->in, &name, &value));) {
        int which = one < 0 ? -1 : listed(name, cell_names, CELL_NAMES);
        if (which < 0 || had & 1u << which) return 0;
        had |= 1u << which;
        if (which == CELL_PLACE) place = column_of(value);
        if (which == CELL_KIND && (head->kind = listed(value, cell_kinds, CELL_KINDS)) < 0)
            return 0;
        if (which == CELL_STYLE) {
            int64_t style = whole(value.at, value.size, 6);
            if (style < 0) return 0;
            head->style = (size_t)style;
        }
    }
    if (place <= head->place) return 0;
    head->place = place;
    return 1;
}

/* A number's digits as they are to stand, aside; 0: the caller judges it, or it is none. */
static int plain_number(reader *it, span raw, int zeros, int mark, onecard_cell *to) {
    int negative = raw.size && raw.at[0] == '-';
    size_t from = (size_t)negative, end = from, point, last;
    while (end < raw.size && raw.at[end] >= '0' && raw.at[end] <= '9') end++;
    last = point = end;
    if (end < raw.size && raw.at[end] == '.') {
        last++;
        while (last < raw.size && raw.at[last] >= '0' && raw.at[last] <= '9') last++;
        if (last == point + 1) return 0;
    }
    if (point == from || last != raw.size || last - from > MOST_DIGITS + (last > point)) return 0;
    while (from + 1 < point && raw.at[from] == '0') from++;
    if (last > point) {
        while (raw.at[last - 1] == '0') last--;
        if (last == point + 1) last = point;
    }
    if (last > point && mark & OTHER_POINT) return 0;
    if (last == point && point - from == 1 && raw.at[from] == '0') negative = 0;
    xml_reader *in = &it->in;
    size_t began = in->aside_used;
    if (negative) in->aside[in->aside_used++] = '-';
    if (!negative && last == point && mark & TEXT)
        for (size_t size = last - from; size < (size_t)zeros; size++)
            in->aside[in->aside_used++] = '0';
    memcpy(in->aside + in->aside_used, raw.at + from, last - from);
    in->aside_used += last - from;
    to->at = (uint32_t)began | ASIDE;
    to->size = (int32_t)(in->aside_used - began);
    return 1;
}

/* A value that the caller judges: its text aside, and what it is; 0: odd. */
static int32_t judged(reader *it, span raw, const cell_head *head, onecard_cell *to) {
    int kind = head->kind == OF_NUMBER  ? NUMBER
               : head->kind == OF_TRUTH ? BOOLEAN
               : head->kind == OF_ERROR ? ERROR
                                        : DATE;
    to->at = (uint32_t)it->in.aside_used | ASIDE;
    to->size = (int32_t)raw.size;
    memcpy(it->in.aside + it->in.aside_used, raw.at, raw.size);
    it->in.aside_used += raw.size;
    return (int32_t)((uint32_t)kind << 24 | (uint32_t)head->style);
}

/* Where a text of this scan stands. */
static const uint8_t *where(const reader *it, const onecard_cell *text) {
    return (text->at & ASIDE ? it->in.aside : it->in.data) + (text->at & ~ASIDE);
}

/* Puts a cell's value into its column: 1 where it is empty, 2 where it is not; 0: odd. */
static int put(reader *it, const cell_head *head, const onecard_cell *value) {
    const sheet *of = it->of;
    span raw = {where(it, value), (size_t)value->size};
    onecard_cell to = {0, 0};
    int64_t place = head->place < of->named ? of->places[head->place] : NO_NAME;
    int32_t form = 0;
    if (head->kind == OF_LIST) {
        int64_t number = whole(raw.at, raw.size, 9);
        if (number < 0 || number >= of->text_count) return 0;
        uint64_t from = number ? of->ends[number - 1] : 0;
        to.at = (uint32_t)from;
        to.size = (int32_t)(of->ends[number] - from);
        raw.at = of->texts + from;
        raw.size = (size_t)to.size;
        if (!raw.size) return 1;
    }
    if (place == NO_NAME) return 0;
    if (head->place == of->name_place && is_same(raw, (const char *)of->name, of->name_size))
        return 0;
    if (place == NOT_WANTED) return 2;
    if (head->kind == OF_TEXT || head->kind == INLINE) {
        to.at = (uint32_t)it->in.aside_used | ASIDE;
        to.size = value->size;
        memcpy(it->in.aside + it->in.aside_used, raw.at, raw.size);
        it->in.aside_used += raw.size;
    } else if (head->kind != OF_LIST) {
        uint8_t style = head->style < (size_t)of->style_count ? of->styles[head->style] : 0;
        int plain = head->kind == OF_NUMBER && style != JUDGED;
        if (!plain || !plain_number(it, raw, style, of->marks[place], &to))
            form = judged(it, raw, head, &to);
    }
    it->row[place] = to;
    it->forms[place] = form;
    return 2;
}

/* What a cell holds, up to its end; 0: odd. */
static int content(reader *it, const cell_head *head, onecard_cell *value) {
    xml_reader *in = &it->in;
    int texts = head->kind == INLINE, escapes = texts || head->kind == OF_TEXT;
    xml_blanks(in);
    if (texts ? TAKEN(in, "<is>") : TAKEN(in, "<v>")) {
        if (texts && !TAKEN(in, "<t>") && !TAKEN(in, "<t xml:space=\"preserve\">")) return 0;
        if (!xml_text(in, escapes, value)) return 0;
        if (texts ? !TAKEN(in, "</t></is>") : !TAKEN(in, "</v>")) return 0;
        xml_blanks(in);
    }
    return TAKEN(in, "</c>");
}

/* A cell behind its `<c`: 1 where it holds nothing that counts, 2 where it does; 0: odd. */
static int cell(reader *it, cell_head *head) {
    onecard_cell value = {0, 0};
    head->style = 0;
    head->kind = OF_NUMBER;
    if (!head_of(it, head)) return 0;
    if (TAKEN(&it->in, "/>")) return 1;
    if (!TAKEN(&it->in, ">") || !content(it, head, &value)) return 0;
    return value.size ? put(it, head, &value) : 1;
}

/* The row at `in->at`: 1, or 2 where it holds anything; 0: odd. */
static int row_at(reader *it, int64_t *number, int *hidden) {
    xml_reader *in = &it->in;
    cell_head head = {-1, 0, 0};
    int filled = 1;
    for (int64_t c = 0; c < it->of->columns; c++) it->row[c].size = IS_NULL;
    memset(it->forms, 0, (size_t)it->of->columns * sizeof *it->forms);
    if (!TAKEN(in, "<row") || !row_head(it, number, hidden)) return 0;
    if (TAKEN(in, "/>")) return 1;
    if (!TAKEN(in, ">")) return 0;
    for (;;) {
        xml_blanks(in);
        if (TAKEN(in, "</row>")) return filled;
        if (!TAKEN(in, "<c")) return 0;
        int found = cell(it, &head);
        if (!found) return 0;
        if (found > filled) filled = found;
    }
}

/* Rows from a place of the data on, up to `most_rows` or `most_bytes` of texts or to the first that
   is odd or not whole. Texts of the workbook's list stand where they are, all others aside, which is
   twice as large as the data. forms: 0 for a text that is done, or what the caller judges it by.
   found, which goes on from call to call: rows; place in the data; lines gone past; bytes that
   stand aside; number of the last row, and of the last that holds anything; hidden rows; bytes
   of texts. */
EXPORT void onecard_sheet_rows(const uint8_t *data, size_t size, const sheet *of,
                               onecard_cell *cells, int32_t *forms, uint8_t *aside,
                               int64_t *totals, int64_t *found) {
    reader it = {{data, size, (size_t)found[1], aside, (size_t)found[3], found[2]}, of, NULL, NULL};
    xml_reader *in = &it.in;
    while (found[0] < of->most_rows && found[7] < of->most_bytes) {
        xml_blanks(in);
        size_t begin = in->at, before = in->aside_used;
        int64_t lines = in->lines, number = found[4] + 1;
        int hidden = 0;
        it.row = cells + found[0] * of->columns;
        it.forms = forms + found[0] * of->columns;
        int kind = row_at(&it, &number, &hidden);
        if (!kind || number <= found[4] || number > MOST_ROWS || number >= of->plain_before ||
            in->at - begin > LONGEST_ROW) {
            in->at = begin;
            in->aside_used = before;
            in->lines = lines;
            break;
        }
        found[4] = number;
        if (kind == 1) continue;
        for (int64_t c = 0; c < of->columns; c++)
            if (it.row[c].size > 0) {
                totals[c] += it.row[c].size;
                found[7] += it.row[c].size;
            }
        found[5] = number;
        found[6] += hidden;
        found[0]++;
    }
    found[1] = (int64_t)in->at;
    found[2] = in->lines;
    found[3] = (int64_t)in->aside_used;
}

/* Texts of a workbook's list from a place of the data on, one behind the other, and where each ends;
   up to the first that is odd or not whole, or to `most`. texts, aside: as large as the data.
   found: texts; place in the data and lines gone past, which go on from call to call; bytes of
   texts. */
EXPORT void onecard_sheet_texts(const uint8_t *data, size_t size, size_t longest, size_t most,
                                uint8_t *texts, uint64_t *ends, uint8_t *aside, int64_t *found) {
    xml_reader in = {data, size, (size_t)found[1], aside, 0, found[2]};
    size_t count = 0, used = 0;
    while (count < most) {
        onecard_cell text = {0, 0};
        xml_blanks(&in);
        size_t begin = in.at;
        int64_t lines = in.lines;
        in.aside_used = 0;
        int sound = TAKEN(&in, "<si>");
        if (sound && !TAKEN(&in, "<t/>"))
            sound = (TAKEN(&in, "<t>") || TAKEN(&in, "<t xml:space=\"preserve\">")) &&
                    xml_text(&in, 1, &text) && TAKEN(&in, "</t>");
        if (!sound || !TAKEN(&in, "</si>") || (size_t)text.size > longest) {
            in.at = begin;
            in.lines = lines;
            break;
        }
        const uint8_t *from = text.at & ASIDE ? aside : data;
        memcpy(texts + used, from + (text.at & ~ASIDE), (size_t)text.size);
        used += (size_t)text.size;
        ends[count++] = used;
    }
    found[0] = (int64_t)count;
    found[1] = (int64_t)in.at;
    found[2] = in.lines;
    found[3] = (int64_t)used;
}
