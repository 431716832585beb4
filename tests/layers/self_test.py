#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation after the other in a small tree and expects each check to name it."""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # the tree stays as it is
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "cmake"), str(HERE.parent)]
import amalgamate  # noqa: E402
import cases  # noqa: E402
import check_docs  # noqa: E402
import check_symbols  # noqa: E402
import check_tree  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = {
    "include/beamlet/version.hpp": "#pragma once\n#define BEAMLET_VERSION_MAJOR 1\n#define BEAMLET_VERSION_MINOR 2\n"
    "#define BEAMLET_VERSION_PATCH 3\n",
    "include/beamlet/beamlet.hpp": "#pragma once\n#include <beamlet/version.hpp>\n#include <beamlet/base/a.hpp>\n",
    "include/beamlet/base/a.hpp": "#pragma once\n#include <vector>\nint a();\n",
    "src/base/helper.hpp": "#pragma once\ninline int helper() { return 1; }\n",
    "src/base/a.cpp": '#include "beamlet/base/a.hpp"\n#include <vector>\n#include "base/helper.hpp"\n'
    "namespace {\nint local_a(int x) { return x; }\n}\nint a() { return local_a(helper()); }\n",
    "src/base/b.cpp": '#include "base/helper.hpp"\nnamespace {\nconstexpr int local_b = 2;\n}\n'
    "int b() { return local_b; }\n",
    "ports/port.hpp": "#pragma once\nint port();\n",
    "ports/uv/uv.cpp": '#include <uv.h>\n#include "ports/port.hpp"\nint port() { return 0; }\n',
    "ports/sim/sim.hpp": "#pragma once\n#include <map>\nint sim();\n",
    "ports/sim/sim.cpp": '#include "ports/sim/sim.hpp"\nint sim() { return 0; }\n',
    "README.md": "Hello:\n<!-- from tests/examples/hello.cpp -->\n```cpp\nint main() {}\n```\nSee `src/base/a.cpp`, "
    "`tests/examples/`, `base/helper.hpp` and `src/base/{a,b}.cpp`.\n",
    "tests/examples/hello.cpp": "int main() {}\n",
}


def plant(folder, extra):
    for name, text in {**CLEAN, **extra}.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.startswith(SPDX) or name.endswith(".md") else SPDX + text)


class Planted(unittest.TestCase):
    def problems(self, check, extra):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, extra)
            return "\n".join(check(folder))

    def tree(self, extra):
        return self.problems(lambda folder: check_tree.check(folder)[0], extra)

    def single(self, extra):
        def check(folder):
            findings = amalgamate.Findings()
            self.text = amalgamate.amalgamate(folder, findings)[0]
            return findings

        return self.problems(check, extra)

    def docs(self, extra):
        return self.problems(check_docs.check, extra)

    def expect(self, problems, *words):
        for word in (*words, "why:", "mend:"):
            self.assertIn(word, problems)

    def test_a_clean_tree_has_no_problems(self):
        self.assertEqual((self.tree({}), self.single({}), self.docs({})), ("", "", ""))

    def test_includes_that_do_not_point_down_are_found(self):
        cases_ = {
            ("src/base/x.cpp", '#include "sched/y.hpp"\n'): "above",
            ("src/store/x.cpp", '#include "sched/y.hpp"\n'): "sibling",
            ("src/sched/x.cpp", "#include <uv.h>\n"): "outside ports/uv",
            ("src/sched/x.cpp", '#include "../base/helper.hpp"\n'): "root-relative",
            ("ports/sim/x.cpp", '#include "ports/uv/y.hpp"\n'): "port sim includes",
            ("ports/port2.hpp", '#include "ports/uv/y.hpp"\n'): "port contract includes",
            (
                "include/beamlet/base/x.hpp",
                '#include "base/helper.hpp"\n',
            ): "a public header includes",
            ("include/beamlet/base/x.hpp", "#include <sys/types.h>\n"): "a public header includes",
            ("include/beamlet/base/x.hpp", "#include <beamlet/runtime/y.hpp>\n"): "above",
            ("src/node/x.cpp", "#include <filesystem>\n"): "locales",
        }
        for (name, text), words in cases_.items():
            with self.subTest(name=name, words=words):
                self.expect(self.tree({name: text}), f"{name}:2", words)

    def test_includes_that_point_down_are_allowed(self):
        for name, text in {
            "src/sched/x.cpp": '#include "ports/port.hpp"\n#include "sched/y.hpp"\n',
            "ports/linux/x.cpp": '#include "ports/posix/y.hpp"\n#include <sys/mman.h>\n',
            "src/runtime/x.cpp": '#include "beamlet/base/a.hpp"\n',
        }.items():
            with self.subTest(name=name):
                self.assertEqual(self.tree({name: text}), "")

    def test_what_a_library_must_not_do_is_found(self):
        for line in (
            'printf("x");',
            'std::fprintf(f, "x");',
            "std::cout << 1;",
            "fflush(stderr);",
            "exit(1);",
            "std::exit(1);",
            "std::abort();",
            "::abort();",
            "std::terminate();",
            "sigaction(1, a, b);",
        ):
            with self.subTest(line=line):
                self.expect(
                    self.tree({"src/base/x.cpp": f"void f() {{ {line} }}\n"}), "src/base/x.cpp:2"
                )

    def test_words_that_only_look_like_it_are_allowed(self):
        text = 'void f() { text.append("printf(x)"); scope.exit(1); snprintf(b, 1, "x"); }  // not abort()\n'
        self.assertEqual(self.tree({"src/base/x.cpp": text}), "")
        self.assertEqual(self.tree({"src/base/panic.cpp": "void f() { std::abort(); }\n"}), "")

    def test_names_platforms_and_lines_are_checked(self):
        for name, text, words in (
            ("src/base/CamelCase.cpp", "", "snake_case"),
            (
                "include/beamlet/base/x.hpp",
                "using namespace std;\n",
                "'using namespace' in a header",
            ),
            ("src/base/x.cpp", "using namespace std;\n", "'using namespace' in a source"),
            ("include/beamlet/base/x.hpp", "namespace {\n}\n", "unnamed namespace in a header"),
            ("src/base/x.cpp", "#ifdef __linux__\n#endif\n", "platform #if"),
            ("src/base/x.cpp", "#if defined(_WIN32)\n#endif\n", "platform #if"),
            ("src/base/x.cpp", "// " + "x" * 98 + "\n", "101 columns"),
        ):
            with self.subTest(words=words):
                self.expect(self.tree({name: text}), name, words)

    def test_a_dead_header_is_found(self):
        self.expect(
            self.tree({"src/base/x.hpp": "int x();\n"}), "src/base/x.hpp", "is included by no file"
        )

    def test_a_missing_licence_line_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {})
            (pathlib.Path(folder) / "src/base/x.cpp").write_text("int x;\n")
            self.expect("\n".join(check_tree.check(folder)[0]), "src/base/x.cpp", "SPDX")

    def test_sizes_are_aims_and_no_errors(self):
        text = "void f() {\n" + "  g();\n" * 75 + "}\n" + "// x\n" * 500
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {"src/base/x.cpp": text})
            findings, aims = check_tree.check(folder)
        self.assertEqual(findings, [])
        self.assertEqual(
            aims,
            [
                "src/base/x.cpp: 578 lines, aim 500",
                "src/base/x.cpp:2: a function of 77 lines, aim 70",
            ],
        )

    def test_what_would_break_the_single_header_is_found(self):
        cases_ = {
            ("include/beamlet/base/x.hpp", "int x();\n"): "not reached from",
            ("src/other/x.cpp", "int x();\n"): "belongs to no layer",
            ("src/base/x.cpp", '#include "base/none.hpp"\n'): "is not in the tree",
            ("src/base/x.cpp", '#if X\n#include "base/helper.hpp"\n#endif\n'): "inside #if",
            (
                "src/base/x.cpp",
                "namespace {\nint local_a() { return 1; }\n}\n",
            ): "'local_a' is also one of src/base/a.cpp",
            (
                "src/base/x.cpp",
                "namespace {\nstruct other { int x; };\nint local_b;\n}\n",
            ): "'local_b' is also one of",
            (
                "src/base/x.cpp",
                "namespace {\nstruct local_b { int x; };\n}\n",
            ): "'local_b' is also one of",
            (
                "src/base/x.cpp",
                "namespace {\ntemplate <class T>\nusing local_b = T*;\n}\n",
            ): "'local_b' is also one of",
            ("src/base/x.cpp", "#define LOCAL 1\nint x = LOCAL;\n"): "LOCAL is not undefined",
        }
        for (name, text), words in cases_.items():
            with self.subTest(words=words):
                # b.cpp sorts before x.cpp, so the second file is named and the first is 'also'
                self.expect(self.single({name: text}), words)

    def test_the_single_header_holds_each_file_once_and_no_own_include(self):
        self.assertEqual(self.single({}), "")
        for body in (
            "int a();",
            "inline int helper()",
            "int port();",
            "int sim();",
            "int b() {",
            "int sim() {",
        ):
            self.assertEqual(self.text.count(body), 1, body)
        self.assertNotRegex(self.text, r'#include\s*("|<beamlet)')
        self.assertEqual(self.text.count("#include <vector>"), 1)
        self.assertIn("#include <uv.h>", self.text)
        self.assertLess(self.text.index("#ifdef BEAMLET_SIM"), self.text.index("int sim();"))

    def test_documents_that_left_the_tree_behind_are_found(self):
        for text, words in (
            (
                "<!-- from tests/examples/hello.cpp -->\n```cpp\nint other;\n```\n",
                "the code differs",
            ),
            ("<!-- from tests/examples/none.cpp -->\n```cpp\nx\n```\n", "is not there"),
            ("<!-- from tests/examples/hello.cpp -->\ntext\n", "without a fenced block"),
            ("Look at `src/base/gone.cpp`.\n", "`src/base/gone.cpp` does not exist"),
        ):
            with self.subTest(words=words):
                self.expect(self.docs({"README.md": text}), "README.md", words)

    def test_symbols_that_a_library_must_not_use_are_found(self):
        clean = "libbeamlet.a:panic.cpp.o:                 U abort\nlibbeamlet.a:id.cpp.o:          U snprintf\n"
        self.assertEqual(check_symbols.check(clean), [])
        for symbol in (
            "printf",
            "stderr@GLIBC_2.2.5",
            "exit",
            "_ZSt4cout",
            "abort",
            "__printf_chk",
        ):
            with self.subTest(symbol=symbol):
                problems = check_symbols.check(
                    clean + f"libbeamlet.a:task.cpp.o:          U {symbol}\n"
                )
                self.expect("\n".join(problems), "task.cpp.o")
        self.assertTrue(check_symbols.check(""), "a panic.cpp that does not abort is one too")

    def test_cases_that_are_missing_without_a_reason_are_found(self):
        plain = {"unit_a: x", "unit_a: slow, y"}
        lines = [("tsan", "slow* y", "too slow")]
        self.assertEqual(cases.compare(["tsan"], plain, {"unit_a: x"}, lines)[1], [])
        self.assertIn("unit_a: x", cases.compare(["tsan"], plain, set(), lines)[1][0])
        self.assertIn("leaves out nothing", cases.compare(["tsan"], plain, plain, lines)[1][0])
        self.assertEqual(cases.compare(["asan"], plain, plain, lines)[1], [])


if __name__ == "__main__":
    unittest.main()
