-- Schema 9. Bundles that other providers sent, byte for byte, and whose they were found to be.
CREATE TABLE received (
    name     text COLLATE "C" PRIMARY KEY,
    tenant   text NOT NULL,
    client   text NOT NULL,
    digest   bytea NOT NULL,
    form     text NOT NULL,
    body     bytea NOT NULL,
    received bigint NOT NULL,
    state    text NOT NULL,
    patient  text,
    decided  bigint,
    decided_by text,
    reason   text,
    number   bigint,
    UNIQUE (tenant, client, digest),
    UNIQUE (tenant, number)
);
CREATE INDEX received_state ON received (tenant, state, received);
CREATE INDEX received_patient ON received (tenant, patient, received);
