"""A server that is killed while many answer has kept all that it acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from foleycli.survey.responses import collect_responses
from foleycli.survey.study import Study, read_study

Build = Callable[..., Path]


class Crowd:
    """Fifty participants who send their pages one by one, at once, until the server is gone."""

    def __init__(self, study: Study, make: Callable[[int, int], dict[str, Any]]) -> None:
        self.study, self.make = study, make
        self.kept: list[str] = []
        self.sent = 0
        self.lock = threading.Lock()
        self.enough = threading.Event()

    def come(self, round_: int, port: int) -> list[threading.Thread]:
        self.enough.clear()
        wanted = len(self.kept) + 60
        threads = [
            threading.Thread(target=self._take, args=(round_, rater, port, wanted))
            for rater in range(50)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _take(self, round_: int, rater: int, port: int, wanted: int) -> None:
        whole = self.make(round_, rater)
        for number, trial in enumerate(whole["trials"]):
            body = json.dumps(whole | {"trials": [trial], "number": number})
            with self.lock:
                self.sent += 1
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as line:
                    headers = {"Content-Type": "application/json"}
                    line.request("POST", "/responses", body, headers)
                    answer = line.getresponse()
                    if answer.status != 200 or not json.loads(answer.read())["kept"]:
                        continue
            except (OSError, http.client.HTTPException, ValueError):
                return
            with self.lock:
                self.kept.append(body)
                if len(self.kept) >= wanted:
                    self.enough.set()


def test_every_acknowledged_answer_survives_a_kill(
    build: Build, tmp_path: Path, respond: Any, honest: Any
) -> None:
    pack = build()
    study = read_study(pack, pack.with_name("pack.key.csv"))
    database = tmp_path / "answers.sqlite"
    command = [sys.executable, "-m", "foleycli", "survey-pack", "serve", str(pack)]
    command += ["--port", "0", "--db", str(database)]

    def make(round_: int, rater: int) -> dict[str, Any]:
        plan = study.plans[rater % len(study.plans)]
        answer: dict[str, Any] = respond(study, plan, honest, f"{round_}-{rater}")
        return answer

    crowd = Crowd(study, make)
    for round_, kill in enumerate((True, True, False)):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout
            port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
            threads = crowd.come(round_, port)
            if kill:
                assert crowd.enough.wait(60)
                os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(60)
            if not kill:
                process.send_signal(signal.SIGINT)
            assert process.wait(30) == (-signal.SIGKILL if kill else 0)
    assert 120 <= len(crowd.kept) < crowd.sent
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = {body for (body,) in opened.execute("SELECT body FROM responses")}
    assert set(crowd.kept) <= found
    assert collect_responses([database], study).refusals == ()
