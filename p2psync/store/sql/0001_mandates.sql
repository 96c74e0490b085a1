-- What this device remembers of its mandates. Every table names its mandate by a small number, so that one
-- commit covers them all; `mandate_dropped` at the end removes the rows of one and no others.

-- AUTOINCREMENT: a number is never given twice, so nothing that still holds an old one can touch a new mandate.
CREATE TABLE mandate (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id     BLOB NOT NULL UNIQUE
);

-- Sums that `status` asks for many times a second while 100,000 rows come and go: kept by the triggers below.
CREATE TABLE tally (
    mandate     INTEGER PRIMARY KEY,
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
    mandate INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    value   BLOB    NOT NULL,
    PRIMARY KEY (mandate, name)
) WITHOUT ROWID;

-- Whose log it is, and which class: what a log's first block says, needed long after that block was read.
CREATE TABLE log (
    number  INTEGER PRIMARY KEY,
    mandate INTEGER NOT NULL,
    id      BLOB    NOT NULL,
    device  BLOB    NOT NULL,
    class   TEXT    NOT NULL,
    UNIQUE (mandate, id)
);

-- The newest block of every branch of every log: this device's own vector clock.
CREATE TABLE tip (
    mandate INTEGER NOT NULL,
    log     BLOB    NOT NULL,
    seq     INTEGER NOT NULL,
    hash    BLOB    NOT NULL,
    PRIMARY KEY (mandate, log, seq, hash)
) WITHOUT ROWID;

-- The signed blocks, kept whole and for ever. `number` is the order of intake. `raw` is the last column, so that
-- the others are read without walking through its overflow pages.
CREATE TABLE block (
    number         INTEGER PRIMARY KEY,
    mandate        INTEGER NOT NULL,
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
-- content_tag, path_tag: the first bytes of the content and a checksum of the path. Contents come in random order,
-- so every row dirties another page of their index; with tags in place of both it has a sixth of the pages.
CREATE TABLE change (
    number      INTEGER PRIMARY KEY,
    mandate     INTEGER NOT NULL,
    log         INTEGER NOT NULL,
    accepted    INTEGER NOT NULL,
    superseded  INTEGER NOT NULL DEFAULT 0,
    stamp       INTEGER NOT NULL,
    time_ms     INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    mode        INTEGER NOT NULL,
    content     BLOB,
    content_tag INTEGER,
    path_tag    INTEGER NOT NULL,
    path        TEXT    NOT NULL,
    parents     BLOB,
    settled     BLOB
);
CREATE INDEX change_head ON change (mandate, path) WHERE accepted AND NOT superseded;
CREATE INDEX change_first ON change (mandate, path) WHERE stamp = 1;
CREATE INDEX change_refused ON change (mandate) WHERE NOT accepted;
CREATE INDEX change_content ON change (content_tag, log, path_tag) WHERE content_tag IS NOT NULL;

-- Which changes name a change: read when a verdict flips, to see whether what it named is superseded still.
CREATE TABLE naming (
    named   INTEGER NOT NULL,
    namer   INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    PRIMARY KEY (named, namer)
) WITHOUT ROWID;

-- What this device last saw on its own disk; stat_* is NULL where nothing is known of the file's stat.
-- heads: 34 bytes for each change, block hash and index.
-- stray = no head states this content at this path. The paths of all other contents are found through the
-- changes, which saves an index in random order.
CREATE TABLE base (
    mandate       INTEGER NOT NULL,
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
    stray         INTEGER NOT NULL,
    PRIMARY KEY (mandate, path)
) WITHOUT ROWID;
CREATE INDEX base_stray ON base (mandate, content) WHERE stray AND content IS NOT NULL;

-- The winner of each path that is not absent. slot is NULL where it equals the path, as it mostly does on disks
-- that do not fold names: the index below is empty there.
CREATE TABLE live (
    mandate  INTEGER NOT NULL,
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

-- Paths on which work is left.
-- bytes: of a path to be placed, the size of its live file; NULL when it has none.
CREATE TABLE todo (
    mandate INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    path    TEXT    NOT NULL,
    bytes   INTEGER,
    PRIMARY KEY (mandate, kind, path)
) WITHOUT ROWID;

-- Placements in flight, a row for all that are placed together. batch: msgpack of [path, kind, size, mtime_ns, mode,
-- content, heads] for each.
CREATE TABLE placing (
    number  INTEGER PRIMARY KEY,
    mandate INTEGER NOT NULL,
    batch   BLOB    NOT NULL
);

-- Bytes that are kept although they stand nowhere in the folder any more.
CREATE TABLE version (
    number   INTEGER PRIMARY KEY,
    mandate  INTEGER NOT NULL,
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
    mandate INTEGER NOT NULL,
    path    BLOB    NOT NULL,
    code    TEXT    NOT NULL,
    detail  BLOB    NOT NULL,
    PRIMARY KEY (mandate, path, code)
) WITHOUT ROWID;

-- What keeps todo.bytes, and from it and `live` the tally. 1 is the kind of a file.
CREATE TRIGGER live_added AFTER INSERT ON live BEGIN
    UPDATE tally SET live_files = live_files + (NEW.kind = 1), live_bytes = live_bytes + (NEW.kind = 1) * NEW.size
    WHERE mandate = NEW.mandate;
    UPDATE todo SET bytes = iif(NEW.kind = 1, NEW.size, NULL)
    WHERE mandate = NEW.mandate AND kind = 'place' AND path = NEW.path;
END;
CREATE TRIGGER live_dropped AFTER DELETE ON live BEGIN
    UPDATE tally SET live_files = live_files - (OLD.kind = 1), live_bytes = live_bytes - (OLD.kind = 1) * OLD.size
    WHERE mandate = OLD.mandate;
    UPDATE todo SET bytes = NULL WHERE mandate = OLD.mandate AND kind = 'place' AND path = OLD.path;
END;
CREATE TRIGGER live_changed AFTER UPDATE ON live WHEN OLD.kind <> NEW.kind OR OLD.size <> NEW.size BEGIN
    UPDATE tally SET
        live_files = live_files + (NEW.kind = 1) - (OLD.kind = 1),
        live_bytes = live_bytes + (NEW.kind = 1) * NEW.size - (OLD.kind = 1) * OLD.size
    WHERE mandate = NEW.mandate;
    UPDATE todo SET bytes = iif(NEW.kind = 1, NEW.size, NULL)
    WHERE mandate = NEW.mandate AND kind = 'place' AND path = NEW.path;
END;
CREATE TRIGGER todo_added AFTER INSERT ON todo BEGIN
    UPDATE tally SET
        place = place + (NEW.kind = 'place'),
        keep = keep + (NEW.kind = 'keep'),
        judge = judge + (NEW.kind = 'judge'),
        place_files = place_files + (NEW.bytes IS NOT NULL),
        place_bytes = place_bytes + ifnull(NEW.bytes, 0)
    WHERE mandate = NEW.mandate;
END;
CREATE TRIGGER todo_dropped AFTER DELETE ON todo BEGIN
    UPDATE tally SET
        place = place - (OLD.kind = 'place'),
        keep = keep - (OLD.kind = 'keep'),
        judge = judge - (OLD.kind = 'judge'),
        place_files = place_files - (OLD.bytes IS NOT NULL),
        place_bytes = place_bytes - ifnull(OLD.bytes, 0)
    WHERE mandate = OLD.mandate;
END;
CREATE TRIGGER todo_resized AFTER UPDATE OF bytes ON todo BEGIN
    UPDATE tally SET
        place_files = place_files + (NEW.bytes IS NOT NULL) - (OLD.bytes IS NOT NULL),
        place_bytes = place_bytes + ifnull(NEW.bytes, 0) - ifnull(OLD.bytes, 0)
    WHERE mandate = NEW.mandate;
END;

-- In place of foreign keys, which would look the mandate up for every row that is written.
CREATE TRIGGER mandate_dropped AFTER DELETE ON mandate BEGIN
    DELETE FROM tally WHERE mandate = OLD.number;
    DELETE FROM setting WHERE mandate = OLD.number;
    DELETE FROM log WHERE mandate = OLD.number;
    DELETE FROM tip WHERE mandate = OLD.number;
    DELETE FROM block WHERE mandate = OLD.number;
    DELETE FROM change WHERE mandate = OLD.number;
    DELETE FROM naming WHERE mandate = OLD.number;
    DELETE FROM base WHERE mandate = OLD.number;
    DELETE FROM live WHERE mandate = OLD.number;
    DELETE FROM todo WHERE mandate = OLD.number;
    DELETE FROM placing WHERE mandate = OLD.number;
    DELETE FROM version WHERE mandate = OLD.number;
    DELETE FROM problem WHERE mandate = OLD.number;
END;
