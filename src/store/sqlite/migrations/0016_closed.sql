-- What consents allowed to clients and allow no more, and until when they did: exports tell in `deleted`
-- what a revocation has closed.
CREATE TABLE closed (
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
    duties      INTEGER NOT NULL,
    PRIMARY KEY (tenant, patient, grantee, class, related, since, dated_since)
) STRICT, WITHOUT ROWID;
CREATE INDEX closed_until ON closed (tenant, grantee, until);
