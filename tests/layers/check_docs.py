#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the documents to the tree: check_docs.py ROOT

A fenced block below '<!-- from tests/examples/hello.cpp -->' equals that file (without its SPDX line), and every
path in backticks exists. A part of a file is named '<!-- from FILE part NAME -->' and stands in the file between
'// [NAME]' and '// [/NAME]'.
"""

import pathlib
import re
import sys
import textwrap

sys.dont_write_bytecode = True  # the tree stays as it is
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cmake"))
from amalgamate import Findings  # noqa: E402

TAKEN = re.compile(r"<!-- from (\S+?)(?: part (\w+))? -->\s*\n```\w*\n(.*?)^```", re.M | re.S)
MARK = re.compile(r"<!-- from ")
PATH = re.compile(r"`([\w.*{},/<>-]+)`")
SUFFIXES = (".cpp", ".hpp", ".md", ".py", ".cmake", ".json", ".txt", ".in")
FOLDERS = ("include/", "src/", "ports/", "tests/", "bench/", "cmake/", "examples/")


def wanted_text(path, part):
    text = path.read_text()
    if part:
        match = re.search(rf"^[^\n]*// \[{part}\]\n(.*?)^[^\n]*// \[/{part}\]", text, re.M | re.S)
        return textwrap.dedent(match.group(1)).strip() if match else None
    return re.sub(r"\A// SPDX[^\n]*\n", "", text).strip()


def check_blocks(root, name, text, findings):
    blocks = list(TAKEN.finditer(text))
    if len(blocks) != len(MARK.findall(text)):
        findings.add(
            name,
            "a '<!-- from FILE -->' without a fenced block right below it",
            "the code would not be compared with the file",
            "put the block directly below the line",
        )
    for match in blocks:
        where = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        source = root / match.group(1)
        wanted = wanted_text(source, match.group(2)) if source.is_file() else None
        if wanted is None:
            findings.add(
                where,
                f"{match.group(1)} {match.group(2) or ''} is not there",
                "the code is taken from it",
                "correct the name, or add the file or the part",
            )
        elif wanted != match.group(3).strip():
            findings.add(
                where,
                f"the code differs from {match.group(1)}",
                "what a reader copies must be what the tests compile",
                "copy the file's text into the block",
            )


def exists(root, path):
    if path.startswith("beamlet/"):
        path = "include/" + path
    plain = re.sub(r"<[^>]*>", "*", path.strip("<>").removeprefix("./"))
    alternatives = [plain]
    while match := next((re.search(r"\{([^{}]*)\}", a) for a in alternatives if "{" in a), None):
        alternatives = [
            a.replace(match.group(0), word, 1)
            for a in alternatives
            for word in match.group(1).split(",")
        ]
    return all(
        any(any(root.glob(prefix + a)) for prefix in ("", "include/beamlet/", "include/", "src/"))
        for a in alternatives
    )


def check_paths(root, name, text, findings):
    prose = re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)
    for match in PATH.finditer(prose):
        path = match.group(1)
        looks_like_path = (
            path.endswith(SUFFIXES) or path.startswith(FOLDERS) or path.startswith("./")
        )
        if (
            looks_like_path
            and not path.startswith(("build/", "out/", "/"))
            and not exists(root, path.rstrip("/"))
        ):
            findings.add(
                f"{name}:{prose.count(chr(10), 0, match.start()) + 1}",
                f"`{path}` does not exist",
                "a reader finds every thing that a document names",
                "correct the path, or drop the backticks",
            )


def check(root):
    root, findings = pathlib.Path(root), Findings()
    documents = [
        *root.glob("*.md"),
        *(
            d
            for folder in ("ports", "bench", "tests", "docs")
            for d in (root / folder).rglob("*.md")
        ),
    ]
    for document in sorted(documents):
        name, text = document.relative_to(root).as_posix(), document.read_text()
        check_blocks(root, name, text, findings)
        check_paths(
            document.parent if document.parent != root else root, name, text, local := Findings()
        )
        if local:  # a path may be meant from the document's folder or from the root
            check_paths(root, name, text, from_root := Findings())
            findings.extend(problem for problem in local if problem in from_root)
    return findings


def main():
    findings = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    print("\n".join(findings) or "the documents agree with the tree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
