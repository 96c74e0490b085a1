-- What this device remembers of its mandates. Every table names its mandate by a small number, so that one
-- commit covers them all, and removing a mandate removes its rows and no others.

-- AUTOINCREMENT: a number is never given twice, so nothing that still holds an old one can touch a new mandate.
CREATE TABLE mandate (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id     BLOB NOT NULL UNIQUE
);

-- Sums that `status` asks for many times a second while 100,000 rows come and go: kept by the triggers below.
CREATE TABLE tally (
    mandate     INTEGER PRIMARY KEY REFERENCES mandate ON DELETE CASCADE,
    live_files  INTEGER NOT NULL DEFAULT 0,
    live_bytes  INTEGER NOT NULL DEFAULT 0,
    place       INTEGER NOT NULL DEFAULT 0,
    place_files INTEGER NOT NULL DEFAULT 0,
    place_bytes INTEGER NOT NULL DEFAULT 0,
    keep        INTEGER NOT NULL DEFAULT 0,
    judge       INTEGER NOT NULL DEFAULT 0
);

-- Small values that belong to a mandate (folder, epoch, own logs, ...), each packed with msgpack.
CREATE TABLE setting (
    mandate INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    name    TEXT    NOT NULL,
    value   BLOB    NOT NULL,
    PRIMARY KEY (mandate, name)
) WITHOUT ROWID;

-- Whose log it is, and which class: what a log's first block says, needed long after that block was read.
CREATE TABLE log (
    number  INTEGER PRIMARY KEY,
    mandate INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    id      BLOB    NOT NULL,
    device  BLOB    NOT NULL,
    class   TEXT    NOT NULL,
    UNIQUE (mandate, id)
);

-- The newest block of every branch of every log: this device's own vector clock.
CREATE TABLE tip (
    mandate INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    log     BLOB    NOT NULL,
    seq     INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    PRIMARY KEY (mandate, log, seq, hash)
) WITHOUT ROWID;

-- The signed blocks, kept whole and for ever. `number` is the order of intake. `raw` is the last column, so that
-- the others are read without walking through its overflow pages.
CREATE TABLE block (
    number         INTEGER PRIMARY KEY,
    mandate        INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    log            INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    hash           BLOB    NOT NULL,
    prev           BLOB,
    authority_tips BLOB    NOT NULL,
    raw            BLOB    NOT NULL
);
CREATE UNIQUE INDEX block_hash ON block (mandate, hash);
CREATE INDEX block_log ON block (log, seq);

-- One row per change of a block; number = number of the block * 65536 + index in it.
-- superseded = an accepted change of the same path names this one: a function of the rows, kept here because
-- heads are asked for with every batch. heads = accepted AND NOT superseded.
-- parents, settled: numbers of the changes named, 8 bytes each, big-endian; NULL when none.
CREATE TABLE change (
    number     INTEGER PRIMARY KEY,
    mandate    INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    log        INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    superseded INTEGER NOT NULL DEFAULT 0,
    stamp      INTEGER NOT NULL,
    time_ms    INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    mode       INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    content    BLOB,
    parents    BLOB,
    settled    BLOB
);
CREATE INDEX change_head ON change (mandate, path) WHERE accepted AND NOT superseded;
CREATE INDEX change_refused ON change (mandate) WHERE NOT accepted;
CREATE INDEX change_content ON change (mandate, content, log, path) WHERE content IS NOT NULL;

-- Which changes name a change: read when a verdict flips, to see whether what it named is superseded still.
CREATE TABLE naming (
    named   INTEGER NOT NULL,
    namer   INTEGER NOT NULL,
    mandate INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    PRIMARY KEY (named, namer)
) WITHOUT ROWID;

-- What this device last saw on its own disk; stat_* is NULL where nothing is known of the file's stat.
-- heads: 34 bytes for each change, block hash and index.
CREATE TABLE base (
    mandate       INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    path          TEXT    NOT NULL,
    kind          INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    mode          INTEGER NOT NULL,
    content       BLOB,
    stat_size     INTEGER,
    stat_mtime_ns INTEGER,
    stat_inode,
    heads         BLOB,
    PRIMARY KEY (mandate, path)
) WITHOUT ROWID;
CREATE INDEX base_content ON base (mandate, content) WHERE content IS NOT NULL;

-- The winner of each path that is not absent. slot is NULL where it equals the path, as it mostly does on disks
-- that do not fold names: the index below is empty there.
CREATE TABLE live (
    mandate  INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    path     TEXT    NOT NULL,
    kind     INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    mode     INTEGER NOT NULL,
    content  BLOB,
    slot     TEXT,
    heads    INTEGER NOT NULL,
    PRIMARY KEY (mandate, path)
) WITHOUT ROWID;
CREATE INDEX live_slot ON live (mandate, slot) WHERE slot IS NOT NULL;

-- Paths on which work is left. placing: msgpack of [entry or nil, heads], for a placement in flight.
CREATE TABLE todo (
    mandate INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    kind    TEXT    NOT NULL,
    path    TEXT    NOT NULL,
    placing BLOB,
    PRIMARY KEY (mandate, kind, path)
) WITHOUT ROWID;

-- Bytes that are kept although they stand nowhere in the folder any more.
CREATE TABLE version (
    number   INTEGER PRIMARY KEY,
    mandate  INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    path     TEXT    NOT NULL,
    content  BLOB    NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    kept_ms  INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    device   BLOB,
    change   BLOB
);
CREATE INDEX version_path ON version (mandate, path);
CREATE INDEX version_content ON version (mandate, content);

-- What needs attention, until it does not. Names and details are BLOBs: a name that is no Unicode is one of the
-- problems, and could not be stored as TEXT.
CREATE TABLE problem (
    mandate INTEGER NOT NULL REFERENCES mandate ON DELETE CASCADE,
    path    BLOB    NOT NULL,
    code    TEXT    NOT NULL,
    detail  BLOB    NOT NULL,
    PRIMARY KEY (mandate, path, code)
) WITHOUT ROWID;

-- The triggers that keep `tally`. 1 is the kind of a file. place_files and place_bytes are sums over the live rows
-- of the paths to be placed, so they follow both tables.
CREATE TRIGGER live_added AFTER INSERT ON live BEGIN
    UPDATE tally SET
        live_files = live_files + (NEW.kind = 1),
        live_bytes = live_bytes + (NEW.kind = 1) * NEW.size
    WHERE mandate = NEW.mandate;
    UPDATE tally SET
        place_files = place_files + (NEW.kind = 1),
        place_bytes = place_bytes + (NEW.kind = 1) * NEW.size
    WHERE mandate = NEW.mandate
        AND EXISTS (SELECT 1 FROM todo WHERE mandate = NEW.mandate AND kind = 'place' AND path = NEW.path);
END;
CREATE TRIGGER live_dropped AFTER DELETE ON live BEGIN
    UPDATE tally SET
        live_files = live_files - (OLD.kind = 1),
        live_bytes = live_bytes - (OLD.kind = 1) * OLD.size
    WHERE mandate = OLD.mandate;
    UPDATE tally SET
        place_files = place_files - (OLD.kind = 1),
        place_bytes = place_bytes - (OLD.kind = 1) * OLD.size
    WHERE mandate = OLD.mandate
        AND EXISTS (SELECT 1 FROM todo WHERE mandate = OLD.mandate AND kind = 'place' AND path = OLD.path);
END;
CREATE TRIGGER live_changed AFTER UPDATE OF kind, size ON live WHEN OLD.kind <> NEW.kind OR OLD.size <> NEW.size BEGIN
    UPDATE tally SET
        live_files = live_files + (NEW.kind = 1) - (OLD.kind = 1),
        live_bytes = live_bytes + (NEW.kind = 1) * NEW.size - (OLD.kind = 1) * OLD.size
    WHERE mandate = NEW.mandate;
    UPDATE tally SET
        place_files = place_files + (NEW.kind = 1) - (OLD.kind = 1),
        place_bytes = place_bytes + (NEW.kind = 1) * NEW.size - (OLD.kind = 1) * OLD.size
    WHERE mandate = NEW.mandate
        AND EXISTS (SELECT 1 FROM todo WHERE mandate = NEW.mandate AND kind = 'place' AND path = NEW.path);
END;
CREATE TRIGGER place_added AFTER INSERT ON todo WHEN NEW.kind = 'place' BEGIN
    UPDATE tally SET
        place = place + 1,
        place_files = place_files + coalesce(
            (SELECT kind = 1 FROM live WHERE mandate = NEW.mandate AND path = NEW.path), 0),
        place_bytes = place_bytes + coalesce(
            (SELECT (kind = 1) * size FROM live WHERE mandate = NEW.mandate AND path = NEW.path), 0)
    WHERE mandate = NEW.mandate;
END;
CREATE TRIGGER place_dropped AFTER DELETE ON todo WHEN OLD.kind = 'place' BEGIN
    UPDATE tally SET
        place = place - 1,
        place_files = place_files - coalesce(
            (SELECT kind = 1 FROM live WHERE mandate = OLD.mandate AND path = OLD.path), 0),
        place_bytes = place_bytes - coalesce(
            (SELECT (kind = 1) * size FROM live WHERE mandate = OLD.mandate AND path = OLD.path), 0)
    WHERE mandate = OLD.mandate;
END;
CREATE TRIGGER other_todo_added AFTER INSERT ON todo WHEN NEW.kind <> 'place' BEGIN
    UPDATE tally SET keep = keep + (NEW.kind = 'keep'), judge = judge + (NEW.kind = 'judge')
    WHERE mandate = NEW.mandate;
END;
CREATE TRIGGER other_todo_dropped AFTER DELETE ON todo WHEN OLD.kind <> 'place' BEGIN
    UPDATE tally SET keep = keep - (OLD.kind = 'keep'), judge = judge - (OLD.kind = 'judge')
    WHERE mandate = OLD.mandate;
END;
