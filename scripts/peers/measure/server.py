"""Starts a server that says where it listens, and ends it."""

import re
import resource
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from json import dumps
from tempfile import TemporaryFile

from .bench import ASKED
from .run import Broken

READY_SECONDS = 30

# A server that is started with these words in front ends with the bench, even if that is killed.
WITH_US = ["setpriv", "--pdeathsig=KILL"]


class Running:
    """A server that answers."""

    def __init__(self, process, url):
        self.process, self.url = process, url
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)

    def status(self, field):
        """A number of /proc/PID/status, like Threads or VmHWM (kB)."""
        with open(f"/proc/{self.process.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))

    def ask(self, timeout=10):
        """One request, answered with a body."""
        request = urllib.request.Request(
            self.url + "/predict", dumps(ASKED).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read().decode()


@contextmanager
def serving(command, env):
    """Starts `command`, which names its address on stderr, with as many open files as the machine allows."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*WITH_US, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=env,
        )
        try:
            yield Running(process, address(process, said))
        finally:
            process.terminate()
            process.wait()


def address(process, said):
    deadline = time.monotonic() + READY_SECONDS
    while True:
        # Reads from the start without moving the place where the server writes.
        words = open(f"/proc/self/fd/{said.fileno()}").read()
        found = re.search(r"http://127\.0\.0\.1:\d+", words)
        if found:
            return found[0]
        if process.poll() is not None or time.monotonic() > deadline:
            raise Broken(f"{process.args[0]} did not start: {words.strip()[-300:]}")
        time.sleep(0.02)
