-- +goose Up

-- Tokens of backends, as hashes. Revoked ones stay a while, to be looked at.
CREATE TABLE api_tokens (
    id           bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, -- never a second time
    created_by   bigint NOT NULL DEFAULT 0,
    created_at   bigint NOT NULL,
    expires_at   bigint NOT NULL DEFAULT 0,
    last_used_at bigint NOT NULL DEFAULT 0,
    revoked_at   bigint NOT NULL DEFAULT 0,
    revoked_by   bigint NOT NULL DEFAULT 0,
    name         text   COLLATE "C" NOT NULL,
    scopes       text   COLLATE "C" NOT NULL, -- words, with commas between
    hint         text   COLLATE "C" NOT NULL,
    hash         bytea  NOT NULL UNIQUE CHECK (length(hash) = 32)
);

-- +goose Down

DROP TABLE api_tokens;
