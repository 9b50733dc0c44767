-- Schema 11. Links to encrypted copies of records: what opens one is kept as its digest, and the key
-- of the copy is not kept at all.
CREATE TABLE health_link (
    digest   BLOB PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    tenant   TEXT NOT NULL,
    patient  TEXT NOT NULL,
    client   TEXT NOT NULL,
    mandate  BLOB NOT NULL,
    files    BLOB NOT NULL,
    passcode TEXT,
    tries    INTEGER NOT NULL,
    views    INTEGER,
    opened   INTEGER NOT NULL DEFAULT 0,
    last     INTEGER,
    opener   TEXT,
    made     INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    revoked  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX health_link_patient ON health_link (tenant, patient, made);
CREATE INDEX health_link_made ON health_link (tenant, made);
CREATE INDEX health_link_expires ON health_link (expires);
