"""Runs commands and takes their wall time, and the peak memory of each process of a pipeline."""

import re
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

# A variant is not repeated once it has taken this long in all: a peer of a minute needs no five runs.
BUDGET_SECONDS = 60

# 128 and SIGPIPE, as a shell and GNU time say it.
CLOSED_PIPE = 141


class Broken(Exception):
    """A command did not do what it was asked to."""


@dataclass
class Took:
    """One run."""

    seconds: float
    peaks: list  # bytes, one a process
    inner: float | None = None  # what a Python peer says of itself: without start and imports
    said: str = ""


def pipeline(*commands, stdin=None, stdout=None, env=None, cwd=None):
    """Runs commands joined by pipes and waits for all. `stdin`, `stdout`: paths, or None for /dev/null."""
    with TemporaryDirectory() as memory, TemporaryFile("w+") as said:
        first, last = open(stdin or "/dev/null", "rb"), open(stdout or "/dev/null", "wb")
        notes = [Path(memory) / str(at) for at in range(len(commands))]
        started, processes, source = time.perf_counter(), [], first
        for at, (command, note) in enumerate(zip(commands, notes, strict=True)):
            target = last if at == len(commands) - 1 else subprocess.PIPE
            # GNU time, because a process that Python starts inherits Python's own peak.
            timed = ["/usr/bin/time", "-f", "%M", "-o", note, *map(str, command)]
            process = subprocess.Popen(timed, stdin=source, stdout=target, stderr=said, env=env, cwd=cwd)
            source.close()
            source = process.stdout
            processes.append(process)
        codes = [process.wait() for process in processes]
        seconds = time.perf_counter() - started
        last.close()
        said.seek(0)
        words = said.read()
        peaks = [int(note.read_text().split()[-1]) * 1024 for note in notes]
    failed = [(command, code) for command, code in zip(commands, codes, strict=True) if code != 0]
    # A writer whose reader ended is not the one to blame.
    failed.sort(key=lambda one: one[1] == CLOSED_PIPE)
    for command, code in failed:
        tail = " / ".join(words.strip().splitlines()[-3:])
        raise Broken(f"{Path(str(command[0])).name} ended with exit code {code}: {tail}")
    inner = re.findall(r"^inner (\S+)$", words, re.MULTILINE)
    return Took(seconds, peaks, float(inner[-1]) if inner else None, words)


@dataclass
class Variant:
    """One way to do a job. `once(True)` keeps its output for the check, `once(False)` is measured."""

    name: str
    once: object
    prepare: object = lambda: None
    runs: list = field(default_factory=list)
    failure: str | None = None

    def attempt(self, keep):
        """One run, or the reason why there is none."""
        if self.failure:
            return
        try:
            self.prepare()
            took = self.once(keep)
        except Broken as broken:
            self.failure = str(broken)
            return
        if not keep:
            self.runs.append(took)

    @property
    def done(self):
        return bool(self.runs) and not self.failure

    @property
    def seconds(self):
        """The median; None if it was not measured."""
        return statistics.median(run.seconds for run in self.runs) if self.done else None

    @property
    def inner(self):
        inner = [run.inner for run in self.runs if run.inner is not None]
        return statistics.median(inner) if inner else None

    @property
    def peak(self):
        """Of the last process of a pipeline, the greatest peak of all runs; None if it was not measured."""
        return max(run.peaks[-1] for run in self.runs) if self.done else None


def check(variants, same):
    """Runs all once with their output kept; `same(first, other)` raises Broken where results differ."""
    for variant in variants:
        variant.attempt(keep=True)
    first = next((variant for variant in variants if not variant.failure), None)
    for variant in variants:
        if variant is not first and not variant.failure:
            try:
                same(first.name, variant.name)
            except Broken as broken:
                variant.failure = f"another result than {first.name}: {broken}"


def alternate(variants, runs):
    """A B C A B C …, so that what disturbs the machine disturbs all."""
    for _ in range(runs):
        for variant in variants:
            if sum(run.seconds for run in variant.runs) < BUDGET_SECONDS:
                variant.attempt(keep=False)
    return {variant.name: variant for variant in variants}
