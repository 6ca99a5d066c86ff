"""Makes the picture of the dashboard over two hosts: a trial whose host is killed goes on on the other one.

`python docs/screenshots/two_hosts.py`, as root and with `ftsweep[ray,dashboard]`; the hosts are namespaces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tests" / "cluster"))

from make_screenshots import IMAGES
from pages import chromium, opened, served
from PIL import Image
from ray_hosts import RayHosts

from ftsweep.store.folders import Store, StudyFolder

STUDY = "quickstart"
_IMAGE = IMAGES / "dashboard-two-hosts.png"
_FTSWEEP = [sys.executable, "-m", "ftsweep.cli.main"]
_SETTLING_SECONDS = 3.0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fp-", dir="/tmp") as name:
        work = Path(name)
        hosts = RayHosts(hidden=work)
        try:
            for host in ("one", "two"):
                hosts.add(host)
                hosts.wait(host)
            words = ["run", STUDY, "executor=ray", f"executor.address={hosts.address}", "executor.threads=1"]
            environment = {**os.environ, **hosts.environment}
            with subprocess.Popen([*_FTSWEEP, *words, "pruner=none"], cwd=work, env=environment) as study:
                take(hosts, work, study)
                study.terminate()
        finally:
            hosts.close()


def take(hosts: RayHosts, work: Path, study: subprocess.Popen[bytes]) -> None:
    folder = Store(work / "mlruns").study(STUDY)
    number = until(study, lambda: trial_on(folder, "one", num_rungs=2))
    hosts.kill("one")
    log = folder.trial(number).log_file
    until(study, lambda: log.read_text(encoding="utf-8").count("begins (train)") == 2 or None)
    until(study, lambda: len(folder.trial(number).measurements()) > 3 or None)
    with chromium() as browser, served([*_FTSWEEP, "dashboard"], work, r"(http://\S+)") as link:
        base, _, token = link.partition("/?")
        page = opened(browser, link, width=1100)
        page.goto(f"{base}/study/{STUDY}/trial/{number}?{token}")
        page.wait_for_selector("#trial-curves .main-svg")
        page.wait_for_selector("text=End of its log")
        page.add_style_tag(content="pre { max-height: none !important }")  # a picture cannot be scrolled
        time.sleep(_SETTLING_SECONDS)
        page.screenshot(path=_IMAGE, full_page=True)
    with Image.open(_IMAGE) as whole:
        whole.quantize(64).save(_IMAGE, optimize=True)


def trial_on(folder: StudyFolder, host: str, *, num_rungs: int) -> int | None:
    """A trial under way there that has some rungs behind it; not the first, which is compared with the others."""
    for trial in folder.trials()[1:]:
        begun = trial.log_file.exists() and f"on host {host}" in trial.log_file.read_text(encoding="utf-8")
        if begun and not trial.outcome_file.exists() and len(trial.measurements()) == num_rungs:
            return int(trial.path.name)
    return None


def until(study: subprocess.Popen[bytes], found: Callable[[], Any]) -> Any:
    """What is found, once it is, while the study runs."""
    while (answer := found()) is None:
        assert study.poll() is None, "the study has ended"
        time.sleep(0.2)
    return answer


if __name__ == "__main__":
    main()
