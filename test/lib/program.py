"""A program that a test starts, waits for, and ends: Program, the base of each server's class."""

import http.client
import os
import signal
import subprocess

from wait import wait_for


class Program:
    """A process that is started by launch(), as often as one likes; what it prints is added to log_path."""

    def __init__(self, log_path, environment=None):
        self.log_path = log_path
        self.environment = {**os.environ, **(environment or {})}
        self.prefix = []            # of the command
        self.process = None

    def launch(self, *command, directory=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, cwd=directory)

    def wait_until(self, answers, seconds):
        """Waits for an answer that is true; nobody who listens is no answer yet, and no error."""
        def answered():
            assert self.process.poll() is None, f"{self.process.args} has ended: {self.log()[-2000:]}"
            try:
                return answers()
            except (OSError, http.client.HTTPException):
                return False
        return wait_for(answered, seconds, lambda: f"the start of {self.process.args}, which says {self.log()[-2000:]},")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        """Asks it to end, and waits; the status that it ends with, if it was there."""
        if not self.runs():
            return None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.process.wait(20)

    def end(self):
        """Stops it, and kills it when it does not stop."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
