"""The stage: one page with both machines side by side, and switches that act on the real desk and network."""
