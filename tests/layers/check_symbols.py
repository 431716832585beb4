#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks nm what the library refers to: check_symbols.py NM LIBRARY.a

No printing and no ending of the program; abort in panic.cpp only.
"""

import re
import subprocess
import sys

FORBIDDEN = re.compile(
    r"stdout|stderr|_?exit|_Exit|quick_exit|(?:__)?v?[fd]?printf(?:_chk)?|puts|putchar|fputs|perror|"
    r"_ZSt4cout|_ZSt4cerr|_ZSt4clog|_ZSt9terminatev"
)
# The compiler calls terminate by itself where noexcept meets an exception; it is no call of ours.
BY_THE_COMPILER = {"_ZSt9terminatev"}


def check(listing):
    """Problems in the output of `nm -A -u`, lines like 'libbeamlet.a:panic.cpp.o:   U abort'."""
    problems, aborting = [], set()
    for line in listing.splitlines():
        match = re.match(r"(?:.*:)?([^:\s]+\.o):\s+[Uw]\s+(\S+)", line)
        if not match:
            continue
        member, symbol = match.group(1), match.group(2).split("@")[0]
        if symbol == "abort":
            aborting.add(member)
        elif FORBIDDEN.fullmatch(symbol) and symbol not in BY_THE_COMPILER:
            problems.append(
                f"{member}: refers to {symbol}\n    why:  a library neither prints nor ends the program\n"
                "    mend: return an error, write to the log sink, or BEAMLET_ASSERT"
            )
    if aborting != {"panic.cpp.o"}:
        problems.append(
            f"{sorted(aborting)} refer to abort, not panic.cpp alone\n"
            "    why:  the embedder's panic handler must see every end of the program\n"
            "    mend: call beamlet::panic, or use BEAMLET_ASSERT"
        )
    return problems


def main():
    nm, library = sys.argv[1:]
    listing = subprocess.run(
        [nm, "-A", "-u", library], check=True, capture_output=True, text=True
    ).stdout
    problems = check(listing)
    print("\n".join(problems) or "no printing, no exit, abort in panic.cpp only")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
