"""Starts a server that says where it listens, and ends it."""

import os
import re
import resource
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from json import dumps
from tempfile import TemporaryFile

from .bench import ASKED
from .run import Broken

READY_SECONDS = 30
END_SECONDS = 10
# Where MLflow's protocol is spoken, which wraps rows.
MLFLOW = "/invocations"

# A server that is started with these words in front ends with the bench, even if that is killed.
WITH_US = ["setpriv", "--pdeathsig=KILL"]


class Running:
    """A server that answers."""

    def __init__(self, process, url, path):
        self.process, self.url, self.path = process, url, path
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)

    def status(self, field):
        """A number of /proc/PID/status, like Threads or VmHWM (kB)."""
        with open(f"/proc/{self.process.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))

    def ask(self, timeout=10):
        """One request, answered with a body."""
        asked = {"dataframe_records": [ASKED]} if self.path == MLFLOW else ASKED
        request = urllib.request.Request(
            self.url + self.path, dumps(asked).encode(), {"content-type": "application/json"}
        )
        deadline = time.monotonic() + timeout
        while True:
            try:
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    return answer.read().decode()
            except urllib.error.URLError as error:
                # uvicorn says where it listens before it does.
                if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


@contextmanager
def serving(command, env, path="/predict"):
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
            start_new_session=True,
        )
        try:
            yield Running(process, address(process, said), path)
        finally:
            end(process)


def end(process):
    """Ends the process and what it started: some start their server by a shell, which does not pass signals on."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
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
