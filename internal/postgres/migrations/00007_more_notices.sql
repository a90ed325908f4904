-- What nodes must hear of besides what tokens and sessions hang on: how accounts look in lists (profile), and the
-- tokens of backends.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION notice_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notices (user_id, topic) VALUES (coalesce(NEW.user_id, OLD.user_id), 'profile');
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION notice_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notices (user_id, topic) VALUES (0, 'token');
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER users_noticed_profile
    AFTER UPDATE OF email, first_name, last_name, avatar, bio, email_verified, password ON users FOR EACH ROW
    WHEN ((OLD.email, OLD.first_name, OLD.last_name, OLD.avatar, OLD.bio, OLD.email_verified, OLD.password)
        IS DISTINCT FROM (NEW.email, NEW.first_name, NEW.last_name, NEW.avatar, NEW.bio, NEW.email_verified, NEW.password))
    EXECUTE FUNCTION notice_user('profile');
CREATE TRIGGER holds_noticed AFTER INSERT OR UPDATE OR DELETE ON holds FOR EACH ROW EXECUTE FUNCTION notice_hold();
CREATE TRIGGER api_tokens_noticed AFTER INSERT OR UPDATE OF revoked_at ON api_tokens FOR EACH STATEMENT EXECUTE FUNCTION notice_token();

-- +goose Down

DROP TRIGGER api_tokens_noticed ON api_tokens;
DROP TRIGGER holds_noticed ON holds;
DROP TRIGGER users_noticed_profile ON users;
DROP FUNCTION notice_token();
DROP FUNCTION notice_hold();
