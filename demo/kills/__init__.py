"""The kill matrix: each part of the system killed in each step of the tour's story, which still has to end well."""
