-- More kinds of values to search by, and a patient's resources of every type side by side. The rows
-- of the tables that are made anew are written again from the resources.
DROP INDEX resource_patient;
CREATE INDEX resource_patient ON resource (tenant, patient, type, updated DESC, id);
DROP TABLE date;
DROP TABLE text;

CREATE TABLE date (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    low     INTEGER NOT NULL,
    high    INTEGER NOT NULL,
    type    TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, low, high)
) STRICT, WITHOUT ROWID;
CREATE INDEX date_search ON date (tenant, type, param, high, low, rid);

CREATE TABLE text (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    value   TEXT NOT NULL,
    exact   TEXT NOT NULL,
    type    TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, value, exact)
) STRICT, WITHOUT ROWID;
CREATE INDEX text_search ON text (tenant, type, param, value, exact, rid);

CREATE TABLE quantity (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    low     REAL NOT NULL,
    high    REAL NOT NULL,
    system  TEXT NOT NULL,
    code    TEXT NOT NULL,
    unit    TEXT NOT NULL,
    type    TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, low, high, system, code, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX quantity_search ON quantity (tenant, type, param, high, low, rid);

CREATE TABLE uri (
    tenant  TEXT NOT NULL,
    rid     INTEGER NOT NULL,
    param   INTEGER NOT NULL,
    value   TEXT NOT NULL,
    type    TEXT NOT NULL,
    PRIMARY KEY (tenant, rid, param, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX uri_search ON uri (tenant, type, param, value, rid);
