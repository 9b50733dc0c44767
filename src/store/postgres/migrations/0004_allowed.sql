-- What consents allow. A resource is of a class, which says all that the rules turn on; of which
-- classes a patient has records; and which class of whom a grantee may see, from when until when.
ALTER TABLE resource ADD COLUMN class text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN related text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN dated bigint NOT NULL DEFAULT -9223372036854775808;

CREATE TABLE class (
    tenant  text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    class   text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, patient, class)
);

CREATE TABLE allowed (
    tenant      text COLLATE "C" NOT NULL,
    patient     text COLLATE "C" NOT NULL,
    grantee     text COLLATE "C" NOT NULL,
    class       text COLLATE "C" NOT NULL,
    related     text COLLATE "C" NOT NULL,
    except_of   text COLLATE "C" NOT NULL,
    since       bigint NOT NULL,
    until       bigint NOT NULL,
    dated_since bigint NOT NULL,
    dated_until bigint NOT NULL,
    PRIMARY KEY (tenant, patient, grantee, class, related, since, dated_since)
);
