-- Schema 1. The tenant is the first key column of every table; times are microseconds since 1970.

-- Every version of every source record of the general plane that was ever accepted.
CREATE TABLE source (
    seq      INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    id       TEXT NOT NULL,
    version  INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    void     INTEGER NOT NULL,
    has_data INTEGER NOT NULL,
    body     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX source_version ON source (tenant, kind, id, version, hash);

-- Which record a source version refers to.
CREATE TABLE link (
    tenant    TEXT NOT NULL,
    to_kind   TEXT NOT NULL,
    to_id     TEXT NOT NULL,
    from_kind TEXT NOT NULL,
    from_id   TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (tenant, to_kind, to_id, from_kind, from_id, seq)
) STRICT, WITHOUT ROWID;

-- The records that have to be mapped (again).
CREATE TABLE dirty (
    tenant TEXT NOT NULL,
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT, WITHOUT ROWID;

-- The current version of every resource, and the record that it was made from.
CREATE TABLE resource (
    rid         INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    type        TEXT NOT NULL,
    id          TEXT NOT NULL,
    version_id  TEXT NOT NULL,
    updated     INTEGER NOT NULL,
    patient     TEXT NOT NULL,
    origin_kind TEXT NOT NULL,
    origin_id   TEXT NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX resource_id ON resource (tenant, type, id);
CREATE INDEX resource_updated ON resource (tenant, type, updated DESC, id);
CREATE INDEX resource_patient ON resource (tenant, type, patient, updated DESC, id);
CREATE INDEX resource_origin ON resource (tenant, origin_kind, origin_id);

-- Earlier versions, as they were served.
CREATE TABLE history (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT NOT NULL,
    type        TEXT NOT NULL,
    id          TEXT NOT NULL,
    version_id  TEXT NOT NULL,
    updated     INTEGER NOT NULL,
    origin_kind TEXT NOT NULL,
    origin_id   TEXT NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX history_version ON history (tenant, type, id, version_id);
CREATE INDEX history_origin ON history (tenant, origin_kind, origin_id);

-- The search index, by type of value. Each table is clustered by resource, to test and to delete
-- the rows of one; its index is in the order of a search, so that a page is read from its start.
CREATE TABLE token (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    code    TEXT NOT NULL,
    system  TEXT NOT NULL,
    type    TEXT NOT NULL,
    patient TEXT NOT NULL,
    updated INTEGER NOT NULL,
    id      TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, code, system)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_search
    ON token (tenant, type, param, code, updated DESC, id, system, rid, patient);

CREATE TABLE reference (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    target  TEXT NOT NULL,
    type    TEXT NOT NULL,
    updated INTEGER NOT NULL,
    id      TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX reference_search ON reference (tenant, type, target, param, updated DESC, id, rid);

CREATE TABLE date (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    low     INTEGER NOT NULL,
    high    INTEGER NOT NULL,
    type    TEXT NOT NULL,
    patient TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, low, high)
) STRICT, WITHOUT ROWID;
CREATE INDEX date_search ON date (tenant, type, param, patient, low, high, rid);

CREATE TABLE text (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    value   TEXT NOT NULL,
    type    TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX text_search ON text (tenant, type, param, value, rid);

-- What could not be taken in. The key is over tenant, reason and content, so that offering the
-- same input again adds nothing.
CREATE TABLE quarantine (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    key      BLOB NOT NULL UNIQUE,
    tenant   TEXT,
    kind     TEXT,
    id       TEXT,
    reason   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    pointer  TEXT NOT NULL,
    origin   TEXT NOT NULL,
    received INTEGER NOT NULL,
    isolated INTEGER NOT NULL,
    body     BLOB
) STRICT;
CREATE INDEX quarantine_record ON quarantine (tenant, kind, id, reason);

-- The isolated plane: psychotherapy and SUD counselling notes, and supervision. No query of the
-- general plane names these tables.
CREATE TABLE isolated_note (
    tenant  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, id, version, hash)
) STRICT;
CREATE TABLE isolated_quarantine (
    number INTEGER PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT;
