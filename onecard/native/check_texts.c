/* Text columns against their checks: which rows are right, and the column as views of its texts.
 *
 * "Right" is said only of what is proven; every other row is doubted, and its value is NULL in the
 * views, so that these hold nothing but UTF-8. Tables come from the caller. */

#include "texts.h"

enum { TEXT = 0, AUTOMATON = 1, ID_NUMBER = 2, CREDIT_CODE = 3, ACCOUNT = 4, ENCODED = 5 };

/* States are multiplied by the number of signs; sign 0 is of bytes that stand nowhere. */
typedef struct {
    const uint32_t *next;     /* state + sign → state */
    const uint8_t *signs;     /* byte → sign */
    const uint8_t *accepts;   /* by state */
    int64_t start;
    int64_t loop;             /* one state, where sign 1 stays: any number of its bytes */
    int64_t longest;          /* bytes of the longest text; -1: any */
} automaton;

typedef struct {
    int64_t kind;
    int64_t required;         /* NULL is doubted */
    int64_t ends;             /* a blank or control at an end is doubted */
    int64_t least, most;      /* characters; -1: any */
    const automaton *shape;
    words null_words;         /* counted */
    words tokens;             /* stand for NULL */
    const uint8_t *blanks;    /* bit by code point below 65536 */
    const uint8_t *table;     /* ID numbers: by division; credit codes: value of each byte */
    const uint8_t *letters;   /* ID numbers: check character by remainder */
    const int32_t *weights;   /* of the first 17 characters */
    int64_t earliest;         /* birth, yyyymmdd */
    int64_t shortest, longest;/* accounts, digits */
} text_check;

/* What a column is found to hold. */
typedef struct {
    int64_t null_words;       /* values that are one */
    int64_t unlisted;         /* ID numbers of unknown division */
    int64_t nulls;            /* in the views */
} text_findings;

static int follows(const uint8_t *at, int number) {
    for (int i = 1; i <= number; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    return 1;
}

/* Bytes of the UTF-8 character at `at`; 0: it is none. */
static int character(const uint8_t *at, int32_t left) {
    uint8_t lead = at[0];
    if (lead < 0x80) return 1;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return left >= 2 && follows(at, 1) ? 2 : 0;
    if (lead < 0xF0) {
        if (left < 3 || !follows(at, 2)) return 0;
        if (lead == 0xE0 && at[1] < 0xA0) return 0;
        return lead == 0xED && at[1] > 0x9F ? 0 : 3;
    }
    if (lead > 0xF4 || left < 4 || !follows(at, 3)) return 0;
    if (lead == 0xF0 && at[1] < 0x90) return 0;
    return lead == 0xF4 && at[1] > 0x8F ? 0 : 4;
}

/* Characters of a text that is UTF-8 and, if `plain`, holds no control nor U+FFFD; -1: it is not. */
static int64_t characters(const uint8_t *at, int32_t length, int plain) {
    int64_t number = 0;
    for (int32_t i = 0; i < length; number++) {
        int wide = character(at + i, length - i);
        if (!wide) return -1;
        if (plain && (at[i] < 0x20 || at[i] == 0x7F)) return -1;
        if (plain && wide == 3 && at[i] == 0xEF && at[i + 1] == 0xBF && at[i + 2] == 0xBD) return -1;
        i += wide;
    }
    return number;
}

#define ONES 0x0101010101010101u

/* Characters of a text that is UTF-8: all its bytes but those that follow a first one. */
static inline int64_t leads(const uint8_t *at, int32_t length) {
    int64_t number = length;
    int32_t i = 0;
    for (; length - i >= 8; i += 8) {
        uint64_t eight;
        memcpy(&eight, at + i, 8);
        number -= (int64_t)(((eight >> 7 & ~eight >> 6 & ONES) * ONES) >> 56);
    }
    for (; i < length; i++) number -= (at[i] & 0xC0) == 0x80;
    return number;
}

/* Whether the character of three bytes or fewer at `at` is a blank or a control. */
static int blank(const uint8_t *at, int wide, const uint8_t *blanks) {
    uint32_t code = at[0];
    if (wide == 1) return code <= 0x20;
    if (wide == 4) return 0;
    code = wide == 2 ? (code & 0x1F) << 6 | (at[1] & 0x3F)
                     : (code & 0x0F) << 12 | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3F);
    return blanks[code >> 3] >> (code & 7) & 1;
}

static inline int printable(uint8_t byte) { return byte > 0x20 && byte < 0x80; }

/* Whether a text, which is UTF-8, begins or ends with a blank. */
static inline int blank_around(const uint8_t *at, int32_t length, const uint8_t *blanks) {
    if (!length || (printable(at[0]) && printable(at[length - 1]))) return 0;
    if (blank(at, character(at, length), blanks)) return 1;
    int wide = 1;
    while (wide < 4 && wide < length && (at[length - wide] & 0xC0) == 0x80) wide++;
    return blank(at + length - wide, wide, blanks);
}

/* Whether all bytes have the sign 1; none waits for the one before it. Left at the first four that
 * have not, since what has no such end is compiled to vectors of single bytes, which is slower. */
static inline int all_stay(const uint8_t *signs, const uint8_t *at, int32_t length) {
    int32_t i = 0;
    for (; length - i >= 4; i += 4)
        if (!(signs[at[i]] & signs[at[i + 1]] & signs[at[i + 2]] & signs[at[i + 3]])) return 0;
    for (; i < length; i++)
        if (!signs[at[i]]) return 0;
    return 1;
}

static inline int accepted(const automaton *shape, const uint8_t *at, int32_t length) {
    if (shape->longest >= 0 && length > shape->longest) return 0;
    uint32_t state = (uint32_t)shape->start;
    if (shape->loop) return all_stay(shape->signs, at, length);
    for (int32_t i = 0; i < length; i++) state = shape->next[state + shape->signs[at[i]]];
    return shape->accepts[state];
}

#define ALIKE 4

/* The same of a block. Each byte waits for the one before it, so that texts of one length which
 * follow each other, as most do, are read side by side. */
static void accepted_block(const automaton *shape, const block *found, int number, uint8_t *right) {
    const uint32_t *next = shape->next;
    const uint8_t *signs = shape->signs;
    for (int i = 0; i < number;) {
        int32_t length = found->length[i];
        int alike = 1;
        while (alike < ALIKE && i + alike < number && found->length[i + alike] == length) alike++;
        if (alike < ALIKE || length <= 0 || shape->loop ||
            (shape->longest >= 0 && length > shape->longest)) {
            right[i] = length >= 0 && accepted(shape, found->at[i], length);
            i++;
            continue;
        }
        uint32_t states[ALIKE];
        for (int one = 0; one < ALIKE; one++) states[one] = (uint32_t)shape->start;
        for (int32_t j = 0; j < length; j++)
            for (int one = 0; one < ALIKE; one++)
                states[one] = next[states[one] + signs[found->at[i + one][j]]];
        for (int one = 0; one < ALIKE; one++) right[i + one] = shape->accepts[states[one]];
        i += ALIKE;
    }
}

static inline uint64_t eight(const uint8_t *at) {
    uint64_t found;
    memcpy(&found, at, 8);
    return found;
}

/* Whether eight bytes are digits: each has 3 above, and still has it when 6 is added. */
static inline int are_digits(uint64_t bytes) {
    return ((bytes & (bytes + ONES * 6) & ONES * 0xF0) == ONES * 0x30);
}

/* The number of eight digits, the first one in the lowest byte: in twos, fours, eights. */
static inline int32_t number_of(uint64_t bytes) {
    bytes = (bytes & ONES * 0x0F) * (10 * 256 + 1) >> 8;
    bytes = (bytes & 0x00FF00FF00FF00FFu) * (100 * 65536 + 1) >> 16;
    return (int32_t)((bytes & 0x0000FFFF0000FFFFu) * ((10000ull << 32) + 1) >> 32);
}

static int real_date(int32_t date) {
    static const uint8_t days[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t year = date / 10000, month = date / 100 % 100, day = date % 100;
    if (month < 1 || month > 12 || day < 1 || day > days[month]) return 0;
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month != 2 || day < 29 || leap;
}

static inline int id_number(const text_check *check, int64_t today, const uint8_t *at,
                            int32_t length, int *unlisted) {
    if (length != 18 || !are_digits(eight(at)) || !are_digits(eight(at + 8))) return 0;
    if (!are_digits(eight(at + 9))) return 0;
    int32_t division = number_of(eight(at)) / 100, birth = number_of(eight(at + 6)), total = 0;
    for (int i = 0; i < 17; i++) total += check->weights[i] * (at[i] - '0');
    if (check->letters[total % 11] != at[17]) return 0;
    if (!real_date(birth) || birth < check->earliest || birth > today) return 0;
    *unlisted = check->table[division] == 0;
    return check->table[division] < 2;
}

static int credit_code(const text_check *check, const uint8_t *at, int32_t length) {
    int32_t total = 0, wrong = 0;
    if (length != 18) return 0;
    for (int i = 0; i < 17; i++) {
        int32_t value = check->table[at[i]];
        wrong |= value > 30;
        total += check->weights[i] * value;
    }
    return !wrong && (31 - total % 31) % 31 == check->table[at[17]];
}

static int account(const text_check *check, const uint8_t *at, int32_t length) {
    int32_t total = 0, wrong = 0;
    if (length < check->shortest || length > check->longest) return 0;
    for (int32_t i = 0; i < length; i++) {
        int32_t digit = at[i] - '0', twice = (length - i) % 2 == 0;
        wrong |= digit < 0 || digit > 9;
        total += twice ? digit * 2 - 9 * (digit > 4) : digit;
    }
    return !wrong && total % 10 == 0;
}

/* Of each text of a block, by an expression of `at` and `length`. */
#define JUDGED(expression)                           \
    for (int i = 0; i < number; i++) {               \
        const uint8_t *at = found->at[i];            \
        int32_t length = found->length[i];           \
        right[i] = length >= 0 && (expression);      \
    }

static inline int within(const text_check *check, int64_t number) {
    return number >= check->least && (check->most < 0 || number <= check->most);
}

/* Which texts of a block are right, and which ID numbers among them are of no listed division. */
static void judge(const text_check *check, int64_t today, const block *found, int number,
                  uint8_t *right, int *unlisted) {
    switch (check->kind) {
    case ID_NUMBER: JUDGED(id_number(check, today, at, length, unlisted + i)) break;
    case CREDIT_CODE: JUDGED(credit_code(check, at, length)) break;
    case ACCOUNT: JUDGED(account(check, at, length)) break;
    case AUTOMATON:
        accepted_block(check->shape, found, number, right);
        if (check->least > 0 || check->most >= 0)
            JUDGED(right[i] && within(check, leads(at, length)))
        break;
    case TEXT:
    case ENCODED: {
        int plain = check->kind == TEXT;
        JUDGED(within(check, characters(at, length, plain)))
        break;
    }
    default: memset(right, 0, (size_t)number);
    }
    if (check->ends) JUDGED(right[i] && !blank_around(at, length, check->blanks))
}

/* Copies a short text, by two moves that may overlap. */
static inline void copy_short(uint8_t *to, const uint8_t *from, int32_t length) {
    if (length >= 8) {
        memcpy(to, from, 8);
        memcpy(to + length - 8, from + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, from, 4);
        memcpy(to + length - 4, from + length - 4, 4);
    } else {
        for (int32_t i = 0; i < length; i++) to[i] = from[i];
    }
}

/* The view of a text that lies in the column's own buffers; nothing of a given view is believed
 * but where its text lies. */
static int write_view(const texts *column, int64_t row, const uint8_t *at, int32_t length,
                      uint8_t *view) {
    memset(view, 0, 16);
    memcpy(view, &length, 4);
    if (length <= 12) {
        copy_short(view + 4, at, length);
        return 1;
    }
    memcpy(view + 4, at, 4);
    if (column->kind == VIEWS) {
        memcpy(view + 8, column->places + 16 * (column->offset + row) + 8, 8);
        return 1;
    }
    int64_t start = at - column->data[0];
    if (start > INT32_MAX) return 0;
    int32_t place = (int32_t)start;
    memcpy(view + 12, &place, 4);
    return 1;
}

/* Doubt rows; write views (16 bytes a row), their validity (bits) and, of ID
 * numbers, which rows are of no listed division (a byte a row; NULL: nobody asks). */
EXPORT void onecard_check_texts(const texts *column, const text_check *check, int64_t today,
                                uint8_t *doubted, uint8_t *views, uint8_t *valid,
                                uint8_t *unlisted, text_findings *findings) {
    block found;
    uint8_t right[BLOCK];
    int foreign[BLOCK];
    memset(findings, 0, sizeof *findings);
    memset(foreign, 0, sizeof foreign);
    for (int64_t first = 0; first < column->length; first += BLOCK) {
        int number = column->length - first < BLOCK ? (int)(column->length - first) : BLOCK;
        find_texts(column, first, number, &found);
        for (int i = 0; check->tokens.number && i < number; i++)
            if (found.length[i] >= 0 && among(&check->tokens, found.at[i], found.length[i]))
                found.length[i] = NONE;
        judge(check, today, &found, number, right, foreign);
        for (int i = 0; i < number; i++) {
            uint8_t *view = views + 16 * (first + i);
            right[i] = right[i] && write_view(column, first + i, found.at[i], found.length[i], view);
            if (right[i]) continue;
            memset(view, 0, 16);
            findings->nulls++;
            doubted[first + i] |= found.length[i] != NONE || check->required;
        }
        for (int i = 0; check->null_words.number && i < number; i++)
            if (right[i])
                findings->null_words += among(&check->null_words, found.at[i], found.length[i]);
        for (int i = 0; unlisted && i < number; i++)
            if (right[i] && foreign[i]) {
                unlisted[first + i] = 1;
                findings->unlisted++;
            }
        memset(right + number, 0, (size_t)(BLOCK - number));
        for (int i = 0; i < number; i += 8) valid[(first + i) >> 3] = bits_of(right + i);
    }
}
