-- +goose Up

-- How far an import has come, in the same transaction as what it carried: so that it can be run again.
CREATE TABLE import_marks (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each line of the audit is sealed: see presence.AuditSeal. Lines that were there before are sealed at the next start.
ALTER TABLE audit ADD COLUMN salts BLOB NOT NULL DEFAULT x'';   -- 16 bytes for the subject, 16 for the origin; zeros once erased
ALTER TABLE audit ADD COLUMN digests BLOB NOT NULL DEFAULT x''; -- 32 bytes each
ALTER TABLE audit ADD COLUMN hash BLOB NOT NULL DEFAULT x'';

-- The end of the chain. There is no row until the lines that were there before are sealed.
CREATE TABLE audit_head (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    entries INTEGER NOT NULL,
    hash    BLOB    NOT NULL
) STRICT;

-- +goose Down

DROP TABLE audit_head;
ALTER TABLE audit DROP COLUMN hash;
ALTER TABLE audit DROP COLUMN digests;
ALTER TABLE audit DROP COLUMN salts;
DROP TABLE import_marks;
