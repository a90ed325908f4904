-- +goose Up

-- How far an import has come, in the same transaction as what it carried: so that it can be run again.
CREATE TABLE import_marks (
    name  text   NOT NULL PRIMARY KEY,
    value bigint NOT NULL
);

-- Each line of the audit is sealed: see presence.AuditSeal. Lines that were there before are sealed at the next start.
ALTER TABLE audit ADD COLUMN salts bytea NOT NULL DEFAULT '';   -- 16 bytes for the subject, 16 for the origin; zeros once erased
ALTER TABLE audit ADD COLUMN digests bytea NOT NULL DEFAULT ''; -- 32 bytes each
ALTER TABLE audit ADD COLUMN hash bytea NOT NULL DEFAULT '';

-- The end of the chain. There is no row until the lines that were there before are sealed; its lock is what lets
-- nodes append one after another.
CREATE TABLE audit_head (
    id      integer PRIMARY KEY CHECK (id = 1),
    entries bigint  NOT NULL,
    hash    bytea   NOT NULL
);

-- +goose Down

DROP TABLE audit_head;
ALTER TABLE audit DROP COLUMN hash;
ALTER TABLE audit DROP COLUMN digests;
ALTER TABLE audit DROP COLUMN salts;
DROP TABLE import_marks;
