"""How fast p2psync is, and how fast others are at the same work: `python -m benchmarks` as root on Debian.

Hosts of the project's lab stand on a line of a known rate, delay and loss. Every synchroniser in turn gets the same
files on the first host, and the clock stops when the benchmark itself sees their bytes on the others.

* `hosts.Host`: programs on one host, and what they have used;
* `tools`: one class for each synchroniser, all with the same few verbs;
* `content`: making files, seeing them arrive, comparing folders;
* `measuring`: the clock, and what was used between two looks at it;
* `workloads`: what is done to the files; `cases`: with which sizes, on which line;
* `running`: all runs of all tools, interleaved; `report`, `plot`: what came out.
"""
