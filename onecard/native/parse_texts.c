/* Texts as integers, decimals, dates and instants: the plain forms of each; others are doubted. */

#include "texts.h"

enum { INTEGER = 0, NUMBER = 1, DATE = 2, INSTANT = 3, CLOCK = 4 };
enum { YEAR = 1, MONTH = 2, DAY = 3, HOUR = 4, MINUTE = 5, SECOND = 6 };

typedef struct {
    int64_t kind, required;
    int64_t point;             /* sign before decimals */
    int64_t whole, scale;      /* digits before and behind it */
    int64_t steps;             /* of a date's form: two bytes each, a part and whether it may have
                                  one digit, or 0 and a character */
    const uint8_t *form;
    words tokens;
} text_parse;

typedef __int128 wide;

static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    static const int16_t before[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    static const uint8_t days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1000 || year > 9998 || month < 1 || month > 12 || day < 1) return INT64_MIN;
    if (day > days[month] + (month == 2 && leap)) return INT64_MIN;
    int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 + before[month] + (month > 2 && leap) +
           day - 719163;
}

static int one_digit(const uint8_t *at, int32_t length, int32_t place, int64_t *digit) {
    if (place >= length || at[place] < '0' || at[place] > '9') return 0;
    *digit = at[place] - '0';
    return 1;
}

/* `most` digits at a place, or fewer but at least `least`; the place behind them, -1: none. */
static int32_t digits_at(const uint8_t *at, int32_t length, int32_t place, int least, int most,
                         int64_t *number) {
    int64_t digit, found = 0;
    int taken = 0;
    while (taken < most && one_digit(at, length, place, &digit)) {
        found = found * 10 + digit;
        place++;
        taken++;
    }
    *number = found;
    return taken < least ? -1 : place;
}

static int integer(const uint8_t *at, int32_t length, int64_t *number) {
    int32_t start = length > 0 && at[0] == '-';
    if (length - start < 1 || length - start > 18) return 0;
    if (digits_at(at, length, start, 1, 18, number) != length) return 0;
    if (start) *number = -*number;
    return 1;
}

static int decimal(const text_parse *parse, const uint8_t *at, int32_t length, wide *number) {
    int32_t place = length > 0 && at[0] == '-', start = place;
    int64_t digit, whole = 0, behind = 0;
    wide found = 0;
    for (; one_digit(at, length, place, &digit); place++) {
        if (whole || digit) whole++;
        if (whole > parse->whole) return 0;
        found = found * 10 + digit;
    }
    if (place == start) return 0;
    if (place < length) {
        if (at[place++] != parse->point || place == length) return 0;
        for (; one_digit(at, length, place, &digit); place++) {
            if (behind < parse->scale) {
                found = found * 10 + digit;
                behind++;
            } else if (digit) {
                return 0;
            }
        }
        if (place != length) return 0;
    }
    for (; behind < parse->scale; behind++) found *= 10;
    *number = start ? -found : found;
    return 1;
}

static int by_form(const text_parse *parse, const uint8_t *at, int32_t length, int64_t *parts) {
    int32_t place = 0;
    for (int64_t i = 0; i < parse->steps; i++) {
        uint8_t part = parse->form[2 * i], more = parse->form[2 * i + 1];
        if (part == 0) {
            if (place >= length || at[place++] != more) return 0;
            continue;
        }
        int most = part == YEAR ? 4 : 2;
        place = digits_at(at, length, place, more ? 1 : most, most, &parts[part]);
        if (place < 0) return 0;
    }
    return place == length;
}

static int clock_of(const int64_t *parts, int64_t *micros) {
    int64_t day = days_of(parts[YEAR], parts[MONTH], parts[DAY]);
    if (day == INT64_MIN || parts[HOUR] > 23 || parts[MINUTE] > 59 || parts[SECOND] > 59) return 0;
    *micros = ((day * 24 + parts[HOUR]) * 60 + parts[MINUTE]) * 60 + parts[SECOND];
    *micros *= 1000000;
    return 1;
}

/* Minutes east of Greenwich that `Z` or `+08:00` at the end of a text says. */
static int zone(const uint8_t *at, int32_t length, int64_t *minutes) {
    int64_t hours = 0;
    *minutes = 0;
    if (length == 1) return at[0] == 'Z';
    if (length != 6 || (at[0] != '+' && at[0] != '-') || at[3] != ':') return 0;
    if (digits_at(at, 3, 1, 2, 2, &hours) < 0 || digits_at(at, 6, 4, 2, 2, minutes) < 0) return 0;
    if (hours > 23 || *minutes > 59) return 0;
    *minutes += hours * 60;
    if (at[0] == '-') *minutes = -*minutes;
    return 1;
}

/* An instant as ISO 8601 writes it, with its offset. */
static int instant(const uint8_t *at, int32_t length, int64_t *micros) {
    static const int32_t width[] = {4, 2, 2, 2, 2, 2}, start[] = {0, 5, 8, 11, 14, 17};
    int64_t parts[7], minutes, fraction = 0;
    int32_t place = 19;
    if (length < 20 || at[4] != '-' || at[7] != '-' || at[13] != ':' || at[16] != ':') return 0;
    if (at[10] != 'T' && at[10] != ' ') return 0;
    for (int i = 0; i < 6; i++)
        if (digits_at(at, length, start[i], width[i], width[i], &parts[i + 1]) < 0) return 0;
    if (at[place] == '.') {
        int32_t end = digits_at(at, length, place + 1, 1, 6, &fraction);
        if (end < 0) return 0;
        for (int32_t i = end - place - 1; i < 6; i++) fraction *= 10;
        place = end;
    }
    if (!zone(at + place, length - place, &minutes) || !clock_of(parts, micros)) return 0;
    *micros += fraction - minutes * 60000000;
    return 1;
}

/* One value into its place; 0: it is doubted. */
static int value(const text_parse *parse, const uint8_t *at, int32_t length, uint8_t *values,
                 int64_t row) {
    int64_t number = 0, parts[7] = {0};
    wide units = 0;
    int32_t day;
    switch (parse->kind) {
    case NUMBER:
        if (!decimal(parse, at, length, &units)) return 0;
        memcpy(values + 16 * row, &units, 16);
        return 1;
    case DATE:
        if (!by_form(parse, at, length, parts)) return 0;
        number = days_of(parts[YEAR], parts[MONTH], parts[DAY]);
        if (number == INT64_MIN) return 0;
        day = (int32_t)number;
        memcpy(values + 4 * row, &day, 4);
        return 1;
    case INTEGER:
        if (!integer(at, length, &number)) return 0;
        break;
    case INSTANT:
        if (!instant(at, length, &number)) return 0;
        break;
    case CLOCK: /* of Beijing; before 1992 its clocks knew summer time */
        if (!by_form(parse, at, length, parts) || parts[YEAR] < 1992) return 0;
        if (!clock_of(parts, &number)) return 0;
        number -= (int64_t)8 * 3600 * 1000000;
        break;
    default: return 0;
    }
    memcpy(values + 8 * row, &number, 8);
    return 1;
}

/* Doubt rows; write values (4, 8 or 16 bytes a row, zero where NULL) and validity (bits).
 * Returns the number of NULLs. */
EXPORT int64_t onecard_parse_texts(const texts *column, const text_parse *parse, uint8_t *doubted,
                                   uint8_t *values, uint8_t *valid) {
    block found;
    int64_t nulls = 0, width = parse->kind == NUMBER ? 16 : parse->kind == DATE ? 4 : 8;
    memset(valid, 0, bytes_of_bits(column->length));
    memset(values, 0, width * column->length);
    for (int64_t first = 0; first < column->length; first += BLOCK) {
        int number = column->length - first < BLOCK ? (int)(column->length - first) : BLOCK;
        find_texts(column, first, number, &found);
        for (int i = 0; i < number; i++) {
            int64_t row = first + i;
            int32_t length = found.length[i];
            int kept = 0;
            if (length >= 0 && parse->tokens.number && among(&parse->tokens, found.at[i], length))
                length = NONE;
            if (length >= 0) {
                kept = value(parse, found.at[i], length, values, row);
                doubted[row] |= !kept;
            } else {
                doubted[row] |= length == BAD || parse->required;
            }
            nulls += !kept;
            if (kept) valid[row >> 3] |= (uint8_t)(1 << (row & 7));
        }
    }
    return nulls;
}

static int ascii(const uint8_t *at, int32_t length) {
    uint8_t all = 0;
    for (int32_t i = 0; i < length; i++) all |= at[i];
    return all < 0x80;
}

/* Doubt rows whose date (days since 1970) or sex is not what their ID number says; NULL says
 * nothing. `sexes` or `dates` is NULL. */
EXPORT void onecard_check_of_id(const texts *numbers, const texts *sexes, const uint8_t *dates,
                                const uint8_t *dates_valid, int64_t dates_offset,
                                uint8_t *doubted) {
    block found, others;
    for (int64_t first = 0; first < numbers->length; first += BLOCK) {
        int number = numbers->length - first < BLOCK ? (int)(numbers->length - first) : BLOCK;
        find_texts(numbers, first, number, &found);
        if (sexes) find_texts(sexes, first, number, &others);
        for (int i = 0; i < number; i++) {
            const uint8_t *at = found.at[i];
            int64_t row = first + i, parts[3], place = dates_offset + row;
            if (found.length[i] == NONE) continue;
            if (sexes ? others.length[i] == NONE : !bit(dates_valid, place)) continue;
            if (found.length[i] != 18 || !ascii(at, 18)) {
                doubted[row] = 1;
            } else if (sexes) {
                int odd = at[16] >= '0' && at[16] <= '9' && at[16] & 1;
                doubted[row] |= others.length[i] != 1 || others.at[i][0] != (odd ? '1' : '2');
            } else {
                int read = digits_at(at, 18, 6, 4, 4, &parts[0]) > 0 &&
                           digits_at(at, 18, 10, 2, 2, &parts[1]) > 0 &&
                           digits_at(at, 18, 12, 2, 2, &parts[2]) > 0;
                doubted[row] |=
                    !read || days_of(parts[0], parts[1], parts[2]) != number_at(dates + 4 * place);
            }
        }
    }
}
