-- Schema 6: what the authorization server keeps. Secrets are here as digests only. A client's id
-- is its own in all tenants, since a client names nothing else when it asks for a token.

CREATE TABLE handle (
    kind    TEXT NOT NULL,
    digest  BLOB NOT NULL,
    tenant  TEXT NOT NULL,
    subject TEXT NOT NULL,
    body    BLOB NOT NULL,
    expires INTEGER NOT NULL,
    taken   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX handle_subject ON handle (kind, subject);
CREATE INDEX handle_expires ON handle (expires);

CREATE TABLE client (
    id       TEXT PRIMARY KEY,
    tenant   TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    body     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE grant_given (
    id      TEXT PRIMARY KEY,
    tenant  TEXT NOT NULL,
    client  TEXT NOT NULL,
    subject TEXT NOT NULL,
    patient TEXT NOT NULL,
    body    BLOB NOT NULL,
    made    INTEGER NOT NULL,
    used    INTEGER,
    expires INTEGER NOT NULL,
    revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX grant_subject ON grant_given (tenant, subject);
CREATE INDEX grant_patient ON grant_given (tenant, patient);

CREATE TABLE refresh (
    digest   BLOB PRIMARY KEY,
    grant_id TEXT NOT NULL,
    expires  INTEGER NOT NULL,
    rotated  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_grant ON refresh (grant_id);
CREATE INDEX refresh_expires ON refresh (expires);

CREATE TABLE revoked_token (
    jti     TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_token_expires ON revoked_token (expires);

CREATE TABLE seen_once (
    digest  BLOB PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_once_expires ON seen_once (expires);
