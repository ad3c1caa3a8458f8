/* Which sources the library was made of. */

#include "native.h"

EXPORT const char *onecard_digest(void) { return ONECARD_DIGEST; }
