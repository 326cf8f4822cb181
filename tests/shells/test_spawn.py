"""Starting a program: what it inherits."""

import json
import subprocess
import sys
from pathlib import Path

STARTER = """
import os, resource, sys
from frontdesk.agent.shell.spawn import spawn
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
null = os.open(os.devnull, os.O_RDONLY)
for high in (200, 4000):
    os.dup2(null, high, inheritable=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
pid = spawn([sys.executable, "-c", sys.argv[1], sys.argv[2]], dict(os.environ), passed=[null])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
LOOK = """
import json, os, sys
open_ones = [fd for fd in range(5000) if os.path.exists(f"/proc/self/fd/{fd}")]
with open(sys.argv[1], "w") as file:
    json.dump(open_ones, file)
"""


def test_nothing_is_inherited_but_what_is_named_however_high_its_number(tmp_path: Path) -> None:
    told = tmp_path / "told"
    subprocess.run([sys.executable, "-c", STARTER, LOOK, str(told)], check=True, timeout=30)
    assert json.loads(told.read_text()) == [0, 1, 2, 3]
