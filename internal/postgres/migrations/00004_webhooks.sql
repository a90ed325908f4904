-- +goose Up

-- Addresses that are told what happens. Lists lie between commas: ',user.online,session.*,'; an empty text lets
-- everything through.
CREATE TABLE webhooks (
    id               bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    batch            bigint NOT NULL,
    old_secret_until bigint NOT NULL DEFAULT 0,
    state_since      bigint NOT NULL DEFAULT 0,
    created_at       bigint NOT NULL,
    updated_at       bigint NOT NULL,
    created_by       bigint NOT NULL DEFAULT 0,
    -- How sending goes, and who sends.
    failures         bigint NOT NULL DEFAULT 0,
    failing_since    bigint NOT NULL DEFAULT 0,
    next_at          bigint NOT NULL DEFAULT 0,
    last_success_at  bigint NOT NULL DEFAULT 0,
    last_failure_at  bigint NOT NULL DEFAULT 0,
    held_until       bigint NOT NULL DEFAULT 0,
    holder           text   COLLATE "C" NOT NULL DEFAULT '',
    last_error       text   COLLATE "C" NOT NULL DEFAULT '',
    state            text   COLLATE "C" NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'gone', 'failing')),
    url              text   COLLATE "C" NOT NULL,
    description      text   COLLATE "C" NOT NULL DEFAULT '',
    events           text   COLLATE "C" NOT NULL,
    causes           text   COLLATE "C" NOT NULL DEFAULT '',
    users            text   COLLATE "C" NOT NULL DEFAULT '',
    secret           text   COLLATE "C" NOT NULL,
    old_secret       text   COLLATE "C" NOT NULL DEFAULT ''
);

-- What waits for each of them. The triggers below fill it, in the transaction in which something happens.
CREATE TABLE webhook_queue (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    webhook_id  bigint NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    at          bigint NOT NULL,
    user_id     bigint NOT NULL DEFAULT 0,
    session_id  bigint NOT NULL DEFAULT 0,
    actor_id    bigint NOT NULL DEFAULT 0,
    version     bigint NOT NULL DEFAULT 0,
    last_seen   bigint NOT NULL DEFAULT 0,
    missed      bigint NOT NULL DEFAULT 0,
    type        text   COLLATE "C" NOT NULL,
    username    text   COLLATE "C" NOT NULL DEFAULT '',
    from_status text   COLLATE "C" NOT NULL DEFAULT '',
    to_status   text   COLLATE "C" NOT NULL DEFAULT '',
    cause       text   COLLATE "C" NOT NULL DEFAULT '',
    node        text   COLLATE "C" NOT NULL DEFAULT '',
    role        text   COLLATE "C" NOT NULL DEFAULT ''
);

CREATE INDEX webhook_queue_order ON webhook_queue (webhook_id, id);

CREATE TABLE webhook_deliveries (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    webhook_id  bigint NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    events      bigint NOT NULL,
    created_at  bigint NOT NULL,
    oldest_at   bigint NOT NULL DEFAULT 0, -- when the first of its events happened
    attempts    bigint NOT NULL DEFAULT 0,
    attempt_at  bigint NOT NULL DEFAULT 0,
    duration    bigint NOT NULL DEFAULT 0, -- microseconds
    http_status bigint NOT NULL DEFAULT 0,
    kind        text   COLLATE "C" NOT NULL CHECK (kind IN ('events', 'test')),
    state       text   COLLATE "C" NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    message_id  text   COLLATE "C" NOT NULL UNIQUE,
    error       text   COLLATE "C" NOT NULL DEFAULT '',
    body        bytea  NOT NULL
);

CREATE INDEX webhook_deliveries_order ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_state ON webhook_deliveries (webhook_id, state, id);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, id) WHERE state = 'pending' AND kind = 'events';
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);

CREATE TABLE webhook_attempts (
    id          bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    delivery_id bigint  NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    at          bigint  NOT NULL,
    duration    bigint  NOT NULL,
    http_status bigint  NOT NULL,
    manual      boolean NOT NULL,
    error       text    COLLATE "C" NOT NULL,
    response    text    COLLATE "C" NOT NULL
);

CREATE INDEX webhook_attempts_delivery ON webhook_attempts (delivery_id, id);

-- webhooks_wanting are the active webhooks that want an event of this type about this person.
-- +goose StatementBegin
CREATE FUNCTION webhooks_wanting(type text, cause text, who bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT id FROM webhooks w WHERE w.state = 'active'
        AND (strpos(w.events, ',' || type || ',') > 0 OR strpos(w.events, ',' || split_part(type, '.', 1) || '.*,') > 0
            OR strpos(w.events, ',*,') > 0)
        AND (cause = '' OR w.causes = '' OR strpos(w.causes, ',' || cause || ',') > 0)
        AND (w.users = '' OR strpos(w.users, ',' || who || ',') > 0)
    ORDER BY id
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION history_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM webhooks WHERE state = 'active') THEN
        INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, from_status, to_status, cause, session_id, actor_id,
            node, version, last_seen)
        SELECT hook, 'user.' || a.to_status, a.at, a.user_id, coalesce(u.username, ''), a.from_status, a.to_status, a.cause,
            a.session_id, a.actor_id, a.node, a.version, a.last_seen
        FROM added a CROSS JOIN LATERAL webhooks_wanting('user.' || a.to_status, a.cause, a.user_id) AS hook
            LEFT JOIN users u ON u.id = a.user_id
        ORDER BY a.id, hook;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER history_told AFTER INSERT ON history REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION history_tell();

-- +goose StatementBegin
CREATE FUNCTION sessions_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, cause, session_id)
    SELECT hook, TG_ARGV[0], CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE NEW.ended_at END, NEW.user_id,
        coalesce((SELECT username FROM users WHERE id = NEW.user_id), ''), NEW.end_cause, NEW.id
    FROM webhooks_wanting(TG_ARGV[0], '', NEW.user_id) AS hook;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER sessions_told_begin AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION sessions_tell('session.started');
CREATE TRIGGER sessions_told_end AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at = 0 AND NEW.ended_at <> 0) EXECUTE FUNCTION sessions_tell('session.ended');

-- +goose StatementBegin
CREATE FUNCTION users_tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, to_status, role)
        SELECT hook, 'account.created', NEW.created_at, NEW.id, NEW.username, NEW.status, NEW.role
        FROM webhooks_wanting('account.created', '', NEW.id) AS hook;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, from_status, role)
        SELECT hook, 'account.deleted', (extract(epoch FROM statement_timestamp()) * 1000000)::bigint, OLD.id, OLD.username,
            OLD.status, OLD.role
        FROM webhooks_wanting('account.deleted', '', OLD.id) AS hook;
    ELSE
        what := CASE
            WHEN OLD.deleted_at = 0 AND NEW.deleted_at <> 0 THEN 'account.deleted'
            WHEN OLD.deleted_at <> 0 AND NEW.deleted_at = 0 THEN 'account.restored'
            WHEN OLD.status <> 'banned' AND NEW.status = 'banned' THEN 'account.banned'
            WHEN OLD.status <> 'suspended' AND NEW.status = 'suspended' THEN 'account.suspended'
            WHEN NEW.status = 'active' AND NEW.is_active AND (OLD.status <> 'active' OR NOT OLD.is_active) THEN 'account.activated'
            ELSE 'account.updated' END;
        INSERT INTO webhook_queue (webhook_id, type, at, user_id, username, from_status, to_status, role)
        SELECT hook, what, NEW.updated_at, NEW.id, NEW.username, OLD.status, NEW.status, NEW.role
        FROM webhooks_wanting(what, '', NEW.id) AS hook;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER users_told_made AFTER INSERT ON users FOR EACH ROW WHEN (NEW.deleted_at = 0) EXECUTE FUNCTION users_tell();
CREATE TRIGGER users_told_removed AFTER DELETE ON users FOR EACH ROW WHEN (OLD.deleted_at = 0) EXECUTE FUNCTION users_tell();
CREATE TRIGGER users_told_changed
    AFTER UPDATE OF deleted_at, status, role, is_active, is_staff, username, email, first_name, last_name, avatar, bio ON users
    FOR EACH ROW WHEN ((OLD.deleted_at, OLD.status, OLD.role, OLD.is_active, OLD.is_staff, OLD.username, OLD.email,
            OLD.first_name, OLD.last_name, OLD.avatar, OLD.bio)
        IS DISTINCT FROM (NEW.deleted_at, NEW.status, NEW.role, NEW.is_active, NEW.is_staff, NEW.username, NEW.email,
            NEW.first_name, NEW.last_name, NEW.avatar, NEW.bio))
    EXECUTE FUNCTION users_tell();

-- +goose Down

DROP TRIGGER users_told_changed ON users;
DROP TRIGGER users_told_removed ON users;
DROP TRIGGER users_told_made ON users;
DROP TRIGGER sessions_told_end ON sessions;
DROP TRIGGER sessions_told_begin ON sessions;
DROP TRIGGER history_told ON history;
DROP FUNCTION users_tell();
DROP FUNCTION sessions_tell();
DROP FUNCTION history_tell();
DROP FUNCTION webhooks_wanting(text, text, bigint);
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_queue;
DROP TABLE webhooks;
