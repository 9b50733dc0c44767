-- Schema 8. Links to encrypted copies of records: what opens one is kept as its digest, and the key
-- of the copy is not kept at all.
CREATE TABLE health_link (
    digest   bytea PRIMARY KEY,
    name     text COLLATE "C" NOT NULL UNIQUE,
    tenant   text NOT NULL,
    patient  text NOT NULL,
    client   text NOT NULL,
    mandate  bytea NOT NULL,
    files    bytea NOT NULL,
    passcode text,
    tries    bigint NOT NULL,
    views    bigint,
    opened   bigint NOT NULL DEFAULT 0,
    last     bigint,
    opener   text,
    made     bigint NOT NULL,
    expires  bigint NOT NULL,
    revoked  bigint
);
CREATE INDEX health_link_patient ON health_link (tenant, patient, made);
CREATE INDEX health_link_made ON health_link (tenant, made);
CREATE INDEX health_link_expires ON health_link (expires);
