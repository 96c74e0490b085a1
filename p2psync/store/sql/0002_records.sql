-- What the daemon remembers beside the mandates' states: shown to people, or needed to meet other devices. Mandates
-- stand here by their ids: some of these rows come before a mandate's state, or are told of after it.

-- Settings of this device as a whole, packed with msgpack.
CREATE TABLE device_setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- What `history` shows: ended_ms and result are NULL until a run ended, and for ever if the program was killed in it.
-- items: JSON. AUTOINCREMENT, since a person may hold on to a number that was pruned.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    mandate    BLOB    NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    result     TEXT,
    items      TEXT    NOT NULL DEFAULT '[]'
);
CREATE INDEX run_mandate ON run (mandate, number);

-- Addresses that a person gave (`peer add`), for networks that multicast does not cross.
CREATE TABLE address (
    mandate BLOB NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (mandate, address)
) WITHOUT ROWID;

-- When a member was connected last.
CREATE TABLE seen (
    mandate BLOB    NOT NULL,
    device  BLOB    NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (mandate, device)
) WITHOUT ROWID;

-- Tickets that this device issued. It alone honours them: that is what makes "works once" true.
-- role, admin: what was promised; what a newcomer gets is decided by the authority log.
CREATE TABLE invitation (
    ticket    BLOB    PRIMARY KEY,
    mandate   BLOB    NOT NULL,
    secret    BLOB    NOT NULL,
    role      TEXT    NOT NULL,
    admin     INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    uses      INTEGER NOT NULL,
    confirm   INTEGER NOT NULL,
    cancelled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Who came with a ticket: a device that asks again after a lost answer is answered the same, and not counted twice.
CREATE TABLE claim (
    ticket BLOB    NOT NULL REFERENCES invitation ON DELETE CASCADE,
    device BLOB    NOT NULL,
    claim  TEXT    NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (ticket, device)
) WITHOUT ROWID;

-- Devices that proved a ticket made with `--confirm` and wait for an admin.
CREATE TABLE newcomer (
    mandate     BLOB    NOT NULL,
    device      BLOB    NOT NULL,
    certificate BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    ticket      BLOB    NOT NULL,
    asked_ms    INTEGER NOT NULL,
    PRIMARY KEY (mandate, device)
) WITHOUT ROWID;
