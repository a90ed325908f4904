-- +goose Up

-- What people keep to themselves.
ALTER TABLE users ADD COLUMN hide_status INTEGER NOT NULL DEFAULT 0 CHECK (hide_status IN (0, 1));
ALTER TABLE users ADD COLUMN hide_last_seen INTEGER NOT NULL DEFAULT 0 CHECK (hide_last_seen IN (0, 1));
CREATE INDEX users_private ON users (id) WHERE hide_status = 1 OR hide_last_seen = 1;

-- How many people had which status, a row a minute. A minute without a row is one in which no server ran.
CREATE TABLE concurrency (
    at          INTEGER PRIMARY KEY, -- the minute's beginning
    online      INTEGER NOT NULL,
    away        INTEGER NOT NULL,
    offline     INTEGER NOT NULL,
    peak_online INTEGER NOT NULL
) STRICT;

-- Counting the causes of a month reads nothing but this index.
CREATE INDEX history_at_cause ON history (at, cause);
DROP INDEX history_at;

-- +goose Down

CREATE INDEX history_at ON history (at);
DROP INDEX history_at_cause;
DROP TABLE concurrency;
DROP INDEX users_private;
ALTER TABLE users DROP COLUMN hide_last_seen;
ALTER TABLE users DROP COLUMN hide_status;
