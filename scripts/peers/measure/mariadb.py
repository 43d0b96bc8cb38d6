"""A private MariaDB server, gone with the bench."""

import getpass
import socket
import subprocess
import time
from contextlib import contextmanager

from .bench import SCHEMA, TABLE
from .run import Broken
from .server import WITH_US

DATABASE = "bench"
READY_SECONDS = 60

# As db-load makes it; used for the peers where this build of db-load knows no MySQL.
CREATE = f"""CREATE TABLE {TABLE} (tour VARCHAR(16) NOT NULL, year BIGINT NOT NULL, season BIGINT,
event_completed TEXT, event_name TEXT, event_id BIGINT NOT NULL, player_name TEXT, dg_id BIGINT NOT NULL,
fin_text TEXT, round_num BIGINT NOT NULL, course_name TEXT, course_num BIGINT, course_par BIGINT, start_hole BIGINT,
teetime TEXT, round_score BIGINT, sg_putt DOUBLE, sg_arg DOUBLE, sg_app DOUBLE, sg_ott DOUBLE, sg_t2g DOUBLE,
sg_total DOUBLE, driving_dist DOUBLE, driving_acc DOUBLE, gir DOUBLE, scrambling DOUBLE, prox_rgh DOUBLE,
prox_fw DOUBLE, great_shots BIGINT, poor_shots BIGINT, eagles_or_better BIGINT, birdies BIGINT, pars BIGINT,
bogies BIGINT, doubles_or_worse BIGINT, PRIMARY KEY (tour, year, event_id, dg_id, round_num))
ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"""


class Server:
    """A running server; its one user is root, without a password, from this machine."""

    def __init__(self, bench, port):
        self.bench, self.port = bench, port
        self.url = f"mysql://root@127.0.0.1:{port}/{DATABASE}"
        self.sqlalchemy = f"mysql+pymysql://root@127.0.0.1:{port}/{DATABASE}?charset=utf8mb4"

    def client(self, *options):
        """The mariadb client's command."""
        return [
            "mariadb",
            "--no-defaults",
            "--host=127.0.0.1",
            f"--port={self.port}",
            "--user=root",
            "--default-character-set=utf8mb4",
            *options,
        ]

    def ask(self, sql, database=DATABASE):
        """The answer, as text."""
        done = subprocess.run(
            [*self.client("--batch", "--skip-column-names"), f"--execute={sql}", database],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Broken(f"mariadb: {done.stderr.strip()}")
        return done.stdout.strip()

    def empty_table(self):
        """The database with empty tables, as db-load makes them; or as we think that it will."""
        self.ask(
            f"DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4", "mysql"
        )
        try:
            self.bench.call(self.bench.ours("db-load"), "partitions", "--db", self.url, "--schema", SCHEMA, "/dev/null")
        except Broken:
            self.ask(CREATE)

    def content(self):
        """A number that is the same for the same rows."""
        return self.ask(f"SELECT COUNT(*) FROM {TABLE}; CHECKSUM TABLE {TABLE}")


@contextmanager
def server(bench, name, *options):
    """Starts a server with its usual durability (a commit survives a power cut), and ends it."""
    folder = bench.folder(name)
    as_root = ["--user=root"] if getpass.getuser() == "root" else []
    bench.call(
        "mysql_install_db",
        "--no-defaults",
        f"--datadir={folder}/data",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        *as_root,
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            *WITH_US,
            "mariadbd",
            "--no-defaults",
            f"--datadir={folder}/data",
            f"--socket={folder}/s",
            f"--pid-file={folder}/pid",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=512M",
            "--innodb-log-file-size=512M",
            "--innodb-flush-log-at-trx-commit=1",
            *as_root,
            *options,
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        running, deadline = Server(bench, port), time.monotonic() + READY_SECONDS
        while True:
            try:
                running.ask("SELECT 1", "mysql")
                break
            except Broken as broken:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Broken(f"mariadbd did not start: see {folder}/log") from broken
                time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait()
        log.close()
