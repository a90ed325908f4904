-- +goose Up

-- What people keep to themselves.
ALTER TABLE users ADD COLUMN hide_status boolean NOT NULL DEFAULT false;
ALTER TABLE users ADD COLUMN hide_last_seen boolean NOT NULL DEFAULT false;
CREATE INDEX users_private ON users (id) WHERE hide_status OR hide_last_seen;

-- How many people had which status, a row a minute. A minute without a row is one in which no server ran.
CREATE TABLE concurrency (
    at          bigint PRIMARY KEY, -- the minute's beginning
    online      bigint NOT NULL,
    away        bigint NOT NULL,
    offline     bigint NOT NULL,
    peak_online bigint NOT NULL
);

-- Counting the causes of a month reads nothing but this index.
CREATE INDEX history_at_cause ON history (at, cause);
DROP INDEX history_at;

-- What other nodes must hear of: they keep sessions and accounts in memory. The triggers below write it in the
-- transaction of the act itself, whoever acts, so that nothing that was acknowledged can go unheard. tx is the
-- transaction: ids are drawn before commits and say nothing about their order (see notices.go). Rows are gone
-- after an hour.
CREATE TABLE notices (
    id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tx         xid8   NOT NULL DEFAULT pg_current_xact_id(),
    at         bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    user_id    bigint NOT NULL,
    session_id bigint NOT NULL DEFAULT 0, -- 0: the account itself
    topic      text   COLLATE "C" NOT NULL,
    cause      text   COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX notices_tx ON notices (tx);
CREATE INDEX notices_at ON notices (at);

-- +goose StatementBegin
CREATE FUNCTION notice_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notices (user_id, topic) VALUES (coalesce(NEW.id, OLD.id), TG_ARGV[0]);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION notice_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notices (user_id, session_id, topic, cause) VALUES (NEW.user_id, NEW.id, 'session', NEW.end_cause);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER users_noticed_insert AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION notice_user('account');
CREATE TRIGGER users_noticed_delete AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION notice_user('account');
CREATE TRIGGER users_noticed_update
    AFTER UPDATE OF deleted_at, status, role, is_active, is_staff, username, tokens_after ON users FOR EACH ROW
    WHEN ((OLD.deleted_at, OLD.status, OLD.role, OLD.is_active, OLD.is_staff, OLD.username, OLD.tokens_after)
        IS DISTINCT FROM (NEW.deleted_at, NEW.status, NEW.role, NEW.is_active, NEW.is_staff, NEW.username, NEW.tokens_after))
    EXECUTE FUNCTION notice_user('account');
CREATE TRIGGER users_noticed_privacy AFTER UPDATE OF hide_status, hide_last_seen ON users FOR EACH ROW
    WHEN ((OLD.hide_status, OLD.hide_last_seen) IS DISTINCT FROM (NEW.hide_status, NEW.hide_last_seen))
    EXECUTE FUNCTION notice_user('privacy');
CREATE TRIGGER sessions_noticed AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at = 0 AND NEW.ended_at <> 0) EXECUTE FUNCTION notice_session();

-- +goose Down

DROP TRIGGER sessions_noticed ON sessions;
DROP TRIGGER users_noticed_privacy ON users;
DROP TRIGGER users_noticed_update ON users;
DROP TRIGGER users_noticed_delete ON users;
DROP TRIGGER users_noticed_insert ON users;
DROP FUNCTION notice_session();
DROP FUNCTION notice_user();
DROP TABLE notices;
CREATE INDEX history_at ON history (at);
DROP INDEX history_at_cause;
DROP TABLE concurrency;
DROP INDEX users_private;
ALTER TABLE users DROP COLUMN hide_last_seen;
ALTER TABLE users DROP COLUMN hide_status;
