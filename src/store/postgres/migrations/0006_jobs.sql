-- Schema 6. What is done beside the requests: who is at it until when, how far it has come, and the
-- parts that are finished.
CREATE TABLE job (
    id       text COLLATE "C" PRIMARY KEY,
    tenant   text NOT NULL,
    kind     text NOT NULL,
    client   text NOT NULL,
    mandate  bytea NOT NULL,
    task     bytea NOT NULL,
    place    bytea NOT NULL DEFAULT ''::bytea,
    progress text NOT NULL DEFAULT '',
    state    text NOT NULL DEFAULT 'open',
    attempts bigint NOT NULL DEFAULT 0,
    trouble  text,
    made     bigint NOT NULL,
    due      bigint NOT NULL,
    ended    bigint,
    expires  bigint NOT NULL,
    holder   text NOT NULL DEFAULT '',
    held     bigint NOT NULL DEFAULT 0
);
CREATE INDEX job_due ON job (state, kind, due);
CREATE INDEX job_client ON job (tenant, client, kind, state);
CREATE INDEX job_expires ON job (expires);

CREATE TABLE job_part (
    job    text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (job, number)
);
