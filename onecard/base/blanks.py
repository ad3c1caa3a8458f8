"""Characters that are not seen, of any width and of none: around a value they make two of one.

Unicode's White_Space, its Default_Ignorable_Code_Point as far as text holds it (zero widths,
directions of writing, fillers), and the blank braille pattern. Controls of ASCII stand apart.
"""

from __future__ import annotations

CONTROLS = "\t\n\v\f\r"
"""Those controls of ASCII that are White_Space."""
BLANKS = (
    " \u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b\u180c\u180d\u180e"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f"
    "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u2800\u3000\u3164\ufeff\uffa0"
)
"""Each such character, once."""
