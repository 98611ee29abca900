"""What the machine is that results come from."""

import os
import platform
import sqlite3
import subprocess


def first_line(*command):
    try:
        said = subprocess.run(command, text=True, capture_output=True).stdout
    except OSError:
        return "?"
    return (said.splitlines() or ["?"])[0]


def field(path, name):
    """The value in a file of `name : value` lines."""
    with open(path) as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)),
                    "?")


def describe(room):
    """Label and text, for people."""
    curl = first_line(room.floor, "--version")
    where = {name: first_line("df", "--output=source,fstype,size", "-h", "--no-header", path)
             for name, path in (("memory", room.data), ("disk", room.disk))}
    return {
        "processor": f"{field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / (1 << 20):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": where["disk"],
        "libraries": f"{curl}; SQLite {sqlite3.sqlite_version}",
    }
