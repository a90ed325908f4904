-- A node of before the chain, beside new ones while they are replaced, writes lines of the audit without a seal. They get
-- it here, as presence.SealAudit makes it, so that the chain is whole whoever writes.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION audit_digest(salt bytea, texts text[]) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY texts LOOP
        salt := salt || int8send(octet_length(one)::bigint) || convert_to(one, 'UTF8');
    END LOOP;
    RETURN sha256(salt);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION seal_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head bytea;
BEGIN
    SELECT hash INTO head FROM audit_head WHERE id = 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NEW; -- the chain has not begun: sealed with all of before when it does
    END IF;
    -- The line comes after those that were written while it waited for the head, and so must its number.
    NEW.id := nextval(pg_get_serial_sequence('audit', 'id'));
    NEW.salts := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    NEW.digests := audit_digest(substr(NEW.salts, 1, 16), ARRAY[NEW.target_name, NEW.before, NEW.after, NEW.reason])
        || audit_digest(substr(NEW.salts, 17, 16), ARRAY[NEW.ip_address, NEW.user_agent, NEW.request_id]);
    NEW.hash := sha256(sha256(sha256(convert_to('presence audit line 1', 'UTF8') || head || int8send(NEW.actor_id) || int8send(NEW.target_id)
        || int8send(CASE NEW.at WHEN 0 THEN -62135596800000000 ELSE NEW.at END) || convert_to(NEW.action, 'UTF8'))) || NEW.digests);
    UPDATE audit_head SET entries = entries + 1, hash = NEW.hash WHERE id = 1;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER audit_sealed BEFORE INSERT ON audit FOR EACH ROW WHEN (NEW.hash = '') EXECUTE FUNCTION seal_audit();

-- +goose Down

DROP TRIGGER audit_sealed ON audit;
DROP FUNCTION seal_audit();
DROP FUNCTION audit_digest(bytea, text[]);
