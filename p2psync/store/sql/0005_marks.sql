-- What people said of versions of files: that accounting posted them, that this was undone. Numbered like the changes,
-- by block and index in it. named: 34 bytes for each mark, block hash and index.
CREATE TABLE mark (
    number   INTEGER PRIMARY KEY,
    mandate  INTEGER NOT NULL,
    log      INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    content  BLOB,
    named    BLOB,
    stamp    INTEGER NOT NULL,
    time_ms  INTEGER NOT NULL
);
CREATE INDEX mark_path ON mark (mandate, path);
CREATE TRIGGER mandate_dropped_marks AFTER DELETE ON mandate BEGIN
    DELETE FROM mark WHERE mandate = OLD.number;
END;
