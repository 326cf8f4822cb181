"""What apps in the background use: measured only there, and who uses too much is stopped with a receipt (L08, L09)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.consumption import LOOKS, Consumption
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import ContinuedTask, Manifest, ProcessingTask, Receipt, StopReason, WakeReason
from tests.frontdesk.agent.core.core_driver import NOTES, T0, Driver, in_front, of_type

APP = NOTES.id
MIB = 2**20
LONG = Limits(background=3600.0)
PROCESS = do.Process(7, 1, launched=True, token="t")


class Busy:
    """An app in front of the desk's core that uses so much of a processor core, measured whenever the core asks."""

    def __init__(self, driver: Driver, share: float, memory: int | None = 40 * MIB) -> None:
        self.driver, self.share, self.memory = driver, share, memory
        self.cpu, self.measured_at, self.measured = 100.0, driver.now, 0

    def runs(self, seconds: float) -> None:
        """Time passes in small steps; each question of the core is answered when it comes."""
        until = self.driver.now + seconds
        while self.driver.now < until:
            step = max(0.0, min(until, self.driver.desk.next_wake() or until) - self.driver.now)
            for asked in of_type(do.Measure, self.driver.pass_time(step)):
                self.answers(asked)

    def answers(self, asked: do.Measure) -> None:
        self.cpu += self.share * (self.driver.now - self.measured_at)
        self.measured_at, self.measured = self.driver.now, self.measured + 1
        self.driver.handle(ev.Consumed(asked.app, asked.process.pid, self.cpu, self.memory))


def unseen(limits: Limits = LONG, memory: dict[str, int] | None = None) -> Driver:
    """An app that holds a background task and that nobody sees."""
    driver = Driver(NOTES, limits=limits, memory=memory)
    driver.open(APP)
    driver.begin(APP, 1)
    driver.sleep(APP)
    return driver


def receipt(driver: Driver) -> Receipt:
    (only,) = driver.receipts
    return only


# --- processor (L08) --------------------------------------------------------------------------------------------------


@pytest.mark.contract("L05", "L08")
def test_more_than_four_fifths_of_a_core_over_a_minute_stops_it() -> None:
    driver = unseen()
    Busy(driver, 0.9).runs(70)
    stopped = receipt(driver)
    assert (stopped.reason, stopped.limit) == (StopReason.CPU_EXCEEDED, 0.8)
    assert 55 <= stopped.at - T0 <= 66
    assert stopped.used is not None and 0.8 < stopped.used <= 0.9
    assert stopped.measured.startswith("limit 80 % of a core, used 90 %")


@pytest.mark.contract("L08")
def test_less_than_that_is_left_alone_for_ever() -> None:
    driver = unseen()
    Busy(driver, 0.79).runs(1800)
    assert driver.receipts == []


@pytest.mark.contract("L08")
def test_a_burst_is_no_offence_and_four_cores_at_once_are_one_within_the_minute() -> None:
    driver = unseen()
    app = Busy(driver, 4.0)
    app.runs(10)
    app.share = 0.0
    app.runs(120)
    assert driver.receipts == []
    app.share = 4.0
    app.runs(30)
    assert receipt(driver).reason is StopReason.CPU_EXCEEDED


@pytest.mark.contract("L08")
@given(st.floats(0.001, 0.2), st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0]), min_size=12, max_size=60))
def test_whoever_is_stopped_had_used_too_much_and_whoever_used_too_much_is_stopped(
    late: float, shares: list[float]
) -> None:
    """Each number is the share over one measurement's time; answers come late by a little."""
    limits = Limits()
    machine = Consumption(limits, lambda app: PROCESS, {})
    machine.handle(ev.LeftForeground(APP), 0.0)
    now, cpu = 0.0, 0.0
    history = []
    for share in [0.0, *shares]:
        at = machine.next_wake()
        assert at is not None and at >= now
        cpu += share * (at + late - now)
        now = at + late
        assert machine.handle(ev.TimePassed(), now) == [do.Measure(APP, PROCESS)]
        assert machine.next_wake() is None, "the answer is due: nothing to wake up for"
        history.append((now, cpu))
        stops = machine.handle(ev.Consumed(APP, PROCESS.pid, cpu, MIB), now)
        worst = max((cpu - used) / max(limits.cpu_window, now - since) for since, used in history)
        if stops:
            assert worst > limits.cpu_share
            return
        minute = [(cpu - used) / (now - since) for since, used in history if now - since >= limits.cpu_window][-1:]
        assert all(each <= limits.cpu_share for each in minute), "over a whole minute, and not stopped"


@pytest.mark.contract("L08")
def test_in_front_and_asleep_nothing_is_measured() -> None:
    driver = in_front()
    assert of_type(do.Measure, driver.pass_time(600)) == []
    driver.sleep(APP)
    assert of_type(do.Measure, driver.pass_time(500)) == []


@pytest.mark.contract("L08")
def test_coming_to_the_background_again_begins_the_window_anew() -> None:
    driver = unseen()
    app = Busy(driver, 0.95)
    for _ in range(5):
        app.runs(45)
        driver.to_front(APP)
        app.runs(600)
        driver.sleep(APP)
    assert driver.receipts == []
    app.runs(70)
    assert receipt(driver).reason is StopReason.CPU_EXCEEDED


@pytest.mark.contract("L08")
def test_a_glance_at_it_is_enough_for_that() -> None:
    driver = unseen()
    app = Busy(driver, 0.95)
    for _ in range(5):
        app.runs(45)
        driver.to_front(APP)
        driver.pass_time(1)
        driver.sleep(APP)
    assert driver.receipts == []


@pytest.mark.contract("L08")
def test_while_it_may_use_all_it_may_and_afterwards_the_window_begins_anew() -> None:
    machine = Consumption(Limits(), lambda app: PROCESS, {})
    machine.handle(ev.FreeOfCpuLimit(APP, "scheduled", on=True), 0.0)
    machine.handle(ev.Awake(APP, WakeReason.SCHEDULED, fresh=True), 0.0)
    now = 0.0
    stopped_at = None
    while now < 400 and stopped_at is None:
        at = machine.next_wake()
        assert at is not None
        if now < 200 <= at:
            machine.handle(ev.FreeOfCpuLimit(APP, "scheduled", on=False), 200.0)
        now = at
        machine.handle(ev.TimePassed(), now)
        stopped_at = now if machine.handle(ev.Consumed(APP, PROCESS.pid, now, MIB), now) else None
    assert stopped_at is not None and 248 <= stopped_at <= 271


@pytest.mark.contract("L08")
def test_it_may_use_all_while_any_of_its_work_lets_it() -> None:
    machine = Consumption(Limits(), lambda app: PROCESS, {})
    machine.handle(ev.Awake(APP, WakeReason.SCHEDULED, fresh=True), 0.0)

    def is_stopped(begin: float) -> bool:
        """Busy for two minutes."""
        used = [ev.Consumed(APP, PROCESS.pid, begin + second, MIB) for second in range(0, 120, 10)]
        return any(machine.handle(each, begin + second) for each, second in zip(used, range(0, 120, 10), strict=True))

    for by in ("scheduled", "continued"):
        machine.handle(ev.FreeOfCpuLimit(APP, by, on=True), 0.0)
    assert not is_stopped(0.0)
    machine.handle(ev.FreeOfCpuLimit(APP, "scheduled", on=False), 200.0)
    assert not is_stopped(200.0)
    machine.handle(ev.FreeOfCpuLimit(APP, "continued", on=False), 400.0)
    assert is_stopped(400.0)


@pytest.mark.contract("L08")
@pytest.mark.parametrize("dies", ["nobody", "desk", "connection"])
def test_a_continued_task_may_use_all_of_a_core_for_as_long_as_it_runs(dies: str) -> None:
    films = Manifest("org.example.films", "Films", ("films",), background=("continued",), tasks=("export",))
    driver = Driver(films, limits=LONG)
    driver.open(films.id)
    driver.submit(films.id, ContinuedTask("export", title="Export"))
    (run,) = driver.processes[films.id].runs
    driver.begin(films.id, 1)
    driver.sleep(films.id)
    if dies == "desk":
        driver.desk_dies()
        driver.connect(films.id)
    elif dies == "connection":
        driver.drop_connection(films.id)
        driver.connect(films.id)
    app = Busy(driver, 1.0)
    for percent in range(10):
        driver.handle(ev.ProgressTold(films.id, run, float(percent), 100.0, "", ""))
        app.runs(30)
    assert driver.receipts == []
    driver.complete(films.id, "export")
    app.runs(30)
    assert driver.receipts == [], "the window begins anew"
    app.runs(50)
    assert driver.reasons(films.id) == [StopReason.CPU_EXCEEDED]


@pytest.mark.contract("L08")
@pytest.mark.parametrize("power", [True, False])
@pytest.mark.parametrize("desk_dies", [True, False])
def test_processing_on_external_power_may_use_all_of_a_core_and_any_other_may_not(power: bool, desk_dies: bool) -> None:
    upkeep = Manifest("org.example.album", "Album", ("album",), background=("processing",), tasks=("sort",))
    driver = Driver(upkeep)
    driver.submit(upkeep.id, ProcessingTask("sort", requires_external_power=power))
    driver.connect(upkeep.id)
    if desk_dies:
        driver.desk_dies()
        driver.connect(upkeep.id)
    assert driver.at_work(upkeep.id) == ["sort"]
    Busy(driver, 1.0).runs(300)
    assert driver.reasons(upkeep.id)[:1] == ([] if power else [StopReason.CPU_EXCEEDED])


@pytest.mark.contract("L08")
def test_a_night_asleep_is_not_counted_as_time_in_which_it_used_little() -> None:
    """A sleep of the machine neither helps nor harms: 50 s awake at full speed, a night, 10 s more."""
    driver = unseen()
    app = Busy(driver, 1.0)
    app.runs(40)
    driver.now += 8 * 3600.0
    app.measured_at += 8 * 3600.0
    driver.handle(ev.MachineSlept(8 * 3600.0))
    app.runs(25)
    stopped = receipt(driver)
    assert stopped.reason is StopReason.CPU_EXCEEDED
    assert stopped.used is not None and 0.8 < stopped.used < 1.1


@pytest.mark.contract("L08")
def test_what_cannot_be_told_stops_nobody() -> None:
    driver = unseen()
    for asked in of_type(do.Measure, driver.pass_time(5)):
        driver.handle(ev.Consumed(APP, asked.process.pid, None, None))
    driver.pass_time(100)
    assert driver.receipts == []


def test_an_answer_about_an_earlier_process_is_no_answer() -> None:
    driver = unseen()
    (asked,) = of_type(do.Measure, driver.pass_time(5))
    driver.handle(ev.Consumed(APP, asked.process.pid + 1, 0.0, 10**12))
    assert driver.receipts == []


@pytest.mark.contract("L08")
def test_it_is_measured_six_times_a_window_and_not_at_all_for_a_moment_of_work() -> None:
    assert unseen(Limits(cpu_window=6.0)).desk.next_wake() == T0 + 1.0, "five seconds or less: the first look"
    driver = unseen()
    app = Busy(driver, 0.1)
    app.runs(600)
    assert 10 * LOOKS - 1 <= app.measured <= 10 * LOOKS
    driver.to_front(APP)
    driver.end(APP, 1)
    driver.close(APP)
    driver.pass_time(4)
    assert of_type(do.Measure, driver.ready(APP) + driver.pass_time(60)) == []


# --- memory (L09) -----------------------------------------------------------------------------------------------------


@pytest.mark.contract("L05", "L09")
def test_more_than_512_mib_stops_it() -> None:
    driver = unseen()
    app = Busy(driver, 0.0, memory=512 * MIB)
    app.runs(60)
    assert driver.receipts == []
    app.memory = 512 * MIB + 1
    app.runs(11)
    stopped = receipt(driver)
    assert (stopped.reason, stopped.limit, stopped.used) == (StopReason.MEMORY_EXCEEDED, 512 * MIB, 512 * MIB + 1)
    assert stopped.measured == "limit 512 MiB, used 512 MiB"


@pytest.mark.contract("L09")
def test_when_memory_is_short_it_is_measured_at_once() -> None:
    driver = unseen()
    app = Busy(driver, 0.0)
    app.runs(6)
    (asked,) = of_type(do.Measure, driver.handle(ev.MemoryShort()))
    assert of_type(do.Measure, driver.handle(ev.MemoryShort())) == [], "the answer is on its way"
    app.memory = 10**12
    app.answers(asked)
    assert receipt(driver).reason is StopReason.MEMORY_EXCEEDED
    assert of_type(do.Measure, in_front().handle(ev.MemoryShort())) == []


@pytest.mark.contract("L09")
def test_the_person_can_allow_an_app_more_or_less() -> None:
    more, less = (unseen(memory={APP: most * MIB}) for most in (768, 64))
    Busy(more, 0.0, memory=700 * MIB).runs(60)
    assert more.receipts == []
    Busy(less, 0.0, memory=65 * MIB).runs(60)
    assert receipt(less).limit == 64 * MIB


@pytest.mark.contract("L09")
def test_it_has_five_seconds_to_let_go_of_what_it_used_in_front_and_in_front_it_may_use_all() -> None:
    driver = in_front()
    Busy(driver, 1.0, memory=10**12).runs(600)
    assert driver.receipts == []
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(4.9)
    assert driver.receipts == []
    (asked,) = of_type(do.Measure, driver.pass_time(0.1))
    driver.handle(ev.Consumed(APP, asked.process.pid, 0.0, 10**12))
    assert receipt(driver).reason is StopReason.MEMORY_EXCEEDED


@pytest.mark.contract("L09")
def test_a_night_asleep_is_not_counted_as_time_in_which_it_could_have_let_go() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(2)
    (asked,) = of_type(do.Measure, driver.machine_sleeps(8 * 3600.0))
    driver.handle(ev.Consumed(APP, asked.process.pid, 0.0, 10**12))
    assert driver.receipts == []
    (asked,) = of_type(do.Measure, driver.pass_time(10))
    driver.handle(ev.Consumed(APP, asked.process.pid, 0.0, 10**12))
    assert receipt(driver).reason is StopReason.MEMORY_EXCEEDED
