-- +goose Up

-- What admins keep: saved views, jobs, settings made while running. body is JSON.
CREATE TABLE documents (
    kind     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    owner_id INTEGER NOT NULL DEFAULT 0,
    at       INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX users_trash ON users (deleted_at) WHERE deleted_at <> 0;

-- +goose Down

DROP INDEX users_trash;
DROP TABLE documents;
