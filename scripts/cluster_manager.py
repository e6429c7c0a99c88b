"""A miniature cluster manager: checks real resources of this machine, and logs every check in a logstore.

It looks after an address, a process and a service, kills the service's process in the middle, notices,
and starts it again. It adds no address, and ends by process id only what it started.
"""

import argparse
import http.client
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from logstore import LogStore

ADDRESS: Final = "127.0.0.42"
RESTART_AFTER: Final = 3
"""Failed checks in a row: one missed beat is no fault yet."""


class Failed(Exception):
    """A check found that something does not work."""


class Address:
    """An address of this machine; on Linux all of 127.0.0.0/8 is on loopback."""

    name = "p_vip"

    def check(self) -> str:
        """Return what is well; raise Failed."""
        with socket.socket() as probe:
            try:
                probe.bind((ADDRESS, 0))
            except OSError as error:
                raise Failed(f"address {ADDRESS} is not on this machine: {error.strerror}") from error
        return f"address {ADDRESS} is here"

    def start(self) -> str:
        """Do nothing: only root may add an address."""
        return "nothing to start"

    def stop(self) -> None:
        """Leave the address as it is."""


class Process:
    """A process that is started here."""

    name = "p_worker"

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it, and say what was started."""
        self._process = self.spawn("sleep", "3600")
        return f"started process {self._process.pid}"

    def check(self) -> str:
        """Return what is well; raise Failed."""
        status = self.process.poll()
        if status is not None:
            raise Failed(f"process is gone: {_ended(status)}")
        return "process is running"

    def kill(self) -> str:
        """Do what a fault does, and say so."""
        self.process.kill()
        return f"kill -9 {self.process.pid}"

    def stop(self) -> None:
        """End it, if it was started."""
        if self._process is not None:
            with self._process:  # closes its pipe and waits for it
                self._process.kill()

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process, once it was started."""
        assert self._process is not None
        return self._process

    @staticmethod
    def spawn(*command: str) -> subprocess.Popen[str]:
        """Start a command, with its output in a pipe."""
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


class Service(Process):
    """A web server on a free port of the address."""

    name = "p_web"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self._port = 0

    def start(self) -> str:
        """Start it, wait until it listens, and say where."""
        self.stop()
        where = ("--bind", ADDRESS, "--directory", self._folder)
        self._process = self.spawn(sys.executable, "-u", "-m", "http.server", *where, "0")
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()  # Serving HTTP on 127.0.0.42 port 40123 (...) ...
        if " port " not in answer:
            sys.exit(
                f"no web server starts on {ADDRESS}: try `{sys.executable} -m http.server --bind {ADDRESS}`"
            )
        self._port = int(answer.partition(" port ")[2].split()[0])
        return f"started process {self._process.pid}, port {self._port}"

    def check(self) -> str:
        """Ask it for a page."""
        connection = http.client.HTTPConnection(ADDRESS, self._port, timeout=1)
        try:
            connection.request("HEAD", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise Failed(f"service does not answer: {why}") from error
        finally:
            connection.close()
        return f"service answers: HTTP {status}"


class Manager:
    """Checks its resources in turn and logs what it finds; a check that failed too often is a restart."""

    def __init__(self, store: LogStore, resources: Sequence[Address | Process]) -> None:
        self.records = 0
        self.checks = 0
        self._store = store
        self._resources = resources
        self._host = socket.gethostname()
        self._failures = dict.fromkeys((resource.name for resource in resources), 0)

    def start(self) -> None:
        """Start all resources."""
        for resource in self._resources:
            self._event(resource, resource.start())

    def check(self) -> None:
        """Check all resources once."""
        for resource in self._resources:
            self.checks += 1
            try:
                self._log(resource, resource.check(), level="info")
            except Failed as error:
                self._failed(resource, str(error))
            else:
                self._failures[resource.name] = 0

    def _failed(self, resource: Address | Process, what: str) -> None:
        count = self._log(resource, what, level="error")
        if count == 1:
            say(f"{resource.name}: ERROR {what}")
        self._failures[resource.name] += 1
        if self._failures[resource.name] == RESTART_AFTER:
            self._failures[resource.name] = 0
            self._event(resource, resource.start())

    def _event(self, resource: Address | Process, detail: str) -> None:
        say(f"{resource.name}: {detail}")
        self._log(resource, "start", level="notice", detail=detail)

    def _log(self, resource: Address | Process, message: str, *, level: str, detail: str = "") -> int:
        """Log durably; what differs each time (process id, port) is an attribute, not part of the message."""
        self.records += 1
        source = f"{self._host}/{resource.name}"
        attributes = {"detail": detail} if detail else None
        return self._store.log(message, level=level, source=source, attributes=attributes)


def run(manager: Manager, service: Service, seconds: float, interval: float) -> None:
    """Check every `interval` for so many seconds, with a fault in the middle."""
    began = time.monotonic()
    to_kill = True
    while (elapsed := time.monotonic() - began) < seconds:
        manager.check()
        if to_kill and elapsed > seconds / 2:
            to_kill = False
            say(f"fault: {service.kill()} ({service.name})")
        time.sleep(interval)


def say(what: str) -> None:
    """Print an event."""
    print(time.strftime("%H:%M:%S"), what, flush=True)


def _ended(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"ended with {status}"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("db", help="the store")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long it runs (8)")
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between two checks (0.2)")
    parser.add_argument("--window", type=float, default=2.0, help="the store's window in seconds (2)")
    return parser.parse_args(arguments)


def main() -> None:
    """Start the resources, look after them, and end them whatever happens."""
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    with ExitStack() as stack:
        # auto_sweep=False: the demo shows the sweep as a step of its own.
        store = stack.enter_context(LogStore(options.db, window=options.window, auto_sweep=False))
        service = Service(stack.enter_context(tempfile.TemporaryDirectory()))
        resources = (Address(), Process(), service)
        for resource in resources:
            stack.callback(resource.stop)
        manager = Manager(store, resources)
        manager.start()
        run(manager, service, options.seconds, options.interval)
        say(f"{manager.checks} checks and {manager.records - manager.checks} starts logged")


if __name__ == "__main__":
    main()
