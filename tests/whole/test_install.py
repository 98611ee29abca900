"""What `cmake --install` leaves, used from outside the tree: a program of tests/consumer/ in C and
in C++, by pkg-config and by find_package, with the shared library and with the static one; and the
manual's examples. All of it is built as a packager would, without sanitizers, staged by DESTDIR and
moved afterwards.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
CONSUMER = TOP / "tests/consumer"
HEADERS = sorted(path.name for path in (TOP / "lib/include/haul").iterdir())


def run(*command, env=None):
    done = subprocess.run(list(map(str, command)), env=os.environ | (env or {}), text=True,
                          capture_output=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """The folder with all that was installed, far from where its build thinks that it is."""
    build = pathlib.Path(os.environ.get("HAUL_BUILD", TOP / "build-test")) / "release"
    staging = tmp_path_factory.mktemp("staging")
    moved = tmp_path_factory.mktemp("moved") / "haul"
    run("cmake", "-S", TOP, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--prefix", "/opt/haul", env={"DESTDIR": str(staging)})
    shutil.move(staging / "opt/haul", moved)
    return moved


@pytest.fixture
def pkg_config(prefix):
    """Asks pkg-config; returns the words of its answer."""
    path = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    return lambda *args: shlex.split(run("pkg-config", *args, "haul", env=path))


@pytest.fixture(scope="session")
def cmake_built(prefix, tmp_path_factory):
    """The folder of the programs that find_package leads to the library."""
    build = tmp_path_factory.mktemp("consumer")
    run("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    return build


def needed(program):
    """The shared libraries that an ELF file names."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))


def run_with(scene, prefix, program, *args):
    """Runs a program against the scene's bucket; returns what it printed."""
    return run(program, f"{scene.endpoint.url}/bucket", *args, env=scene.env | {
        "LD_LIBRARY_PATH": str(prefix / "lib"), "no_proxy": "*"})


def greets(scene, prefix, program):
    """Does a consumer put and get what it should?"""
    assert run_with(scene, prefix, program) == "hello of 5 bytes, libhaul 0.1.0\n"
    return scene.s3.get_object(Bucket="bucket", Key="greeting")["Body"].read() == b"hello"


def test_all_of_it_is_installed_and_nothing_else(prefix):
    files = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}
    assert files == {
        "bin/haul",
        *(f"include/haul/{name}" for name in HEADERS),
        "lib/libhaul.a", "lib/libhaul.so", "lib/libhaul.so.0", "lib/libhaul.so.0.1.0",
        "lib/pkgconfig/haul.pc",
        *(f"lib/cmake/haul/haul-config{part}.cmake" for part in ("", "-release", "-version")),
        "share/man/man3/libhaul.3",
        *(f"share/doc/haul/{name}" for name in ("CHANGELOG.md", "LICENSE", "README.md",
                                        "lib/README.md")),
    }


def test_no_installed_text_names_the_folders_of_the_build(prefix):
    for path in prefix.rglob("*"):
        if path.suffix in (".pc", ".cmake", ".h"):
            assert str(TOP) not in path.read_text(), path
            assert "/opt/haul" not in path.read_text(), path


def test_the_installed_program_runs(prefix):
    assert run(prefix / "bin/haul", "--version") == "haul 0.1.0\n"


def test_the_shared_library_has_a_soname_and_shows_public_names_only(prefix):
    library = prefix / "lib/libhaul.so"
    assert "[libhaul.so.0]" in run("readelf", "-d", library)
    names = [line.split()[2] for line in run("nm", "-D", "--defined-only", library).splitlines()]
    assert names
    assert [name for name in names if not name.startswith("haul_")] == []


@pytest.mark.parametrize("compiler, source", [
    (("gcc", "-std=c17"), "main.c"), (("clang", "-std=c17"), "main.c"),
    (("g++", "-std=c++11"), "main.cc"), (("clang++", "-std=c++20"), "main.cc")])
@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_a_program_is_built_by_pkg_config(
        compiler, source, static, prefix, pkg_config, scene, tmp_path):
    program = tmp_path / "program"
    flags = pkg_config("--cflags") + pkg_config("--libs", *["--static"] * static)
    if static:
        flags = ["-l:libhaul.a" if flag == "-lhaul" else flag for flag in flags]
    run(*compiler, "-Wall", "-Wextra", "-Werror", CONSUMER / source, "-o", program, *flags)
    assert ("libhaul.so.0" in needed(program)) == (not static)
    assert greets(scene, prefix, program)


@pytest.mark.parametrize("suffix", ["c", "cc"])
@pytest.mark.parametrize("library", ["haul", "haul-static"])
def test_a_program_is_built_by_find_package(library, suffix, prefix, cmake_built, scene):
    program = cmake_built / f"{library}-{suffix}"
    assert ("libhaul.so.0" in needed(program)) == (library == "haul")
    assert greets(scene, prefix, program)


def examples(prefix):
    """The programs of the installed manual page, its escapes undone."""
    page = (prefix / "share/man/man3/libhaul.3").read_text()
    return [text.replace("\\e", "\\")
            for text in re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", page, re.DOTALL | re.MULTILINE)]


@pytest.mark.parametrize("number, keys, expected", [
    (0, [], ["notes/today.txt", "buy milk"]),
    (1, ["a", "b", "c"], ["a has 1 bytes", "b has 2 bytes", "c: "])])
def test_the_manuals_examples_work(
        number, keys, expected, prefix, pkg_config, scene, tmp_path):
    source, program = tmp_path / "example.c", tmp_path / "example"
    source.write_text(examples(prefix)[number])
    run("gcc", "-std=c17", "-pedantic", "-Wall", "-Wextra", "-Werror", source, "-o", program,
        *pkg_config("--cflags", "--libs"))
    scene.objects({"a": b"1", "b": b"12"})
    lines = run_with(scene, prefix, program, *keys).splitlines()
    if keys:
        lines.sort()  # which answer comes first is open
    assert len(lines) == len(expected)
    assert all(line.startswith(start) for line, start in zip(lines, expected)), lines


def test_pkg_config_asks_for_nothing_that_only_a_static_link_needs(pkg_config):
    assert [flag for flag in pkg_config("--libs") if flag.startswith("-l")] == ["-lhaul"]


def test_the_versions_agree(prefix, pkg_config):
    version = re.search('HAUL_VERSION "(.*)"', (prefix / "include/haul/haul.h").read_text())[1]
    assert pkg_config("--modversion") == [version]
    assert (prefix / f"lib/libhaul.so.{version}").is_file()


def test_find_package_refuses_another_version(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(other LANGUAGES C)\n"
        "find_package(haul 0.2 REQUIRED)\n")
    done = subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja",
                           f"-DCMAKE_PREFIX_PATH={prefix}"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "version: 0.1.0" in done.stderr


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("compiler", [
    "gcc -x c -std=c17", "clang -x c -std=c17", "g++ -x c++ -std=c++11",
    "clang++ -x c++ -std=c++11", "g++ -x c++ -std=c++20"])
def test_each_header_compiles_alone(compiler, name, prefix):
    done = subprocess.run(
        [*compiler.split(), "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
         f"-I{prefix}/include", "-"],
        input=f"#include <haul/{name}>\n#include <haul/{name}>\n", text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
