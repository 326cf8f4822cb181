"""CPU time of a process and all its descendants, as the kernel counts it in /proc."""

from pathlib import Path


def tree(pid: int) -> dict[int, int]:
    """Ticks of CPU time (user and system) spent so far by `pid` and each of its descendants; empty when it is gone."""
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in brackets may hold anything, blanks and brackets too.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
        spent[int(entry.name)] = int(fields[11]) + int(fields[12])
    return {one: ticks for one, ticks in spent.items() if _descends(one, pid, parents)}


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid not in (ancestor, 0):
        pid = parents.get(pid, 0)
    return pid == ancestor
