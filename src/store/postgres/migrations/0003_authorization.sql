-- Schema 3: what the authorization server keeps. Secrets are here as digests only. A client's id
-- is its own in all tenants, since a client names nothing else when it asks for a token.

CREATE TABLE handle (
    kind    text NOT NULL,
    digest  bytea NOT NULL,
    tenant  text NOT NULL,
    subject text NOT NULL,
    body    bytea NOT NULL,
    expires bigint NOT NULL,
    taken   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, digest)
);
CREATE INDEX handle_subject ON handle (kind, subject);
CREATE INDEX handle_expires ON handle (expires);

CREATE TABLE client (
    id       text PRIMARY KEY,
    tenant   text NOT NULL,
    disabled bigint NOT NULL,
    body     bytea NOT NULL
);

CREATE TABLE grant_given (
    id      text PRIMARY KEY,
    tenant  text NOT NULL,
    client  text NOT NULL,
    subject text NOT NULL,
    patient text NOT NULL,
    body    bytea NOT NULL,
    made    bigint NOT NULL,
    used    bigint,
    expires bigint NOT NULL,
    revoked bigint
);
CREATE INDEX grant_subject ON grant_given (tenant, subject);
CREATE INDEX grant_patient ON grant_given (tenant, patient);

CREATE TABLE refresh (
    digest   bytea PRIMARY KEY,
    grant_id text NOT NULL,
    expires  bigint NOT NULL,
    rotated  bigint NOT NULL DEFAULT 0
);
CREATE INDEX refresh_grant ON refresh (grant_id);
CREATE INDEX refresh_expires ON refresh (expires);

CREATE TABLE revoked_token (
    jti     text PRIMARY KEY,
    expires bigint NOT NULL
);
CREATE INDEX revoked_token_expires ON revoked_token (expires);

CREATE TABLE seen_once (
    digest  bytea PRIMARY KEY,
    expires bigint NOT NULL
);
CREATE INDEX seen_once_expires ON seen_once (expires);
