"""What every job needs: where things are, how often to measure, what could not be reached."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .report import Row
from .run import Broken

PEERS = Path(__file__).parents[1]
ROOT = PEERS.parents[1]
RECIPE = ROOT / "scripts" / "golf" / "recipe.toml"
SCHEMA = ROOT / "scripts" / "golf" / "schema.toml"
TABLE = "player_round_stats_pga_with_sg_data"
ASKED = {
    "sg_total": 2.1,
    "driving_dist": 291.4,
    "driving_acc": 0.64,
    "gir": 0.72,
    "scrambling": 0.6,
    "prox_rgh": 41.2,
    "prox_fw": 29.8,
    "great_shots": 4,
    "poor_shots": 2,
}


@dataclass
class Bench:
    """One run of scripts/bench."""

    work: Path  # for what is read and written
    programs: Path  # ours
    python: Path  # of the venv
    runs: int
    quick: bool
    unreached: list = field(default_factory=list)

    def __post_init__(self):
        keep = {
            name: os.environ[name]
            for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "LANG"]
            if name in os.environ
        }
        # Only what is set here: a variable of somebody's session must not lead a program elsewhere.
        self.env = {**keep, "PATH": f"{self.programs}:{self.python.parent}:{os.environ['PATH']}"}

    def ours(self, name):
        return self.programs / name

    def peer(self, script):
        """The command that runs a Python peer."""
        return [self.python, PEERS / script]

    def program(self, name):
        """A peer's program, or None; then the report says that it is missing."""
        found = self.find(name)
        sentence = f"{name} is not installed (scripts/bench installs it; see its messages)"
        if not found and sentence not in self.unreached:
            self.unreached.append(sentence)
        return found

    def find(self, name):
        """Where a program is, or None."""
        return shutil.which(name, path=self.env["PATH"])

    def folder(self, name):
        """A new, empty folder."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def failures(self, job, variants):
        """Notes what did not run; variants that did are measured all the same."""
        for variant in variants:
            if variant.failure:
                self.unreached.append(f"{job}: {variant.name}: {variant.failure}")

    def call(self, *command, stdin=None, stdout=None, env=None):
        """Something that is not measured."""
        with open(stdin or "/dev/null", "rb") as source, open(stdout or "/dev/null", "wb") as target:
            done = subprocess.run(
                list(map(str, command)),
                stdin=source,
                stdout=target,
                stderr=subprocess.PIPE,
                env=env or self.env,
                check=False,
            )
        if done.returncode != 0:
            raise Broken(
                f"{Path(str(command[0])).name}: {done.stderr.decode(errors='replace').strip()[-400:]}"
            )

    @contextmanager
    def replay(self, answers):
        """The loopback server that answers like DataGolf; gives the environment that dg-fetch needs."""
        command = [self.ours("datagolf-replay"), "--answers", answers, "--until-stdin-closes"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield {
                **self.env,
                "DATAGOLF_BASE_URL": server.stdout.readline().strip(),
                "DATAGOLF_API_KEY": "replay",
            }
        finally:
            server.stdin.close()
            server.wait()


def beside(job, ours, peer, theirs, rule, goal, memory_goal=None, note=""):
    """A row of the report from two variants; `theirs` is None where the peer is not there."""
    peers = theirs.seconds if theirs else None
    return Row(job, peer, rule, goal, ours.seconds, peers, ours.peak, memory_goal, note)


def without_start(row, peer):
    """The same row beside what a Python peer takes without its start and imports; for information."""
    if not peer or not peer.done:
        return []
    name = f"{row.peer}, without start and imports"
    return [replace(row, peer=name, goal=None, peers=peer.inner, memory_goal=None, note="")]


def asked_csv(path):
    """The one round that every server and quick start is asked about, as `predict` takes it."""
    path.write_text(",".join(ASKED) + "\n" + ",".join(map(json.dumps, ASKED.values())) + "\n")
