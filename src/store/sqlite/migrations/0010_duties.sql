-- Under which conditions something is allowed, and the consents that go along with it.
ALTER TABLE allowed ADD COLUMN duties INTEGER NOT NULL DEFAULT 0;
ALTER TABLE allowed ADD COLUMN basis TEXT NOT NULL DEFAULT '';
