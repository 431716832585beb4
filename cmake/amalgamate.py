#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the whole library as one header: amalgamate.py ROOT HEADER [--shims FOLDER] [--generated SOURCE...]

The header has three parts, each file in it once:
  the public headers, as include/beamlet/beamlet.hpp reaches them;
  the internal headers, seen with BEAMLET_IMPLEMENTATION (or BEAMLET_INTERNALS, for our unit tests);
  the sources, seen with BEAMLET_IMPLEMENTATION. The simulated port also needs BEAMLET_SIM.

Nothing in the tree knows about this. What makes it possible is checked here: every file is reached,
own includes stand outside #if, file-local names are unique in their layer, and a macro that a .cpp
defines is undefined at its end.

--generated names sources that the build made, which come last.

--shims writes one-line headers under the tree's include paths that lead to the generated header.
"""

import argparse
import pathlib
import re
import sys

LAYERS = ["base", "wire", "cluster", "ports", "store", "sched", "compute", "node", "runtime"]
PORTS = ["", "uv", "posix", "linux", "sim"]  # "" is ports/ itself
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<(beamlet/[^>]+)>)')
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]+)>")
UNDEF = re.compile(r"^#undef (\w+)", re.M)
NOT_A_NAME = {
    "if",
    "for",
    "while",
    "switch",
    "return",
    "operator",
    "requires",
    "noexcept",
    "alignas",
    "decltype",
    "static_assert",
    "sizeof",
    "__attribute__",
    "explicit",
}


class Findings(list):
    """Problems as sentences: where and what, why it matters, how to mend it."""

    def add(self, where, what, why, mend):
        self.append(f"{where}: {what}\n    why:  {why}\n    mend: {mend}")


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.spine = self.root / "include/beamlet/beamlet.hpp"
        self.public = sorted((self.root / "include/beamlet").rglob("*.hpp"))
        self.headers, self.sources = [], []
        for layer in LAYERS:
            files = (
                self.port_files()
                if layer == "ports"
                else sorted((self.root / "src" / layer).rglob("*.[hc]pp"))
            )
            self.headers += [f for f in files if f.suffix == ".hpp"]
            self.sources += [f for f in files if f.suffix == ".cpp"]

    def port_files(self):
        return [f for name in PORTS for f in sorted((self.root / "ports" / name).glob("*.[hc]pp"))]

    def name(self, path):
        return path.relative_to(self.root).as_posix()

    def layer(self, path):
        parts = path.relative_to(self.root).parts
        return "ports" if parts[0] == "ports" else parts[1]

    def is_sim(self, path):
        return self.name(path).startswith("ports/sim/")

    def include_path(self, path):
        """How the tree spells an include of this file: without include/ or src/."""
        name = self.name(path)
        return name.removeprefix("include/").removeprefix("src/")

    def find(self, spelled):
        for folder in ("include", "src", "."):
            if (path := self.root / folder / spelled).is_file():
                return path
        return None


class Writer:
    """Expands files in place, each once."""

    def __init__(self, tree, findings):
        self.tree, self.findings = tree, findings
        self.lines, self.done = [], set()
        self.system = set()  # <headers> that are already there unconditionally

    def file(self, path):
        if path in self.done:
            return
        self.done.add(path)
        self.open(path)
        depth = 0
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{self.tree.name(path)}:{number}"
            if match := INCLUDE.match(line):
                self.own_include(path, where, match.group(1) or match.group(2), depth)
            elif line.startswith(("#pragma once", "// SPDX-License-Identifier")):
                continue
            elif self.is_repeated(path, line, depth):
                continue
            else:
                self.lines.append(line)
                depth += bool(re.match(r"\s*#\s*if", line)) - bool(re.match(r"\s*#\s*endif", line))
        self.close(path)

    def own_include(self, path, where, spelled, depth):
        target = self.tree.find(spelled)
        if target is None:
            self.findings.add(
                where,
                f'"{spelled}" is not in the tree',
                "quoted includes name files of this tree, from include/, src/ or the root",
                "correct the path, or use <...> for a header of another project",
            )
            return
        if depth > 0:
            self.findings.add(
                where,
                f"own include of {spelled} inside #if",
                "the single header holds each file once, where it is first included",
                "include it outside, and put the condition into the included file",
            )
        if target.suffix == ".def":  # a list, read anew each time with other macros
            self.lines += target.read_text().splitlines()
            return
        if target not in self.done:
            self.close(path)
            self.file(target)
            self.open(path)

    def is_repeated(self, path, line, depth):
        match = SYSTEM_INCLUDE.match(line)
        if not match or depth > 0 or self.tree.is_sim(path):
            return False
        seen = match.group(1) in self.system
        self.system.add(match.group(1))
        return seen

    def generated(self, path):
        """A source that the build made: it includes nothing that is not there by now."""
        self.lines.append(f"// ---- {path.name}")
        self.lines += [line for line in path.read_text().splitlines() if not INCLUDE.match(line)]

    def open(self, path):
        self.lines.append(f"// ---- {self.tree.name(path)}")
        if self.tree.is_sim(path):
            self.lines.append("#ifdef BEAMLET_SIM")

    def close(self, path):
        if self.tree.is_sim(path):
            self.lines.append("#endif  // BEAMLET_SIM")


def amalgamate(root, findings, generated=()):
    """The text of the single header; problems go to `findings`."""
    tree = Tree(root)
    writer = Writer(tree, findings)
    version = dict(
        re.findall(
            r"BEAMLET_VERSION_(\w+) (\d+)", (tree.root / "include/beamlet/version.hpp").read_text()
        )
    )
    put = writer.lines.append
    put("// SPDX-License-Identifier: Apache-2.0")
    put(
        "// Beamlet {MAJOR}.{MINOR}.{PATCH} as one header, generated from the tree: do not edit.".format(
            **version
        )
    )
    put(
        "// Define BEAMLET_IMPLEMENTATION before the include in exactly one .cpp; link libuv and pthread."
    )
    put("#ifndef BEAMLET_SINGLE_PUBLIC\n#define BEAMLET_SINGLE_PUBLIC")
    writer.file(tree.spine)
    put("#endif  // BEAMLET_SINGLE_PUBLIC\n")
    reached = set(writer.done)
    put(
        "#if (defined(BEAMLET_IMPLEMENTATION) || defined(BEAMLET_INTERNALS)) && !defined(BEAMLET_SINGLE_INTERNALS)"
    )
    put("#define BEAMLET_SINGLE_INTERNALS")
    for header in tree.headers:
        writer.file(header)
    put("#endif  // BEAMLET_SINGLE_INTERNALS\n")
    put(
        "#if defined(BEAMLET_IMPLEMENTATION) && !defined(BEAMLET_SINGLE_SOURCES)\n#define BEAMLET_SINGLE_SOURCES"
    )
    for source in tree.sources:
        writer.file(source)
    for source in generated:
        writer.generated(source)
    put("#endif  // BEAMLET_SINGLE_SOURCES")
    check_reached(tree, reached, findings)
    check_names(tree, findings)
    return "\n".join(writer.lines) + "\n", tree


def check_reached(tree, reached, findings):
    for header in tree.public:
        if header not in reached:
            findings.add(
                tree.name(header),
                "is not reached from include/beamlet/beamlet.hpp",
                "a user of the single header would not have it",
                "include it in beamlet.hpp or in a public header that is, or move it to src/",
            )
    known = set(tree.public + tree.headers + tree.sources)
    for folder in ("src", "ports"):
        for path in sorted((tree.root / folder).rglob("*.[hc]pp")):
            if tree.name(path).startswith("src/cli/"):
                continue  # a program, and no part of the library
            elsewhere = folder == "ports" and tree.name(path).split("/")[1] in (
                "android",
                "darwin",
                "windows",
            )
            if path not in known and not elsewhere:
                findings.add(
                    tree.name(path),
                    "belongs to no layer that the single header knows",
                    "its code would be missing there",
                    "move it into a layer, or add the layer to LAYERS "
                    "or PORTS in cmake/amalgamate.py",
                )


def without_comments(text):
    """The same text with comments and literals blanked, line numbers kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\((?:.*?)\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'',
        re.S,
    )
    return pattern.sub(
        lambda m: ("" if m.group(0)[0] == "/" else '""') + "\n" * m.group(0).count("\n"), text
    )


def local_names(text):
    """(name, line) of what the unnamed namespaces of a source declare at their top level."""
    text = without_comments(text)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)
    for opening in re.finditer(r"\bnamespace\s*\{", text):
        depth, start, i = 1, opening.end(), opening.end()
        while i < len(text) and depth > 0:
            c = text[i]
            depth += (c == "{") - (c == "}")
            ends = (c == ";" and depth == 1) or (
                c == "}" and depth == 1 and not re.match(r"\s*[;,)(.{\w]*;", text[i + 1 : i + 80])
            )
            if ends:
                if name := declared_name(text[start:i]):
                    yield name, text.count(
                        "\n", 0, start + len(text[start:i]) - len(text[start:i].lstrip())
                    ) + 1
                start = i + 1
            i += 1


def declared_name(declaration):
    text = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^)]*\)", " ", declaration.strip())
    while match := re.match(r"template\s*<", text):  # drop template<...>
        depth, i = 1, match.end()
        while i < len(text) and depth > 0:
            depth += (text[i] == "<") - (text[i] == ">")
            i += 1
        text = text[i:].lstrip()
    if match := re.match(r"(?:using|concept)\s+(\w+)\s*=", text):
        return match.group(1)
    if match := re.match(
        r"(?:struct|class|union|enum(?:\s+(?:class|struct))?)\s+(\w+)\s*(?:final\b)?\s*(?::[^:]|\{|$)",
        text,
    ):
        return match.group(1) if "{" in text else None
    if text.startswith(("using ", "static_assert", "namespace", "friend", "extern")):
        return None
    head = re.split(r"[{=;]", text, maxsplit=1)[0]
    if match := re.search(
        r"(?:(\w+)\s*::\s*)?(~?\w+)\s*\(",
        re.sub(r"\b(?:requires|decltype|noexcept)\s*\(", " ", head),
    ):
        return None if match.group(1) or match.group(2) in NOT_A_NAME else match.group(2)
    match = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", head)
    return match.group(1) if match and re.search(r"[\w>*&]\s+\S*$|[>*&]\w+\s*$", head) else None


def check_names(tree, findings):
    first = {}
    for path in tree.sources:
        name, text = tree.name(path), path.read_text()
        for local, line in local_names(text):
            key = (tree.layer(path), local)
            other = first.setdefault(key, name)
            if other != name:
                findings.add(
                    f"{name}:{line}",
                    f"file-local name '{local}' is also one of {other}",
                    "in the single header both files are one translation unit",
                    "give one of them a more telling name, or share it in an internal header",
                )
        code = without_comments(text)
        for spelled in re.findall(r"#\s*include\s+\"([^\"]+\.def)\"", text):  # they undefine theirs
            code += "".join(f"#undef {m}\n" for m in UNDEF.findall(tree.find(spelled).read_text()))
        for macro in sorted(set(re.findall(r"^\s*#\s*define\s+(\w+)", code, re.M))):
            if len(re.findall(rf"^\s*#\s*define\s+{macro}\b", code, re.M)) > len(
                re.findall(rf"^\s*#\s*undef\s+{macro}\b", code, re.M)
            ) and not feature_macro(macro):
                findings.add(
                    name,
                    f"macro {macro} is not undefined at the end",
                    "in the single header it would reach every file below and the user's code",
                    f"add '#undef {macro}' after its last use",
                )


def feature_macro(name):
    return name in ("_GNU_SOURCE",)


def write_if_changed(path, text):
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write_shims(tree, folder):
    wanted = set()
    for header in tree.public + tree.headers:
        if header != tree.spine:
            wanted.add(folder / tree.include_path(header))
            write_if_changed(
                folder / tree.include_path(header), "#pragma once\n#include <beamlet/beamlet.hpp>\n"
            )
    for old in folder.rglob("*.hpp"):
        if old not in wanted:
            old.unlink()


def main():
    parser = argparse.ArgumentParser(description="Writes the library as one header.")
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("header", type=pathlib.Path)
    parser.add_argument("--shims", type=pathlib.Path)
    parser.add_argument("--generated", type=pathlib.Path, nargs="*", default=[])
    options = parser.parse_args()
    findings = Findings()
    text, tree = amalgamate(options.root, findings, options.generated)
    if findings:
        print("\n".join(findings), file=sys.stderr)
        return 1
    options.header.parent.mkdir(parents=True, exist_ok=True)
    options.header.write_text(text)
    if options.shims:
        write_shims(tree, options.shims)
    return 0


if __name__ == "__main__":
    sys.exit(main())
