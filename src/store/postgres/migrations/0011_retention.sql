-- Schema 11. What is taken away for good, and what stays of it.

-- Whose the notes are that are kept apart, so that they go with the rest.
CREATE TABLE isolated_subject (
    tenant text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    kind   text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, client, kind, id)
);
INSERT INTO isolated_subject
    SELECT DISTINCT n.tenant, c.value, n.kind, n.id
    FROM isolated_note n,
      json_array_elements_text(convert_from(n.body, 'UTF8')::json -> 'client_ids') c;

-- The records that were taken away: no version up to this one is taken in again.
CREATE TABLE purged (
    tenant  text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant, kind, id)
);

-- The resources that were made of them.
CREATE TABLE tombstone (
    tenant text COLLATE "C" NOT NULL,
    type   text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (tenant, type, id)
);

-- What stays as proof, out of the way of everything that serves.
CREATE TABLE survivor (
    tenant  text COLLATE "C" NOT NULL,
    client  text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    until   bigint NOT NULL,
    body    bytea NOT NULL,
    PRIMARY KEY (tenant, client, kind, id)
);
CREATE INDEX survivor_until ON survivor (tenant, until);

-- What was done, until the audit has it.
CREATE TABLE purge (
    name      text COLLATE "C" PRIMARY KEY,
    tenant    text COLLATE "C" NOT NULL,
    client    text COLLATE "C" NOT NULL,
    patient   text COLLATE "C" NOT NULL,
    authority text NOT NULL,
    at        bigint NOT NULL,
    records   bigint NOT NULL,
    resources bigint NOT NULL,
    noted     bigint NOT NULL DEFAULT 0
);
