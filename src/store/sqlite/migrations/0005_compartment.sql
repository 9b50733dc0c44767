-- The last change of each patient's compartment, a number that no other change has, so that what
-- was made of a compartment is known to be current. The database sets it itself, so that no writer
-- can forget to. What is in nobody's compartment counts as the patient ''.
CREATE TABLE compartment (
    tenant  TEXT NOT NULL,
    patient TEXT NOT NULL,
    change  INTEGER NOT NULL,
    PRIMARY KEY (tenant, patient)
) STRICT, WITHOUT ROWID;
INSERT INTO compartment SELECT tenant, patient, random() FROM resource GROUP BY tenant, patient;

CREATE TRIGGER resource_added AFTER INSERT ON resource BEGIN
    INSERT INTO compartment VALUES (new.tenant, new.patient, random())
        ON CONFLICT DO UPDATE SET change = excluded.change;
END;
CREATE TRIGGER resource_removed AFTER DELETE ON resource BEGIN
    INSERT INTO compartment VALUES (old.tenant, old.patient, random())
        ON CONFLICT DO UPDATE SET change = excluded.change;
END;
CREATE TRIGGER resource_changed AFTER UPDATE ON resource BEGIN
    INSERT INTO compartment VALUES (old.tenant, old.patient, random())
        ON CONFLICT DO UPDATE SET change = excluded.change;
    INSERT INTO compartment VALUES (new.tenant, new.patient, random())
        ON CONFLICT DO UPDATE SET change = excluded.change;
END;
