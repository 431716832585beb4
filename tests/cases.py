#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the test cases of two builds: cases.py PLAIN_BUILD OTHER_BUILD [EMULATOR...]

Every case of the plain build must be in the other one, or stand in tests/left_out.txt with its
reason, under one of the words that the other build has in BEAMLET_LEFT_OUT.
"""

import pathlib
import re
import subprocess
import sys

LEFT_OUT = pathlib.Path(__file__).resolve().parent / "left_out.txt"


def read_left_out(text):
    """(build, pattern, reason) of each line, for each of its builds."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    fields = [[field.strip() for field in line.split("|", 2)] for line in lines]
    return [(build, pattern, why) for builds, pattern, why in fields for build in builds.split()]


def words_of(build):
    cache = (pathlib.Path(build) / "CMakeCache.txt").read_text()
    return re.search(r"^BEAMLET_LEFT_OUT:\w+=(.*)$", cache, re.M).group(1).split(";")


def cases_of(build, words, lines, emulator=()):
    """'program: case' of everything that ctest runs in this build."""
    found = set()
    patterns = ",".join(pattern for word, pattern, _ in lines if word in words)
    for program in (pathlib.Path(build) / "doctest_programs.txt").read_text().split():
        command = [
            *emulator,
            program,
            "--list-test-cases",
            "--no-colors",
            f"--test-case-exclude={patterns}",
        ]
        output = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        names = [line for line in output if line and not line.startswith(("[doctest]", "====="))]
        # g++ and clang spell the types of templates differently.
        names = [name.replace("(anonymous namespace)", "{anonymous}") for name in names]
        found |= {f"{pathlib.Path(program).name}: {name}" for name in names}
    return found


def matches(name, pattern):
    """As doctest matches: `*` is any text, case does not count."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name, re.I) is not None


def compare(words, plain, other, lines):
    """(report, problems)"""
    report, problems, explained = [], [], set()
    for word, pattern, reason in lines:
        if word not in words:
            continue
        hits = {
            case
            for case in plain - other
            if matches(case.split(": ", 1)[1], pattern) or matches(case, pattern)
        }
        explained |= hits
        report += [f"  left out: {case}  ({reason})" for case in sorted(hits)]
        if not hits:
            problems.append(f"tests/left_out.txt: '{word} | {pattern}' leaves out nothing")
    problems += [
        f"{', '.join(words)} lacks '{case}', and tests/left_out.txt does not say why"
        for case in sorted(plain - other - explained)
    ]
    return report, problems


def main():
    plain_build, other_build, *emulator = sys.argv[1:]
    words = words_of(other_build)
    lines = read_left_out(LEFT_OUT.read_text())
    plain = cases_of(plain_build, [], lines)
    other = cases_of(other_build, words, lines, emulator)
    report, problems = compare(words, plain, other, lines)
    missing = len(plain - other)
    print(f"{pathlib.Path(other_build).name}: {len(other)} cases; of the plain build's {len(plain)} it lacks {missing}")
    print("\n".join(report + problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
