"""What the machine is that results come from."""

import os
import platform
import sqlite3
import subprocess


def said(*command):
    """The last line that it says."""
    lines = subprocess.run(command, text=True, capture_output=True).stdout.splitlines()
    return lines[-1] if lines else "?"


def field(path, name):
    """The value in a file of `name : value` lines."""
    with open(path) as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)),
                    "?")


def describe(room):
    """Label and text, for people."""
    libraries = ", ".join(said(room.floor, "--version").split()[:2])  # libcurl, its OpenSSL
    return {
        "processor": f"{field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / (1 << 20):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": " ".join(said("df", "--output=source,fstype,size", "-h", room.disk).split()),
        "libraries": f"{libraries}, SQLite/{sqlite3.sqlite_version}",
    }
