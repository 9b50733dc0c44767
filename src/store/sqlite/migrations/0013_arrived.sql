-- Schema 13. When a version became the current one here, whatever the platform says of its age, and
-- which resources are gone, with what decides who may be told. The database notes both itself, so that
-- no writer can forget to. What was there before arrived at no known time: it counts as old.
ALTER TABLE resource ADD COLUMN arrived INTEGER NOT NULL DEFAULT 0;
CREATE TABLE removed (
    tenant      TEXT NOT NULL,
    type        TEXT NOT NULL,
    id          TEXT NOT NULL,
    patient     TEXT NOT NULL,
    origin_kind TEXT NOT NULL,
    class       TEXT NOT NULL,
    related     TEXT NOT NULL,
    dated       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_at ON removed (tenant, at);
CREATE TRIGGER resource_gone AFTER DELETE ON resource BEGIN
    INSERT OR REPLACE INTO removed VALUES (old.tenant, old.type, old.id, old.patient,
        old.origin_kind, old.class, old.related, old.dated,
        CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER));
END;
