-- +goose Up

-- Tokens of backends, as hashes. Revoked ones stay a while, to be looked at.
CREATE TABLE api_tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never a second time
    name         TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,                  -- words, with commas between
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    hint         TEXT    NOT NULL,
    created_by   INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    revoked_at   INTEGER NOT NULL DEFAULT 0,
    revoked_by   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- +goose Down

DROP TABLE api_tokens;
