"""How a desk says that it failed, when what it has to say is no text: it is kept, and written down, all the same."""

from pathlib import Path

import pytest

from frontdesk import places
from frontdesk.agent.shell.desk_log import write_down
from frontdesk.agent.shell.desk_run import DeskRun
from frontdesk.agent.shell.store import Store


@pytest.mark.contract("L06")
def test_a_reason_that_names_a_file_whose_name_is_no_text_reaches_the_next_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path))
    error = RuntimeError("no such file: \udcff")
    store = Store(tmp_path / "desk.sqlite3", 1000.0)
    first = DeskRun(store, "boot")
    first.begin(1.0)
    first.failed(error, 2.0)
    second = DeskRun(store, "boot")
    for _, key, value in store.saved():
        second.restore(key, value)
    second.begin(3.0)
    assert second.before is not None and second.before.what == "failed" and "\\udcff" in second.before.text
    store.close()
    write_down(error)
    assert "no such file: \\udcff" in places.log_file("desk").read_text()
