/* Plain XML as its writers' programs write it, read as strictly as expat reads it: what is not
   surely well formed and without a surprise is odd, and left to expat. */
#ifndef ONECARD_XML_TEXT_H
#define ONECARD_XML_TEXT_H

#include "cells.h"

#define LONGEST_ROW ((size_t)1 << 24)
/* Bytes of one element; a longer one is odd (connectors/common/xml_stream.py). */

typedef struct {
    const uint8_t *data;
    size_t size, at;
    uint8_t *aside;
    size_t aside_used;
    int64_t lines; /* line feeds that were gone past */
} xml_reader;

typedef struct {
    const uint8_t *at;
    size_t size;
} span;

static inline int is_same(span text, const char *other, size_t size) {
    return text.size == size && !memcmp(text.at, other, size);
}

/* Takes these bytes if they are the next ones. */
static inline int xml_taken(xml_reader *in, const void *text, size_t size) {
    if (in->size - in->at < size || memcmp(in->data + in->at, text, size)) return 0;
    in->at += size;
    return 1;
}

#define TAKEN(in, text) xml_taken(in, text, sizeof(text) - 1)

/* Goes past blanks between tags; a CR alone is left where it is. */
static inline void xml_blanks(xml_reader *in) {
    for (; in->at < in->size; in->at++) {
        uint8_t b = in->data[in->at];
        if (b == '\n')
            in->lines++;
        else if (b == '\r' ? in->at + 1 >= in->size || in->data[in->at + 1] != '\n'
                           : b != ' ' && b != '\t')
            return;
    }
}

static inline int xml_entity(xml_reader *in) {
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    for (size_t i = 0; i < 5; i++)
        if (xml_taken(in, names[i], strlen(names[i]))) {
            in->aside[in->aside_used++] = (uint8_t)"&<>\"'"[i];
            return 1;
        }
    return 0;
}

/* Copies what stands between two places into the room aside. */
static inline void put_aside(xml_reader *in, size_t from, size_t to) {
    memcpy(in->aside + in->aside_used, in->data + from, to - from);
    in->aside_used += to - from;
}

/* Text up to the next tag; 0: odd. escapes: an _x0041_ would mean something else, and is odd. */
static inline int xml_text(xml_reader *in, int escapes, onecard_cell *cell) {
    size_t from = in->at, began = in->aside_used;
    int aside = 0;
    while (in->at < in->size) {
        const uint8_t *p = in->data + in->at;
        uint8_t b = *p;
        if (b >= 0x80) {
            size_t size = onecard_utf8(p, in->size - in->at);
            if (!size || (size == 3 && b == 0xEF && p[1] == 0xBF && p[2] >= 0xBE)) return 0;
            in->at += size;
        } else if (b == '<' || b == '&') {
            if (b == '&' || aside) put_aside(in, from, in->at);
            if (b == '<') {
                cell->at = aside ? (uint32_t)began | ASIDE : (uint32_t)from;
                cell->size = (int32_t)(aside ? in->aside_used - began : in->at - from);
                return 1;
            }
            if (!xml_entity(in)) return 0;
            aside = 1;
            from = in->at;
        } else if (b < 0x20 || b == '>') {
            if (b != '\n' && b != '\t') return 0;
            in->lines += b == '\n';
            in->at++;
        } else if (escapes && b == '_' && in->at + 1 < in->size && p[1] == 'x') {
            return 0;
        } else {
            in->at++;
        }
    }
    return 0;
}

#endif
