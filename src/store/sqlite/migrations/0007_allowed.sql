-- What consents allow. A resource is of a class, which says all that the rules turn on; of which
-- classes a patient has records; and which class of whom a grantee may see, from when until when.
ALTER TABLE resource ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN related TEXT NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN dated INTEGER NOT NULL DEFAULT -9223372036854775808;

CREATE TABLE class (
    tenant  TEXT NOT NULL,
    patient TEXT NOT NULL,
    class   TEXT NOT NULL,
    PRIMARY KEY (tenant, patient, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE allowed (
    tenant      TEXT NOT NULL,
    patient     TEXT NOT NULL,
    grantee     TEXT NOT NULL,
    class       TEXT NOT NULL,
    related     TEXT NOT NULL,
    except_of   TEXT NOT NULL,
    since       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    dated_since INTEGER NOT NULL,
    dated_until INTEGER NOT NULL,
    PRIMARY KEY (tenant, patient, grantee, class, related, since, dated_since)
) STRICT, WITHOUT ROWID;
