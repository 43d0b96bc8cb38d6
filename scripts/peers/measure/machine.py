"""Where and with what was measured."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path


def machine():
    """The machine, as a reader who wants to compare needs it."""
    read = lambda path: Path(path).read_text()
    cpu = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    memory = int(re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))[1]) / 1e6
    system = re.search(r'PRETTY_NAME="?([^"\n]*)', read("/etc/os-release"))
    return {
        "CPU": cpu[1].strip() if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GB",
        "kernel": platform.release(),
        "OS": system[1] if system else platform.system(),
    }


PACKAGES = ["flask", "gunicorn", "lxml", "numpy", "pandas", "polars", "pymysql"]
PACKAGES += ["scikit-learn", "sqlalchemy", "xgboost-cpu"]
# Programs that say their version, and what of it is the version.
PROGRAMS = {
    "xan": ["xan", "--version"],
    "sqlite3": ["sqlite3", "--version"],
    "mariadbd": ["mariadbd", "--no-defaults", "--version"],
    "jq": ["jq", "--version"],
    "jaq": ["jaq", "--version"],
    "curl": ["curl", "--version"],
    "wrk": ["wrk", "-v"],
    "rustc": ["rustc", "--version"],
}


def versions(search):
    """What is installed of each peer; `search(name)` finds a program."""
    found = {name: version(name) for name in PACKAGES}
    found["python"] = platform.python_version()
    for name, command in PROGRAMS.items():
        program = search(name)
        if program:
            said = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
            found[name] = number[0] if number else "of unknown version"
    said = subprocess.run(
        ["cargo", "tree", "--locked", "--offline", "--workspace", "--prefix", "none"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    for name in ["axum", "hyper", "tiny_http"]:
        number = re.search(rf"^{name} v(\S+)", said.stdout, re.MULTILINE)
        if number:
            found[name] = number[1]
    return found
