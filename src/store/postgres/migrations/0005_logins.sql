-- Schema 5. Whom a login belongs to: some version of the record names it.
-- The text of a record is UTF-8 whatever the database has, so the same bytes always give the same.
CREATE FUNCTION throughline_login(body bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(convert_from(body, 'UTF8')::jsonb #>> '{data,login_sub}',
                    convert_from(body, 'UTF8')::jsonb #>> '{data,portal_sub}')
$$;
CREATE INDEX source_login ON source (tenant, kind, throughline_login(body))
    WHERE kind IN ('staff', 'related_party');
