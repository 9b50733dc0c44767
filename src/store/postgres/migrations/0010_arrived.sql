-- Schema 10. When a version became the current one here, whatever the platform says of its age, and
-- which resources are gone, with what decides who may be told. The database notes both itself, so that
-- no writer can forget to. What was there before arrived at no known time: it counts as old.
ALTER TABLE resource ADD COLUMN arrived bigint NOT NULL DEFAULT 0;
ALTER TABLE resource ALTER COLUMN arrived
    SET DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
CREATE TABLE removed (
    tenant      text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    patient     text COLLATE "C" NOT NULL,
    origin_kind text COLLATE "C" NOT NULL,
    class       text COLLATE "C" NOT NULL,
    related     text COLLATE "C" NOT NULL,
    dated       bigint NOT NULL,
    at          bigint NOT NULL,
    PRIMARY KEY (tenant, type, id)
);
CREATE INDEX removed_at ON removed (tenant, at);
CREATE FUNCTION resource_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO removed VALUES (old.tenant, old.type, old.id, old.patient, old.origin_kind,
        old.class, old.related, old.dated,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    ON CONFLICT (tenant, type, id) DO UPDATE SET patient = excluded.patient,
        origin_kind = excluded.origin_kind, class = excluded.class, related = excluded.related,
        dated = excluded.dated, at = excluded.at;
    RETURN NULL;
END $$;
CREATE TRIGGER resource_gone AFTER DELETE ON resource
    FOR EACH ROW EXECUTE FUNCTION resource_gone();
