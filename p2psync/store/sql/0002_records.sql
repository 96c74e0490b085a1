-- What the daemon remembers beside the mandates' states: shown to people, or needed to meet other devices.

-- Settings of this device as a whole, packed with msgpack.
CREATE TABLE device_setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- What `history` shows: one row per run (a sync, a restore, a delivery), its items as JSON.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    mandate    BLOB    NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    result     TEXT    NOT NULL,
    items      TEXT    NOT NULL
);
CREATE INDEX run_mandate ON run (mandate, number);

-- Addresses that a person gave (`peer add`), for networks that multicast does not cross.
CREATE TABLE address (
    mandate BLOB NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (mandate, address)
) WITHOUT ROWID;

-- Tickets that this device issued. It alone honours them: that is what makes "works once" true.
CREATE TABLE ticket (
    id         BLOB    PRIMARY KEY,
    mandate    BLOB    NOT NULL,
    secret     BLOB    NOT NULL,
    role       TEXT    NOT NULL,
    admin      INTEGER NOT NULL,
    confirm    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    uses_max   INTEGER NOT NULL,
    state      TEXT    NOT NULL
) WITHOUT ROWID;

-- Who used a ticket: a device that asks again after a lost answer is answered again, and is not counted twice.
CREATE TABLE ticket_use (
    ticket  BLOB    NOT NULL REFERENCES ticket ON DELETE CASCADE,
    device  BLOB    NOT NULL,
    used_ms INTEGER NOT NULL,
    PRIMARY KEY (ticket, device)
) WITHOUT ROWID;

-- Devices that proved a ticket made with `--confirm` and wait for an admin.
CREATE TABLE newcomer (
    mandate     BLOB    NOT NULL,
    device      BLOB    NOT NULL,
    ticket      BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    certificate BLOB    NOT NULL,
    asked_ms    INTEGER NOT NULL,
    PRIMARY KEY (mandate, device)
) WITHOUT ROWID;
