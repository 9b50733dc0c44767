-- Schema 14. What is taken away for good, and what stays of it.

-- Whose the notes are that are kept apart, so that they go with the rest.
CREATE TABLE isolated_subject (
    tenant TEXT NOT NULL,
    client TEXT NOT NULL,
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    PRIMARY KEY (tenant, client, kind, id)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO isolated_subject
    SELECT n.tenant, c.value, n.kind, n.id
    FROM isolated_note n, json_each(CAST(n.body AS TEXT), '$.client_ids') c;

-- The records that were taken away: no version up to this one is taken in again.
CREATE TABLE purged (
    tenant  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT, WITHOUT ROWID;

-- The resources that were made of them.
CREATE TABLE tombstone (
    tenant TEXT NOT NULL,
    type   TEXT NOT NULL,
    id     TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, id)
) STRICT, WITHOUT ROWID;

-- What stays as proof, out of the way of everything that serves.
CREATE TABLE survivor (
    tenant  TEXT NOT NULL,
    client  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (tenant, client, kind, id)
) STRICT;
CREATE INDEX survivor_until ON survivor (tenant, until);

-- What was done, until the audit has it.
CREATE TABLE purge (
    name      TEXT PRIMARY KEY,
    tenant    TEXT NOT NULL,
    client    TEXT NOT NULL,
    patient   TEXT NOT NULL,
    authority TEXT NOT NULL,
    at        INTEGER NOT NULL,
    records   INTEGER NOT NULL,
    resources INTEGER NOT NULL,
    noted     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
