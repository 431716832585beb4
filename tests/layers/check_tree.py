#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every file of the tree against the rules that a program can check: check_tree.py ROOT

Layers and includes, names, banned calls, SPDX lines and line lengths are errors. Sizes of files and
functions are aims: they are listed, and fail nothing. Each message says what, why, how to mend.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True  # the tree stays as it is
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cmake"))
from amalgamate import Findings, without_comments  # noqa: E402

# Bottom to top; the words of one row are siblings and do not include each other.
ROWS = [
    "base",
    "wire",
    "cluster",
    "ports",
    "store sched",
    "compute",
    "node",
    "runtime",
    "data infer",
    "serve train",
    "frame tune",
    "rl",
    "automl",
    "cli",
]
HEIGHT = {layer: height for height, row in enumerate(ROWS) for layer in row.split()}
PORT_INCLUDES = {"linux": {"posix"}, "uv": {"posix"}, "android": {"posix"}, "darwin": {"posix"}}
HEADER_LINES, SOURCE_LINES, FUNCTION_LINES, LINE_COLUMNS = 300, 500, 70, 100
STD = set(
    """algorithm any array atomic barrier bit bitset cassert cctype cerrno cfloat charconv chrono cinttypes
climits cmath compare complex concepts condition_variable coroutine cstddef cstdint cstdio cstdlib cstring ctime
deque exception execution filesystem forward_list fstream functional future initializer_list iomanip ios iosfwd
iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers numeric optional
ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex source_location span sstream
stack stdexcept stop_token streambuf string string_view system_error thread tuple type_traits typeindex typeinfo
unordered_map unordered_set utility valarray variant vector version""".split()
)
LOCALES = set(
    "filesystem fstream iomanip ios iostream istream locale ostream regex sstream streambuf".split()
)
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)
PLATFORM = re.compile(
    r"^\s*#\s*(?:el)?if.*\b(__linux__|__ANDROID__|__APPLE__|_WIN32|_WIN64|_MSC_VER|__unix__|"
    r"__FreeBSD__|__MINGW32__|__x86_64__|__i386__|__aarch64__|__arm__)\b",
    re.M,
)
BANNED = {
    r"\b(?:std\s*::\s*)?(?:f|v|vf)?printf\s*\(": (
        "prints",
        "return an error, or write to the log sink",
    ),
    r"\b(?:std\s*::\s*)?(?:puts|putchar|fputs|perror)\s*\(": (
        "prints",
        "return an error, or write to the log sink",
    ),
    r"\bstd\s*::\s*(?:cout|cerr|clog)\b": ("prints", "return an error, or write to the log sink"),
    r"\b(?:stdout|stderr)\b": ("prints", "return an error, or write to the log sink"),
    r"(?<![\w.>:])(?<!result<void> )(?:std\s*::\s*|::\s*)?_?(?:quick_)?(?:exit|Exit)\s*\(": (
        "ends the program",
        "return an error",
    ),
    r"(?<![\w.>])(?:std\s*::\s*)?abort\s*\(": (
        "ends the program",
        "BEAMLET_ASSERT for a programmer's mistake, else " "return an error",
    ),
    r"(?<![\w.>])(?:std\s*::\s*)?terminate\s*\(": (
        "ends the program",
        "BEAMLET_ASSERT for a programmer's mistake, " "else return an error",
    ),
    r"(?<![\w.>])(?:signal|sigaction|sigprocmask)\s*\(": (
        "touches signals, which are the program's",
        "ask the embedder through a hook",
    ),
}


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.library = self.collect("include", "src", "ports")
        self.all = self.library + self.collect("tests", "bench")

    def collect(self, *folders):
        return sorted(f for folder in folders for f in (self.root / folder).rglob("*.[hc]pp"))

    def name(self, path):
        return path.relative_to(self.root).as_posix()


def layer_of(name):
    """The layer of a path in the tree or of an include; None for the spine and other files above the layers."""
    parts = name.removeprefix("include/").removeprefix("src/").split("/")
    if parts[0] == "beamlet":
        parts = parts[1:]
    return parts[0] if len(parts) > 1 and parts[0] in HEIGHT else None


def line_of(text, match):
    return (
        text.count("\n", 0, match.start() + len(match.group(0)) - len(match.group(0).lstrip())) + 1
    )


def check_include(name, line, quoted, angled, findings):
    public, spelled, where = name.startswith("include/"), quoted or angled, f"{name}:{line}"
    if quoted and public:
        findings.add(
            where,
            f'a public header includes "{quoted}"',
            "installed headers know only the standard library and <beamlet/...>",
            f"write <{quoted}> if it is public, else move what is needed from it",
        )
    if angled and public and angled not in STD and not angled.startswith("beamlet/"):
        findings.add(
            where,
            f"a public header includes <{angled}>",
            "users must not need other projects' headers",
            "declare what is needed, or include it in src/ or ports/",
        )
    if angled in LOCALES:
        findings.add(
            where,
            f"<{angled}> in the library",
            "it brings libstdc++'s locales into every static program, a megabyte of code",
            "use std::to_string, <charconv>, <cstdio>, or the files and folders of ports/",
        )
    if spelled.split("/")[0] in ("uv", "uv.h") and not name.startswith("ports/uv/"):
        findings.add(
            where,
            f"<{spelled}> outside ports/uv",
            "only the uv port knows libuv, so that others can replace it",
            "use ports/port.hpp, or extend that contract",
        )
    if quoted and (quoted.startswith(".") or "/" not in quoted):
        findings.add(
            where,
            f'"{quoted}" is not root-relative',
            "the single header finds files by their path from the root",
            'write it as "layer/file.hpp"',
        )
    if quoted or angled.startswith("beamlet/"):
        check_layer(where, name, spelled, findings)


def check_layer(where, name, spelled, findings):
    own, other = layer_of(name), layer_of(spelled)
    if own is None or other is None:
        return
    if own != other and HEIGHT[other] >= HEIGHT[own]:
        relation = "a sibling of" if HEIGHT[other] == HEIGHT[own] else "above"
        findings.add(
            where,
            f"layer {own} includes {spelled}, which is {relation} it",
            "includes point down: " + " | ".join(row.replace(" ", ", ") for row in ROWS),
            "pass what is needed in (a callback, a small interface), or move the code to its layer",
        )
    parts, target = name.split("/"), spelled.split("/")
    if own == other == "ports" and len(target) > 2:
        here = parts[1] if len(parts) > 2 else ""
        if target[1] != here and target[1] not in PORT_INCLUDES.get(here, ()):
            findings.add(
                where,
                f"port {here or 'contract'} includes {spelled}",
                "ports stand beside each other: linux and uv may use posix, nothing else",
                "move what is shared to ports/posix or into the contract",
            )


def check_names(name, code, findings):
    if re.search(r"[^a-z0-9_./]", name):
        findings.add(
            name, "the file name is not snake_case", "names look alike everywhere", "rename it"
        )
    if name.endswith(".hpp"):
        shared = not name.startswith("tests/")  # a test's support header serves one program
        for match in re.finditer(r"^\s*using\s+namespace\b", code if shared else "", re.M):
            findings.add(
                f"{name}:{line_of(code, match)}",
                "'using namespace' in a header",
                "it changes what names mean in every file that includes it",
                "write the names out",
            )
        for match in re.finditer(r"\bnamespace\s*\{", code):
            findings.add(
                f"{name}:{line_of(code, match)}",
                "an unnamed namespace in a header",
                "each file would get its own copy",
                "use a named one, or inline",
            )


def check_library_file(name, text, code, findings):
    includes = re.sub(r"//[^\n]*", "", text)
    for match in INCLUDE.finditer(includes):
        check_include(
            name, line_of(includes, match), match.group(1), match.group(2) or "", findings
        )
    for match in (
        re.finditer(r"^\s*using\s+namespace\b", code, re.M) if name.endswith(".cpp") else ()
    ):
        findings.add(
            f"{name}:{line_of(code, match)}",
            "'using namespace' in a source",
            "in the single header it reaches every file below",
            "write the names out",
        )
    if not name.startswith("ports/") and name != "include/beamlet/config.hpp":
        for match in PLATFORM.finditer(code):
            findings.add(
                f"{name}:{line_of(code, match)}",
                f"a platform #if ({match.group(1)})",
                "what differs between systems lives in ports/, what differs between compilers in config.hpp",
                "move it there behind a function or a BEAMLET_ macro",
            )
    # The command prints: it is a program, and no part of the library.
    if name != "src/base/panic.cpp" and not name.startswith("src/cli/"):
        for pattern, (does, instead) in BANNED.items():
            for match in re.finditer(pattern, code):
                findings.add(
                    f"{name}:{line_of(code, match)}",
                    f"'{match.group(0).strip()}' {does}",
                    "a library in somebody's process does not",
                    instead,
                )


def check_dead_headers(tree, findings):
    included = {
        path
        for file in tree.library
        for match in INCLUDE.finditer(file.read_text())
        for path in match.groups()
    }
    for path in tree.library:
        name = tree.name(path)
        if (
            path.suffix == ".hpp"
            and not name.startswith("include/")
            and name.removeprefix("src/") not in included
        ):
            findings.add(
                name,
                "is included by no file of include/, src/ or ports/",
                "it is dead, or belongs to the tests",
                "include it where it is used, move it to tests/, or remove it",
            )


def functions(code):
    """(line, length) of brace blocks that look like function bodies, outermost ones only."""
    stack, head = [], 0
    for i, c in enumerate(code):
        if c in ";}":
            head = i + 1
        if c == "{":
            text = code[head:i]
            plain = re.search(
                r"\)\s*(?:const|noexcept|override|final|&+|->[^;{]*|:[^;{]*|\s)*$", text
            )
            outer = not re.search(r"\b(?:namespace|struct|class|union|enum|extern)\b[^()]*$", text)
            stack.append((code.count("\n", 0, i) + 1, bool(plain) and outer))
            head = i + 1
        elif c == "}" and stack:
            line, is_function = stack.pop()
            if is_function and not any(inner for _, inner in stack):
                yield line, code.count("\n", 0, i) + 2 - line


def check_sizes(name, text, code, findings, aims):
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS:
            findings.add(
                f"{name}:{number}",
                f"{len(line)} columns",
                f"lines end at {LINE_COLUMNS}",
                "./dev format, or cut it",
            )
    limit = HEADER_LINES if name.endswith(".hpp") else SOURCE_LINES
    if len(lines) > limit:
        aims.append(f"{name}: {len(lines)} lines, aim {limit}")
    for line, length in functions(code):
        if length > FUNCTION_LINES:
            aims.append(f"{name}:{line}: a function of {length} lines, aim {FUNCTION_LINES}")


def check(root):
    tree, findings, aims = Tree(root), Findings(), []
    for path in tree.all:
        name, text = tree.name(path), path.read_text()
        code = without_comments(text)
        if "SPDX-License-Identifier: Apache-2.0" not in text.split("\n", 1)[0]:
            findings.add(
                name,
                "the first line is not the SPDX line",
                "every file says its licence",
                "begin with '// SPDX-License-Identifier: Apache-2.0'",
            )
        check_names(name, code, findings)
        check_sizes(name, text, code, findings, aims)
        if path in tree.library:
            check_library_file(name, text, code, findings)
    check_dead_headers(tree, findings)
    return findings, aims


def main():
    findings, aims = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    for aim in aims:
        print(f"longer than the aim (no error): {aim}")
    print("\n".join(findings))
    print(f"{len(findings)} errors, {len(aims)} files or functions longer than the aim")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
