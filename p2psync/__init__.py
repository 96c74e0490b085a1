"""p2psync keeps the shared folder of a bookkeeping mandate identical on every PC of that mandate, directly.

A pure `Device` takes *events* and returns *effects*; a thin asyncio runtime performs the effects in order,
and commits before it sends. Everything above the line below is values and functions; everything slow,
random or outside is under it, so that many devices run in one process under a virtual clock.

::

    errors       the one tree of exceptions
    core/        PURE values and algorithms: ids, relpath, clock, entry, change, block, changelog, cut,
                 authority, rules, conflict, mark, chunking, ignore, schedule
    wire/        PURE protocol between two devices: messages, codec (every limit), session (state table)
    pair/        PURE pairing: ticket, handshake (inviter and joiner)
    books/       PURE bookkeeping knowledge: crp, entries, index, pending, validation
    engine/      PURE state machines: events, effects, mandate, peer, fetch, device, status
    ------------------------------------- the I/O line -------------------------------------
    system/      what a long-running process asks of the system: signals, tasks, private files
    proxies      the way out where there is only a proxy: SOCKS5, HTTP CONNECT
    store/       SQLite: state, chunks, versions, and the schema in sql/
    fs/          scanner, watcher, placer, bridge
    net/         identity, link (the contract), tls, mdns, dialer
    rendezvous/  the meeting host and its client; protocol/ is PURE
    daemon/      the composition root: node, runtime, config, timetable, logs; and what it does about
                 finding/ others, pairing/ with them, linking/ to them, contents/ on their way,
                 the disk/ with the folders, programs/ and their files, operations/ that people ask for
    api/         HTTP on loopback, and the web page's files
    cli/         commands, and how their answers look
    sim/         the deterministic world: virtual clock, network, disks, faults, checkers

Imports go one way: ``errors <- core <- wire, pair, books <- engine``; a shell imports the pure part, `system`,
`proxies` and no other shell; only `daemon` puts shells together, and `sim` knows none of them. `tests/test_tidy.py`
holds this.

A save travels in eight steps, each one method in one file, and log events and tests use these words:
**observe -> append -> announce -> join -> plan -> fetch -> place -> (observe)**.
"""

__version__ = "0.1.0"
