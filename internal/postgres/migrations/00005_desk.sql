-- +goose Up

-- What admins keep: saved views, jobs, settings made while running. body is JSON.
CREATE TABLE documents (
    kind     text   COLLATE "C" NOT NULL,
    id       text   COLLATE "C" NOT NULL,
    owner_id bigint NOT NULL DEFAULT 0,
    at       bigint NOT NULL,
    body     text   COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE INDEX users_trash ON users (deleted_at) WHERE deleted_at <> 0;

-- +goose Down

DROP INDEX users_trash;
DROP TABLE documents;
