-- Whether a resource may be seen, without its row being read; and the few grants with which a consent
-- goes along.
CREATE INDEX resource_seen
    ON resource (tenant, type, id, patient, class, related, dated, origin_kind);
CREATE INDEX allowed_basis ON allowed (tenant, patient, grantee, class) WHERE basis <> '';
