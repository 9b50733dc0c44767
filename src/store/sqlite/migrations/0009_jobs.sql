-- Schema 9. What is done beside the requests: who is at it until when, how far it has come, and the
-- parts that are finished.
CREATE TABLE job (
    id       TEXT PRIMARY KEY,
    tenant   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    client   TEXT NOT NULL,
    mandate  BLOB NOT NULL,
    task     BLOB NOT NULL,
    place    BLOB NOT NULL DEFAULT x'',
    progress TEXT NOT NULL DEFAULT '',
    state    TEXT NOT NULL DEFAULT 'open',
    attempts INTEGER NOT NULL DEFAULT 0,
    trouble  TEXT,
    made     INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    ended    INTEGER,
    expires  INTEGER NOT NULL,
    holder   TEXT NOT NULL DEFAULT '',
    held     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX job_due ON job (state, kind, due);
CREATE INDEX job_client ON job (tenant, client, kind, state);
CREATE INDEX job_expires ON job (expires);

CREATE TABLE job_part (
    job    TEXT NOT NULL,
    number INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
