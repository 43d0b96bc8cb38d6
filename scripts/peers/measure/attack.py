"""What a few clients that never finish do to a server: why predictd is not built on tiny_http."""

import resource
import socket
import time
from contextlib import suppress

from .run import Broken
from .server import serving

# tiny.rs has so many workers.
WORKERS = 4
HALF = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    + b" " * 2500
)
IDLE = 3000
# So many files the server may have open in the last treatment.
FILES = 64


def attack(bench, model):
    """Rows of a table: the treatment, and what became of tiny_http and of predictd."""
    wait = 5 if bench.quick else 20
    servers = {
        "tiny_http": [bench.ours("examples/tiny")],
        "predictd": [
            bench.ours("predictd"),
            "--model",
            model,
            "--listen",
            "127.0.0.1:0",
            "--max-connections",
            "4096",
        ],
    }
    found = {}
    for name, command in servers.items():
        try:
            with serving(command, bench.env) as running:
                threads = running.status("Threads")
                found[name] = [half_sent(running, wait), *idle(running, threads)]
            with serving(
                ["bash", "-c", f'ulimit -n {FILES}; exec "$@"', "few", *command], bench.env
            ) as running:
                found[name].append(all_files(running))
        except (Broken, OSError) as broken:
            bench.unreached.append(f"clients that do not finish: {name}: {broken}")
            found[name] = [*found.get(name, []), *["not measured"] * 4][:4]
    treatments = [
        f"{WORKERS} half-sent requests of 5 kB are held open; another client asks, for {wait} s",
        f"{IDLE:,} idle connections: threads",
        f"{IDLE:,} idle connections: another client asks",
        f"more connections than its limit of {FILES} open files, then none; another client asks",
    ]
    return [list(row) for row in zip(treatments, found["tiny_http"], found["predictd"], strict=True)]


def half_sent(running, wait):
    """Asks again and again while the half-sent requests are open."""
    held = [connect(running) for _ in range(WORKERS)]
    for client in held:
        client.sendall(HALF)
    time.sleep(0.5)
    asked, answered, slowest, deadline = 0, 0, 0.0, time.monotonic() + wait
    while time.monotonic() < deadline:
        asked += 1
        started = time.monotonic()
        try:
            running.ask(timeout=max(0.1, deadline - time.monotonic()))
            answered += 1
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.5)
        except OSError:
            pass
    for client in held:
        client.close()
    if answered == 0:
        return f"no answer in {wait} s"
    return f"{answered} of {asked} answered, the slowest within {slowest * 1000:.0f} ms"


def idle(running, before):
    """Threads, and whether one more client is answered."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100
    clients = [connect(running) for _ in range(min(IDLE, most))]
    time.sleep(2)
    threads = running.status("Threads")
    answered = answer(running)
    for client in clients:
        client.close()
    return [f"{threads:,} threads (before: {before})", answered]


def all_files(running):
    """Takes all its file descriptors, so that accept() fails, and gives them back."""
    clients = []
    # A server that has stopped listening by then refuses the rest.
    with suppress(OSError):
        while len(clients) < 2 * FILES:
            clients.append(connect(running))
    time.sleep(1)
    for client in clients:
        client.close()
    time.sleep(1)
    return answer(running)


def answer(running):
    """Whether a client is answered now."""
    started = time.monotonic()
    try:
        running.ask(timeout=5)
        return f"answered within {(time.monotonic() - started) * 1000:.0f} ms"
    except OSError as error:
        return f"no answer: {error}"


def connect(running):
    return socket.create_connection((running.host, running.port), timeout=10)
