/* Columns that hold each text once and name it by a number, row by row.
 *
 * A number that names no text of the list is never followed: the caller is told instead. */

#include "texts.h"

typedef struct {
    int64_t length, offset;    /* in rows; the buffers begin before the offset */
    int64_t texts;             /* in the list, fewer than 2^32 */
    const uint8_t *valid;      /* bits; NULL: no row is NULL */
    const uint32_t *numbers;
} rows;

/* What each text of the list was found to be; of NULL rows one more, behind the last one. */
typedef struct {
    const uint8_t *views;      /* 16 bytes each */
    const uint8_t *valid;      /* bits of the views; NULL: none that a row names is NULL */
    const uint8_t *doubted;    /* a byte each; NULL: none that a row names is doubted */
    const uint8_t *unlisted;   /* a byte each; NULL: nobody asks */
} judged;

/* Which texts the rows of a block name; the number of texts: none, it is NULL. 0: one that is not
 * listed is named. */
static int places_of(const rows *column, int64_t first, int number, uint32_t *restrict places) {
    int64_t row = column->offset + first;
    const uint32_t *restrict numbers = column->numbers + row;
    uint32_t texts = (uint32_t)column->texts, wrong = 0;
    if (column->valid == NULL) {
        for (int i = 0; i < number; i++) {
            places[i] = numbers[i];
            wrong |= numbers[i] >= texts;
        }
        return !wrong;
    }
    for (int i = 0; i < number; i++) {
        int there = bit(column->valid, row + i);
        places[i] = there ? numbers[i] : texts;
        wrong |= there && numbers[i] >= texts;
    }
    return !wrong;
}

/* Write each row's view, add its doubts, and where views can be NULL, or divisions be unlisted,
 * write which ones are. Gives the number of NULLs; -1: a row names no text of the list. */
EXPORT int64_t onecard_spread_listed(const rows *column, const judged *list,
                                     uint8_t *restrict doubted, uint8_t *restrict views,
                                     uint8_t *restrict valid, uint8_t *restrict unlisted) {
    const uint8_t *restrict from = list->views;
    uint32_t places[BLOCK];
    uint8_t there[BLOCK];
    int64_t nulls = 0;
    for (int64_t first = 0; first < column->length; first += BLOCK) {
        int number = column->length - first < BLOCK ? (int)(column->length - first) : BLOCK;
        if (!places_of(column, first, number, places)) return -1;
        for (int i = 0; i < number; i++)
            memcpy(views + 16 * (first + i), from + 16 * (size_t)places[i], 16);
        for (int i = 0; list->doubted && i < number; i++)
            doubted[first + i] |= list->doubted[places[i]];
        for (int i = 0; list->unlisted && i < number; i++)
            unlisted[first + i] = list->unlisted[places[i]];
        if (list->valid == NULL) continue;
        memset(there, 0, sizeof there);
        for (int i = 0; i < number; i++) {
            there[i] = (uint8_t)bit(list->valid, places[i]);
            nulls += !there[i];
        }
        for (int i = 0; i < number; i += 8) valid[(first + i) >> 3] = bits_of(there + i);
    }
    return nulls;
}

/* Bytes that all rows have when each holds its own text; -1: a row names no text of the list.
 * `sizes`: of the texts, with one more behind them that is 0. */
EXPORT int64_t onecard_listed_bytes(const rows *column, const int64_t *sizes) {
    uint32_t places[BLOCK];
    int64_t found = 0;
    for (int64_t first = 0; first < column->length; first += BLOCK) {
        int number = column->length - first < BLOCK ? (int)(column->length - first) : BLOCK;
        if (!places_of(column, first, number, places)) return -1;
        for (int i = 0; i < number; i++) found += sizes[places[i]];
    }
    return found;
}
