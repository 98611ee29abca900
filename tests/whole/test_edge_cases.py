"""The table of tests/README.md: each of the cases that must come out right has its tests, they
exist, and table and tests say the same of each other. Reads files, runs nothing.
"""

import ast
import collections
import pathlib
import re

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
CASES = 72
Case = collections.namedtuple("Case", "number text tests waits")

# "Case 3.", "Cases 3 and 12.", "Cases 3, 7 and 12.": in a docstring, or the comment above.
NAMED = re.compile(r"\bCases?\s+(\d+(?:(?:,|\s+and)\s+\d+)*)\.")
C_TEST = re.compile(r"((?:^/\*(?:[^*]|\*(?!/))*\*/\n)?)^static void (\w+)\(void \*\*", re.MULTILINE)


def read_table():
    """The rows `| 3 | what happens → what is right | `file`: `test`, `test`; `file`: `test` |`."""
    for line in (TESTS / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[0].isdigit():
            tests, _, waits = cells[2].partition("later: ")
            yield Case(int(cells[0]), cells[1], set(named_tests(tests)), waits)


def named_tests(cell):
    for file, names in re.findall(r"`([\w/]+\.(?:py|c))`: ((?:`\w+`(?:, )?)+)", cell):
        for name in re.findall(r"`(\w+)`", names):
            yield file, name


def numbers(text):
    return {int(n) for found in NAMED.findall(text) for n in re.findall(r"\d+", found)}


def python_tests(path):
    """{name: what its docstring says}"""
    return {node.name: ast.get_docstring(node) or "" for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def c_tests(path):
    """{name: the comment above it}. That it is registered, the compiler sees to: a static
    function that nobody uses is an error."""
    return {name: comment for comment, name in C_TEST.findall(path.read_text())}


@pytest.fixture(scope="module")
def table():
    return list(read_table())


@pytest.fixture(scope="module")
def says():
    """{(file, test): the cases that it names} of all tests."""
    said = {}
    for folder, pattern, read in [("whole", "test_*.py", python_tests), ("unit", "test_*.c", c_tests),
                                  ("real", "test_*.c", c_tests)]:
        for path in (TESTS / folder).glob(pattern):
            if path != pathlib.Path(__file__):
                for name, words in read(path).items():
                    said[f"{folder}/{path.name}", name] = numbers(words)
    return said


def test_every_case_is_there_once_in_order(table):
    assert [case.number for case in table] == list(range(1, CASES + 1))
    for case in table:
        assert case.text
        assert case.tests or case.waits, f"case {case.number} has no test"


def test_every_test_that_the_table_names_exists_and_names_the_case(table, says):
    wrong = [(case.number, *test) for case in table for test in case.tests
             if case.number not in says.get(test, ())]
    assert wrong == []


def test_no_test_names_a_case_that_the_table_does_not_have_it_under(table, says):
    known = {(number, test) for number, _, tests, _ in table for test in tests}
    strange = [(number, *test) for test, said in says.items() for number in said
               if (number, test) not in known]
    assert strange == []
