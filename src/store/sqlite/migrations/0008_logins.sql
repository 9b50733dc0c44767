-- Schema 8. Whom a login belongs to: some version of the record names it.
CREATE INDEX source_login ON source (
    tenant,
    kind,
    coalesce(json_extract(CAST(body AS TEXT), '$.data.login_sub'),
             json_extract(CAST(body AS TEXT), '$.data.portal_sub'))
) WHERE kind IN ('staff', 'related_party');
