"""libhaul's public face held against its tests and its manual: every function that the headers
declare is exported, called by a test and named in the man page.
"""

import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HAUL_BUILD", TOP / "build-test"))
MANUAL = TOP / "lib/libhaul.3"
HEADERS = sorted((TOP / "lib/include/haul").iterdir())


def names(*command):
    """The symbols that nm prints."""
    out = subprocess.run(["nm", *map(str, command)], check=True, text=True, capture_output=True)
    return set(re.findall(r"\b(haul_\w+)$", out.stdout, re.MULTILINE))


@pytest.fixture(scope="module")
def exported():
    return names("-D", "--defined-only", BUILD / "libhaul.so")


def declared():
    """The functions of the public headers: names before a parenthesis, but for types of them."""
    text = "".join(path.read_text() for path in HEADERS)
    text = re.sub(r"/\*.*?\*/|^#[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE)
    return {name for name in re.findall(r"\b(haul_\w+)\(", text) if not name.endswith("_fn")}


def test_what_is_declared_is_exported_and_nothing_else(exported):
    difference = exported ^ declared()
    assert not difference, sorted(difference)


def test_every_exported_function_is_called_by_a_test(exported):
    objects = list((BUILD / "tests").rglob("*.o"))
    assert objects
    uncalled = exported - names("-u", *objects)
    assert not uncalled, sorted(uncalled)


def test_the_manual_names_every_function_and_no_other():
    assert set(re.findall(r"\bFn (haul_\w+)", MANUAL.read_text())) == declared()


def test_the_manual_is_well_formed():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MANUAL], text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout
