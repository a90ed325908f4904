-- Times are microseconds since 1970 in UTC; 0 means never. Words are written as package presence spells them.

-- +goose Up

-- The presence columns come first: restoring a million of them reads no further into a row.
CREATE TABLE users (
    id               INTEGER PRIMARY KEY AUTOINCREMENT, -- never a second time
    online_status    TEXT    NOT NULL DEFAULT 'offline' CHECK (online_status IN ('offline', 'away', 'online')),
    last_seen        INTEGER NOT NULL DEFAULT 0,
    status_since     INTEGER NOT NULL DEFAULT 0,
    status_cause     TEXT    NOT NULL DEFAULT '',
    presence_version INTEGER NOT NULL DEFAULT 0,
    deleted_at       INTEGER NOT NULL DEFAULT 0,        -- not 0: in the trash
    status           TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'pending', 'suspended', 'banned')),
    role             TEXT    NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'moderator', 'admin')),
    is_active        INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    is_staff         INTEGER NOT NULL DEFAULT 0 CHECK (is_staff IN (0, 1)),
    email_verified   INTEGER NOT NULL DEFAULT 0 CHECK (email_verified IN (0, 1)),
    username         TEXT    NOT NULL,
    email            TEXT    NOT NULL,
    first_name       TEXT    NOT NULL DEFAULT '',
    last_name        TEXT    NOT NULL DEFAULT '',
    avatar           TEXT    NOT NULL DEFAULT '',
    bio              TEXT    NOT NULL DEFAULT '',
    password         TEXT    NOT NULL DEFAULT '',
    tokens_after     INTEGER NOT NULL DEFAULT 0,
    date_joined      INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL DEFAULT 0,
    updated_at       INTEGER NOT NULL DEFAULT 0,
    search           TEXT    NOT NULL DEFAULT ''        -- username, e-mail and names, folded; see fold.go
) STRICT;

-- What lies in the trash takes nobody's name.
CREATE UNIQUE INDEX users_username ON users (username) WHERE deleted_at = 0;
CREATE UNIQUE INDEX users_email ON users (email) WHERE deleted_at = 0;
CREATE INDEX users_created_at ON users (created_at) WHERE deleted_at = 0;
CREATE INDEX users_status ON users (status, created_at) WHERE deleted_at = 0;
CREATE INDEX users_role ON users (role, created_at) WHERE deleted_at = 0;
CREATE INDEX users_search ON users (search) WHERE deleted_at = 0;
CREATE INDEX users_admins ON users (id) WHERE role = 'admin' OR is_staff = 1;
CREATE INDEX users_online_status ON users (online_status);
CREATE INDEX users_last_seen ON users (last_seen);

-- Counting a million rows takes long; these few are kept up to date by the triggers below.
CREATE TABLE user_counts (
    status TEXT    NOT NULL,
    role   TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (status, role)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER users_counted_insert AFTER INSERT ON users WHEN NEW.deleted_at = 0
BEGIN
    INSERT INTO user_counts (status, role, n) VALUES (NEW.status, NEW.role, 1)
        ON CONFLICT (status, role) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER users_counted_delete AFTER DELETE ON users WHEN OLD.deleted_at = 0
BEGIN
    UPDATE user_counts SET n = n - 1 WHERE status = OLD.status AND role = OLD.role;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER users_counted_update AFTER UPDATE OF status, role, deleted_at ON users
    WHEN OLD.status <> NEW.status OR OLD.role <> NEW.role OR (OLD.deleted_at = 0) <> (NEW.deleted_at = 0)
BEGIN
    UPDATE user_counts SET n = n - 1
        WHERE OLD.deleted_at = 0 AND status = OLD.status AND role = OLD.role;
    INSERT INTO user_counts (status, role, n) SELECT NEW.status, NEW.role, 1 WHERE NEW.deleted_at = 0
        ON CONFLICT (status, role) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY, -- drawn at random by whoever signs people in
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL DEFAULT 0,
    end_cause  TEXT    NOT NULL DEFAULT '',
    is_foreign INTEGER NOT NULL DEFAULT 0 CHECK (is_foreign IN (0, 1)),
    ip_address TEXT    NOT NULL DEFAULT '',
    user_agent TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_live ON sessions (expires_at, user_id, created_at) WHERE ended_at = 0;
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE revoked_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY,
    user_id    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_tokens_user ON revoked_tokens (user_id);
CREATE INDEX revoked_tokens_expires ON revoked_tokens (expires_at);

CREATE TABLE history (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    from_status TEXT    NOT NULL,
    to_status   TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    session_id  INTEGER NOT NULL DEFAULT 0,
    actor_id    INTEGER NOT NULL DEFAULT 0,
    node        TEXT    NOT NULL DEFAULT '',
    at          INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL DEFAULT 0,
    version     INTEGER NOT NULL DEFAULT 0,
    seq         INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Unique, so that a change that is recorded again after an error stays one.
CREATE UNIQUE INDEX history_user_at ON history (user_id, at, version);
CREATE INDEX history_at ON history (at);

CREATE TABLE activities (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    action      TEXT    NOT NULL,
    description TEXT    NOT NULL DEFAULT '',
    ip_address  TEXT    NOT NULL DEFAULT '',
    user_agent  TEXT    NOT NULL DEFAULT '',
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX activities_user_at ON activities (user_id, at);

-- No reference to users: the lines outlive the accounts they are about.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    actor_id    INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    target_id   INTEGER NOT NULL,
    target_name TEXT    NOT NULL DEFAULT '',
    before      TEXT    NOT NULL DEFAULT '',
    after       TEXT    NOT NULL DEFAULT '',
    reason      TEXT    NOT NULL DEFAULT '',
    ip_address  TEXT    NOT NULL DEFAULT '',
    user_agent  TEXT    NOT NULL DEFAULT '',
    request_id  TEXT    NOT NULL DEFAULT '',
    at          INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_at ON audit (at);

-- An engine's memory, written whole; only the engine reads data.
CREATE TABLE presence_pages (
    id     INTEGER PRIMARY KEY,
    kind   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    data   BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX presence_pages_number ON presence_pages (kind, number);

CREATE TABLE holds (
    user_id  INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    status   TEXT    NOT NULL CHECK (status IN ('offline', 'away', 'online')),
    until    INTEGER NOT NULL DEFAULT 0,
    note     TEXT    NOT NULL DEFAULT '',
    actor_id INTEGER NOT NULL DEFAULT 0
) STRICT;

-- +goose Down

DROP TABLE holds;
DROP TABLE presence_pages;
DROP TABLE audit;
DROP TABLE activities;
DROP TABLE history;
DROP TABLE revoked_tokens;
DROP TABLE sessions;
DROP TABLE user_counts;
DROP TABLE users;
