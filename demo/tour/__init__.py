"""The tour: the story of the demo without a browser, each step checked against the real parts."""
