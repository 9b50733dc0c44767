-- What was done, in chains. The tenant is empty for what belongs to none; times are microseconds
-- since 1970.
CREATE TABLE audit_event (
    tenant  text COLLATE "C" NOT NULL,
    number  bigint NOT NULL,
    hash    bytea NOT NULL,
    at      bigint NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    action  text COLLATE "C" NOT NULL,
    outcome bigint NOT NULL,
    body    bytea NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE INDEX audit_event_at ON audit_event (tenant, at);

-- Whose records an entry is about.
CREATE TABLE audit_patient (
    tenant  text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    number  bigint NOT NULL,
    PRIMARY KEY (tenant, patient, number)
);

-- The ends of the chains.
CREATE TABLE audit_tip (
    tenant text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL,
    hash   bytea NOT NULL,
    sealed bigint NOT NULL
);

-- Signed statements of a chain's hash.
CREATE TABLE audit_checkpoint (
    tenant    text COLLATE "C" NOT NULL,
    number    bigint NOT NULL,
    statement text NOT NULL,
    PRIMARY KEY (tenant, number)
);
