-- Bookkeeping programs' own files, anywhere on this PC, that are linked to a mandate (`attach`). Mandates stand here by
-- their ids, as in the records.

-- path: in the mandate's folder; file: where it lies on this PC, absolute, as bytes since names can be any.
-- agreed, heads, mtime_ns: what was published or delivered last. delivery: one under way, packed with msgpack.
CREATE TABLE attachment (
    mandate      BLOB    NOT NULL,
    path         TEXT    NOT NULL,
    file         BLOB    NOT NULL UNIQUE,
    mode         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    agreed       BLOB,
    heads        BLOB,
    mtime_ns     INTEGER NOT NULL,
    published_ms INTEGER,
    delivered_ms INTEGER,
    delivery     BLOB,
    PRIMARY KEY (mandate, path)
) WITHOUT ROWID;

-- Files that a person detached: they do not join by themselves, as those of a new accounting period do.
CREATE TABLE declined (
    file BLOB PRIMARY KEY
) WITHOUT ROWID;
