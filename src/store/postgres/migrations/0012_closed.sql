-- What consents allowed to clients and allow no more, and until when they did: exports tell in `deleted`
-- what a revocation has closed.
CREATE TABLE closed (
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
    duties      bigint NOT NULL,
    PRIMARY KEY (tenant, patient, grantee, class, related, since, dated_since)
);
CREATE INDEX closed_until ON closed (tenant, grantee, until);
