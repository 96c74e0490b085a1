"""Tests of p2psync: a file for each module, contract suites, scenarios, and the lab of network namespaces."""
