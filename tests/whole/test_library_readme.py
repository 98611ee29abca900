"""Every example of lib/README.md is compiled as it stands there, and run in the page's order
against the real server; what the page says is printed is what is printed.
"""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import TOP

BUILD = pathlib.Path(os.environ.get("HAUL_BUILD", TOP / "build-test"))
BLOCK = re.compile(r"^```(c|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <haul/haul.h>

static struct haul_store *s;
static struct haul_error err;

{functions}
int main(void)
{{
    static int (*const examples[])(void) = {{ {names} }};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {{
        if (examples[i]() < 0) {{
            printf("example %zu: %s\\n", i, err.text);
            return 1;
        }}
        puts("----");
        fflush(stdout);
    }}
    return 0;
}}
"""


def page():
    """The page's functions, its examples, and what each prints."""
    functions, examples = [], []
    for kind, text in BLOCK.findall((TOP / "lib/README.md").read_text()):
        if kind == "text":
            examples[-1][1] = text
        elif re.search(r"^static [^\n]*\)\n{", text, re.MULTILINE):
            functions.append(text)
        else:
            examples.append([text, ""])
    return functions, examples


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    functions, examples = page()
    assert len(examples) > 15
    for i, (text, _) in enumerate(examples):
        functions.append(f"static int example_{i}(void)\n{{\n{text}return 0;\n}}\n")
    names = ", ".join(f"example_{i}" for i in range(len(examples)))
    source = folder / "tour.c"
    source.write_text(PROGRAM.format(functions="\n".join(functions), names=names))
    settings = dict(re.findall(r"^(\w+):\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M))
    sanitize = settings["HAUL_SANITIZE"]
    done = subprocess.run(
        [settings["CMAKE_C_COMPILER"], "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-g",
         *[f"-fsanitize={sanitize}"] * bool(sanitize), "-I", TOP / "lib/include", source,
         BUILD / "libhaul.a", "-lcurl", "-lcrypto", "-lxml2", "-lisal", "-lyaml", "-lpthread",
         "-o", folder / "tour"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "tour"


def test_the_examples_print_what_the_page_says(program, haul, ceph, bucket, tmp_path):
    env = haul.env | ceph.env | {"STORE_URL": f"{ceph.url}/{bucket}"}
    done = subprocess.run([program], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split("----\n")[:-1]
    assert printed == [text for _, text in page()[1]]
