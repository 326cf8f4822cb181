"""The demo: two people's machines, a real homeserver and push service, a stage to look at, a tour that checks."""
