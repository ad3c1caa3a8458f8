/* What every source of the library uses: exported plain functions over buffers of the caller.
 *
 * No function keeps state or memory between calls, none knows Python: ctypes releases the
 * interpreter's lock around each. Numbers stand in memory in little-endian order, as in Arrow. */

#ifndef ONECARD_NATIVE_H
#define ONECARD_NATIVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "little-endian machines only; others take the plain path"
#endif

#define EXPORT __attribute__((visibility("default")))

#endif
