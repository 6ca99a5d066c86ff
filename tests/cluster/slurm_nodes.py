"""Two nodes as Slurm gives them, without Slurm: network, mount, pid and UTS namespaces, and a folder that both see.

`sbatch` runs a script on the first node; there `scontrol` and `srun` are stand-ins, which do what the recipe in
docs/cluster.md asks of the real ones. `ray stop` ends what is in its own pid namespace only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from ray_hosts import own_tmp

_ALONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts"]
_HOSTS = {"node1": "10.213.7.1", "node2": "10.213.7.2"}
_SHARED = "/mnt"
_LAUNCHER = """\
#!/bin/bash
set -e
mount --bind {shared} /mnt
mount --bind /mnt/hosts /etc/hosts
{own_tmp}
hostname {name}
while [ ! -e /mnt/up ]; do sleep 0.1; done
ip link set lo up
ip addr add {address}/24 dev {link}
ip link set {link} up
echo > /mnt/{name}.ready
set +e
while :; do bash < /mnt/{name}.fifo; done
"""
_SRUN = """\
#!/bin/bash
# Runs the command on each node, as `srun` of a job with one task a node; ends with the first error.
step=$(mktemp -d /mnt/step.XXXX)
declare -px | grep -E ' (RAY_|SLURM_|HOME|PATH|PYTHONPATH|FTSWEEP_)' > $step/command
{ echo "cd $PWD"; printf '%q ' "$@"; } >> $step/command
for name in node1 node2; do
  echo "bash $step/command > $step/$name.log 2>&1; echo \\$? > $step/$name.code" > /mnt/$name.fifo
done
for name in node1 node2; do
  while [ ! -s $step/$name.code ]; do sleep 0.2; done
done
cat $step/node1.log $step/node2.log
exit $(sort -n $step/*.code | tail -n 1)
"""
_SCONTROL = """\
#!/bin/bash
case "$1 $2" in
  "show hostnames") tr ',' '\\n' <<< "$3" ;;
  "requeue $SLURM_JOB_ID") echo > /mnt/requeued ;;
  *) echo "no stand-in for scontrol $*"; exit 1 ;;
esac
"""


class SlurmNodes:
    """`shared`: the folder that both nodes see, as /mnt; their home is in it."""

    def __init__(self, shared: Path) -> None:
        self.shared = shared
        self._processes: list[subprocess.Popen[bytes]] = []
        self._write("hosts", "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in _HOSTS.items()))
        self._write("home/.ray/auth_token", uuid.uuid4().hex * 2)
        self._write("bin/srun", _SRUN, 0o755)
        self._write("bin/scontrol", _SCONTROL, 0o755)
        for name, module in (("ray", "ray.scripts.scripts"), ("ftsweep", "ftsweep.cli.main")):
            self._write(f"bin/{name}", f'#!/bin/bash\nexec {sys.executable} -m {module} "$@"\n', 0o755)
        for name, address in _HOSTS.items():
            os.mkfifo(shared / f"{name}.fifo")
            text = _LAUNCHER.format(shared=shared, name=name, address=address, link=f"fs-{name}", own_tmp=own_tmp())
            script = self._write(f"{name}.sh", text, 0o755)
            with (shared / f"{name}.log").open("wb") as log:
                self._processes.append(
                    subprocess.Popen([*_ALONE, "bash", str(script)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                )
        self._connect()

    def sbatch(self, script: str, folder: str) -> subprocess.Popen[bytes]:
        """Begin a job; a signal to it is one to the script, as `--signal=B:` says."""
        self._write("job.sh", script)
        inside = {"HOME": f"{_SHARED}/home", "PATH": f"{_SHARED}/bin:{os.environ['PATH']}"}
        job = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": ",".join(_HOSTS), "SLURM_JOB_NUM_NODES": "2"}
        variables = [f"{key}={value}" for key, value in (inside | job).items()]
        command = ["env", "--chdir", f"{_SHARED}/{folder}", *variables, "bash", f"{_SHARED}/job.sh"]
        with (self.shared / "job.log").open("ab") as log:
            return subprocess.Popen([*self._enter(0), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        """To the script of the job."""
        inside = ["pkill", f"-{number.value}", "-f", "^bash /mnt/job.sh$"]
        subprocess.run([*self._enter(0), *inside], check=True)

    def files(self, index: int, pattern: str) -> list[str]:
        """Names on a node's own disk."""
        command = [*self._enter(index), "bash", "-c", f"compgen -G '{pattern}'"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()

    def said(self) -> str:
        """By the job, and by its steps."""
        files = [self.shared / "job.log", *sorted(self.shared.glob("step.*/*.log")), *self.shared.glob("node?.log")]
        return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files if file.exists())

    def close(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
            process.wait(30)

    def _connect(self) -> None:
        """A cable between the two, whose ends appear in them."""
        ends = [f"fs-{name} netns {pid}" for name, pid in zip(_HOSTS, self._pids(), strict=True)]
        words = " type veth peer name ".join(ends)
        subprocess.run(f"ip link add name {words}".split(), check=True)
        self._write("up", "")
        deadline = time.monotonic() + 30
        while not all((self.shared / f"{name}.ready").exists() for name in _HOSTS):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def _pids(self) -> list[int]:
        """The first process inside of each."""
        found = []
        for process in self._processes:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            while not children.read_text(encoding="ascii").split():
                assert process.poll() is None, self.said()
                time.sleep(0.05)
            found.append(int(children.read_text(encoding="ascii").split()[0]))
        return found

    def _enter(self, index: int) -> list[str]:
        return ["nsenter", "--target", str(self._pids()[index]), "--net", "--mount", "--pid", "--uts"]

    def _write(self, name: str, text: str, mode: int = 0o600) -> Path:
        file = self.shared / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        return file
