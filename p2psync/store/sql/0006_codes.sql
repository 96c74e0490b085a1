-- Spoken codes, each of which stands for a ticket.
-- guessed: somebody came with other words, so that the code is worthless.
CREATE TABLE code (
    ticket      BLOB    PRIMARY KEY REFERENCES invitation ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    first_word  TEXT    NOT NULL,
    second_word TEXT    NOT NULL,
    guessed     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
