"""Public: the time line of one or more desks as a piece of a web page; ``frontdesk dashboard`` is made with it.

Put ``time_line`` into a page that loads ``STATIC/timeline.css`` and ``STATIC/timeline.js``. Whenever a desk has
something new (``DeskControl.watch``), send what ``live`` gives and hand it to ``update`` of that module: all of it
first, then what is new. ``scheduled_tasks`` lists an app's tasks with what they wait for (``STATIC/tasks.css``). No
inline style or script is used: it works under ``default-src 'none'; script-src 'self'; style-src 'self'``.
"""

from frontdesk.dashboard.core.lanes import Gap
from frontdesk.dashboard.scheduled import scheduled_tasks
from frontdesk.dashboard.timeline import STATIC, Strip, live, time_line

__all__ = ["STATIC", "Gap", "Strip", "live", "scheduled_tasks", "time_line"]
