-- +goose Up

-- Addresses that are told what happens. Lists lie between commas: ',user.online,session.*,'; an empty text lets
-- everything through.
CREATE TABLE webhooks (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    url              TEXT    NOT NULL,
    description      TEXT    NOT NULL DEFAULT '',
    events           TEXT    NOT NULL,
    causes           TEXT    NOT NULL DEFAULT '',
    users            TEXT    NOT NULL DEFAULT '',
    batch            INTEGER NOT NULL,
    secret           TEXT    NOT NULL,
    old_secret       TEXT    NOT NULL DEFAULT '',
    old_secret_until INTEGER NOT NULL DEFAULT 0,
    state            TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'gone', 'failing')),
    state_since      INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    created_by       INTEGER NOT NULL DEFAULT 0,
    -- How sending goes, and who sends.
    failures         INTEGER NOT NULL DEFAULT 0,
    failing_since    INTEGER NOT NULL DEFAULT 0,
    next_at          INTEGER NOT NULL DEFAULT 0,
    last_success_at  INTEGER NOT NULL DEFAULT 0,
    last_failure_at  INTEGER NOT NULL DEFAULT 0,
    last_error       TEXT    NOT NULL DEFAULT '',
    holder           TEXT    NOT NULL DEFAULT '',
    held_until       INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What waits for each of them. The triggers below fill it, in the transaction in which something happens.
CREATE TABLE webhook_queue (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id   INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    type         TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    user_id      INTEGER NOT NULL DEFAULT 0,
    username     TEXT    NOT NULL DEFAULT '',
    from_status  TEXT    NOT NULL DEFAULT '',
    to_status    TEXT    NOT NULL DEFAULT '',
    cause        TEXT    NOT NULL DEFAULT '',
    session_id   INTEGER NOT NULL DEFAULT 0,
    actor_id     INTEGER NOT NULL DEFAULT 0,
    node         TEXT    NOT NULL DEFAULT '',
    version      INTEGER NOT NULL DEFAULT 0,
    last_seen    INTEGER NOT NULL DEFAULT 0,
    role         TEXT    NOT NULL DEFAULT '',
    missed       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX webhook_queue_order ON webhook_queue (webhook_id, id);

CREATE TABLE webhook_deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id  INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    message_id  TEXT    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL CHECK (kind IN ('events', 'test')),
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    events      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    oldest_at   INTEGER NOT NULL DEFAULT 0, -- when the first of its events happened
    body        BLOB    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    attempt_at  INTEGER NOT NULL DEFAULT 0,
    duration    INTEGER NOT NULL DEFAULT 0, -- microseconds
    http_status INTEGER NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX webhook_deliveries_order ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_state ON webhook_deliveries (webhook_id, state, id);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, id) WHERE state = 'pending' AND kind = 'events';
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);

CREATE TABLE webhook_attempts (
    id          INTEGER PRIMARY KEY,
    delivery_id INTEGER NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    duration    INTEGER NOT NULL,
    http_status INTEGER NOT NULL,
    manual      INTEGER NOT NULL CHECK (manual IN (0, 1)),
    error       TEXT    NOT NULL,
    response    TEXT    NOT NULL
) STRICT;

CREATE INDEX webhook_attempts_delivery ON webhook_attempts (delivery_id, id);

-- +goose StatementBegin
CREATE TRIGGER history_told AFTER INSERT ON history WHEN EXISTS (SELECT 1 FROM webhooks WHERE state = 'active')
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, from_status, to_status, cause, session_id, actor_id,
        node, version, last_seen)
    SELECT w.id, 'user.' || NEW.to_status, NEW.at, NEW.user_id, coalesce((SELECT username FROM users WHERE id = NEW.user_id), ''),
        NEW.from_status, NEW.to_status, NEW.cause, NEW.session_id, NEW.actor_id, NEW.node, NEW.version, NEW.last_seen
    FROM webhooks w WHERE w.state = 'active'
        AND (instr(w.events, ',user.' || NEW.to_status || ',') OR instr(w.events, ',user.*,') OR instr(w.events, ',*,'))
        AND (w.causes = '' OR instr(w.causes, ',' || NEW.cause || ','))
        AND (w.users = '' OR instr(w.users, ',' || NEW.user_id || ','))
    ORDER BY w.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_told_begin AFTER INSERT ON sessions WHEN EXISTS (SELECT 1 FROM webhooks WHERE state = 'active')
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, session_id)
    SELECT w.id, 'session.started', NEW.created_at, NEW.user_id,
        coalesce((SELECT username FROM users WHERE id = NEW.user_id), ''), NEW.id
    FROM webhooks w WHERE w.state = 'active'
        AND (instr(w.events, ',session.started,') OR instr(w.events, ',session.*,') OR instr(w.events, ',*,'))
        AND (w.users = '' OR instr(w.users, ',' || NEW.user_id || ','))
    ORDER BY w.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_told_end AFTER UPDATE OF ended_at ON sessions
    WHEN OLD.ended_at = 0 AND NEW.ended_at <> 0 AND EXISTS (SELECT 1 FROM webhooks WHERE state = 'active')
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, cause, session_id)
    SELECT w.id, 'session.ended', NEW.ended_at, NEW.user_id,
        coalesce((SELECT username FROM users WHERE id = NEW.user_id), ''), NEW.end_cause, NEW.id
    FROM webhooks w WHERE w.state = 'active'
        AND (instr(w.events, ',session.ended,') OR instr(w.events, ',session.*,') OR instr(w.events, ',*,'))
        AND (w.users = '' OR instr(w.users, ',' || NEW.user_id || ','))
    ORDER BY w.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER users_told_made AFTER INSERT ON users
    WHEN NEW.deleted_at = 0 AND EXISTS (SELECT 1 FROM webhooks WHERE state = 'active')
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, to_status, role)
    SELECT w.id, 'account.created', NEW.created_at, NEW.id, NEW.username, NEW.status, NEW.role
    FROM webhooks w WHERE w.state = 'active'
        AND (instr(w.events, ',account.created,') OR instr(w.events, ',account.*,') OR instr(w.events, ',*,'))
        AND (w.users = '' OR instr(w.users, ',' || NEW.id || ','))
    ORDER BY w.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER users_told_changed
    AFTER UPDATE OF deleted_at, status, role, is_active, is_staff, username, email, first_name, last_name, avatar, bio ON users
    WHEN (OLD.deleted_at, OLD.status, OLD.role, OLD.is_active, OLD.is_staff, OLD.username, OLD.email, OLD.first_name,
            OLD.last_name, OLD.avatar, OLD.bio)
        <> (NEW.deleted_at, NEW.status, NEW.role, NEW.is_active, NEW.is_staff, NEW.username, NEW.email, NEW.first_name,
            NEW.last_name, NEW.avatar, NEW.bio)
        AND EXISTS (SELECT 1 FROM webhooks WHERE state = 'active')
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, from_status, to_status, role)
    SELECT w.id, e.type, NEW.updated_at, NEW.id, NEW.username, OLD.status, NEW.status, NEW.role
    FROM webhooks w, (SELECT CASE
        WHEN OLD.deleted_at = 0 AND NEW.deleted_at <> 0 THEN 'account.deleted'
        WHEN OLD.deleted_at <> 0 AND NEW.deleted_at = 0 THEN 'account.restored'
        WHEN OLD.status <> 'banned' AND NEW.status = 'banned' THEN 'account.banned'
        WHEN OLD.status <> 'suspended' AND NEW.status = 'suspended' THEN 'account.suspended'
        WHEN NEW.status = 'active' AND NEW.is_active = 1 AND (OLD.status <> 'active' OR OLD.is_active = 0) THEN 'account.activated'
        ELSE 'account.updated' END AS type) e
    WHERE w.state = 'active'
        AND (instr(w.events, ',' || e.type || ',') OR instr(w.events, ',account.*,') OR instr(w.events, ',*,'))
        AND (w.users = '' OR instr(w.users, ',' || NEW.id || ','))
    ORDER BY w.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER users_told_removed AFTER DELETE ON users
    WHEN OLD.deleted_at = 0 AND EXISTS (SELECT 1 FROM webhooks WHERE state = 'active')
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, from_status, role)
    SELECT w.id, 'account.deleted', CAST(unixepoch('subsec') * 1000000 AS INTEGER), OLD.id, OLD.username, OLD.status, OLD.role
    FROM webhooks w WHERE w.state = 'active'
        AND (instr(w.events, ',account.deleted,') OR instr(w.events, ',account.*,') OR instr(w.events, ',*,'))
        AND (w.users = '' OR instr(w.users, ',' || OLD.id || ','))
    ORDER BY w.id;
END;
-- +goose StatementEnd

-- +goose Down

DROP TRIGGER users_told_removed;
DROP TRIGGER users_told_changed;
DROP TRIGGER users_told_made;
DROP TRIGGER sessions_told_end;
DROP TRIGGER sessions_told_begin;
DROP TRIGGER history_told;
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_queue;
DROP TABLE webhooks;
