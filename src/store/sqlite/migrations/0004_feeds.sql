-- Live sources.

-- Pushed deliveries that were taken in, and what was answered, for as long as they may be repeated.
CREATE TABLE delivery (
    tenant   TEXT NOT NULL,
    source   TEXT NOT NULL,
    id       TEXT NOT NULL,
    digest   BLOB NOT NULL,
    received INTEGER NOT NULL,
    answer   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX delivery_id ON delivery (tenant, source, id);
CREATE INDEX delivery_received ON delivery (received);

-- Who reads a source, and until when nobody else may.
CREATE TABLE lease (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    holder TEXT NOT NULL,
    ends   INTEGER NOT NULL,
    PRIMARY KEY (tenant, source)
) STRICT, WITHOUT ROWID;

-- How far a source has been read.
CREATE TABLE feed (
    tenant   TEXT NOT NULL,
    source   TEXT NOT NULL,
    cursor   TEXT,
    moved    INTEGER,
    answered INTEGER,
    failures INTEGER NOT NULL,
    trouble  TEXT,
    PRIMARY KEY (tenant, source)
) STRICT, WITHOUT ROWID;
