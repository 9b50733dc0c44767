-- The ledger's file. The tenant is the first key column of every table, and empty for what belongs
-- to none; times are microseconds since 1970.

-- What was done, in chains.
CREATE TABLE audit_event (
    seq     INTEGER PRIMARY KEY,
    tenant  TEXT NOT NULL,
    number  INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_event_number ON audit_event (tenant, number);
CREATE INDEX audit_event_at ON audit_event (tenant, at);

-- Whose records an entry is about.
CREATE TABLE audit_patient (
    tenant  TEXT NOT NULL,
    patient TEXT NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (tenant, patient, number)
) STRICT, WITHOUT ROWID;

-- The ends of the chains.
CREATE TABLE audit_tip (
    tenant TEXT PRIMARY KEY NOT NULL,
    number INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    sealed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signed statements of a chain's hash.
CREATE TABLE audit_checkpoint (
    tenant    TEXT NOT NULL,
    number    INTEGER NOT NULL,
    statement TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
