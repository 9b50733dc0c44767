-- Schema 12. Bundles that other providers sent, byte for byte, and whose they were found to be.
CREATE TABLE received (
    name     TEXT PRIMARY KEY,
    tenant   TEXT NOT NULL,
    client   TEXT NOT NULL,
    digest   BLOB NOT NULL,
    form     TEXT NOT NULL,
    body     BLOB NOT NULL,
    received INTEGER NOT NULL,
    state    TEXT NOT NULL,
    patient  TEXT,
    decided  INTEGER,
    decided_by TEXT,
    reason   TEXT,
    number   INTEGER,
    UNIQUE (tenant, client, digest),
    UNIQUE (tenant, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX received_state ON received (tenant, state, received);
CREATE INDEX received_patient ON received (tenant, patient, received);
