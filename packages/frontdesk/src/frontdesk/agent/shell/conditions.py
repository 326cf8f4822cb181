"""Where the desk's conditions come from, all together: services of the machine's bus, and what stands in for them."""

import asyncio
import contextlib
from collections.abc import Callable

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.machine.sources import Sources
from frontdesk.agent.shell import power_supply, routes
from frontdesk.agent.shell.clock import Clock
from frontdesk.agent.shell.logind import LOGIND, MachineSleep
from frontdesk.agent.shell.machine_clock import MachineClock
from frontdesk.agent.shell.memory_pressure import MemoryPressure
from frontdesk.agent.shell.network_manager import NETWORK_MANAGER
from frontdesk.agent.shell.power_profiles import POWER_PROFILES, POWER_PROFILES_BEFORE
from frontdesk.agent.shell.power_supply import PowerSupply
from frontdesk.agent.shell.routes import Routes
from frontdesk.agent.shell.service_properties import Facts, ServiceProperties, StandIn
from frontdesk.agent.shell.system_bus import SystemBus
from frontdesk.agent.shell.upower import UPOWER
from frontdesk.terms import Condition

REFRESH = 30.0
"""Seconds at least between two looks at what nobody tells about, while the desk is awake anyway."""
FIRST_LOOK = 0.5
"""Seconds the desk waits at its start for what the machine's services tell; after them it goes on without."""
EASED = 60.0
"""Seconds after the last memory pressure until memory counts as enough again."""

_PRESSURE = "memory pressure"
_ORDER = (
    UPOWER.source,
    power_supply.SOURCE,
    POWER_PROFILES.source,
    POWER_PROFILES_BEFORE.source,
    NETWORK_MANAGER.source,
    routes.SOURCE,
    LOGIND.source,
    _PRESSURE,
)


class MachineConditions:
    """Posts ``ConditionSeen``, ``MemoryShort`` and what is to be known of clocks and sleep."""

    def __init__(self, clock: Clock, post: Callable[[ev.Event], None]) -> None:
        self._post = post
        self._clock = MachineClock(clock, post)
        self._pressure = MemoryPressure(self._memory_short)
        self._eased: asyncio.TimerHandle | None = None
        self._sources = Sources(_ORDER)
        self._power_supply, self._routes = PowerSupply(self._tell), Routes(self._tell)
        self._sleep = MachineSleep(post, self._clock.awake_again)
        self._read = [
            self._service(UPOWER, self._power_supply),
            self._service(POWER_PROFILES),
            self._service(POWER_PROFILES_BEFORE),
            self._service(NETWORK_MANAGER, self._routes),
            self._service(LOGIND),
        ]
        self._bus = SystemBus([*self._read, self._sleep])
        self._next_refresh = 0.0
        self._ending = False
        """What is taken leave of now is no news: unknown counts as met, and something would begin on the way out."""

    def start(self) -> None:
        """Tell what the kernel can tell at once of clocks and memory."""
        self._next_refresh = asyncio.get_running_loop().time() + REFRESH
        self._clock.start()
        if self._pressure.set_trigger():
            self._tell(_PRESSURE, Condition.MEMORY, "ok")

    async def run(self) -> None:
        """Hear the services of the machine's bus, until cancelled."""
        bus = asyncio.ensure_future(self._bus.run())
        try:
            await asyncio.wait([bus])
        finally:
            self._ending = True
            bus.cancel()
            await asyncio.wait([bus])
        bus.result()  # it ends only when it is cancelled, or fails

    async def first_look(self) -> None:
        """Until those that are there have told, or ``FIRST_LOOK`` is over: nothing is to begin at login and be taken
        back at once because the person uses the machine. Who has not told by then has its stand-in tell."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK):
                await self._bus.looked.wait()
                for service in self._read:
                    if self._bus.has(service):
                        await service.read.wait()
        for service in self._read:
            service.not_waited_for()

    def refresh(self) -> None:
        """The desk is awake anyway. Looks at most every ``REFRESH`` seconds."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_refresh:
            self._next_refresh = now + REFRESH
            self._clock.refresh()
            self._power_supply.refresh()
            self._routes.refresh()
            self._bus.refresh()

    def inhibit(self, on: bool, why: str) -> None:
        """Hold off the machine's sleep, or do so no longer. Never waits."""
        self._sleep.inhibit(on, why)

    def close(self) -> None:
        """After ``run`` was cancelled: give back what the kernel holds for us."""
        for part in (self._clock, self._pressure):
            part.close()
        self._power_supply.stop()
        self._routes.stop()
        if self._eased is not None:
            self._eased.cancel()

    def _service(self, facts: Facts, stand_in: StandIn | None = None) -> ServiceProperties:
        return ServiceProperties(facts, self._tell, stand_in)

    def _tell(self, source: str, condition: Condition, value: str) -> None:
        if not self._ending and (news := self._sources.tell(source, condition, value)) is not None:
            self._post(news)

    def _memory_short(self) -> None:
        self._post(ev.MemoryShort())
        self._tell(_PRESSURE, Condition.MEMORY, "short")
        if self._eased is not None:
            self._eased.cancel()
        # The kernel tells only of pressure; work that waits for its end would wait for ever.
        self._eased = asyncio.get_running_loop().call_later(EASED, self._memory_eased)

    def _memory_eased(self) -> None:
        self._eased = None
        self._tell(_PRESSURE, Condition.MEMORY, "ok")
