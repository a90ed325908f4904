package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// Register makes an active account, signs it in and returns it with tokens. A missing e-mail becomes
// username@offchat.local. Field of an Invalid or Conflict: username, email, password.
func (s *Service) Register(ctx context.Context, n NewAccount, from presence.Origin) (presence.Account, Tokens, error) {
	n.Role, n.Status = presence.RoleUser, presence.AccountActive // nobody registers as anything else
	a, err := n.account(s.now(), presence.MinUsername)
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	if _, err := s.store.AccountByName(ctx, a.Username); err == nil { // before the costly hash
		return presence.Account{}, Tokens{}, taken(&presence.Error{Kind: presence.Conflict, Field: "username"})
	}
	if a.PasswordHash, err = s.passwords.hash(ctx, n.Password); err != nil {
		return presence.Account{}, Tokens{}, err
	}
	a, tokens, err := s.begin(ctx, a, from, func(tx presence.Tx, a *presence.Account) error {
		return tx.AppendActivity(activity(a.ID, "register", "User registered", from, s.now()))
	})
	if err == nil {
		s.count.Registrations.Add(1)
	}
	return a, tokens, err
}

// begin stores a new account and signs it in, in one act with also.
func (s *Service) begin(
	ctx context.Context, a presence.Account, from presence.Origin, also func(presence.Tx, *presence.Account) error,
) (presence.Account, Tokens, error) {
	now := s.now()
	row, err := s.newSession(0, from, now)
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	var made presence.Account
	var p presence.Presence
	err = s.commit(ctx, "register", func(tx presence.Tx) error {
		made = a
		if err := tx.InsertAccount(&made); err != nil {
			return taken(err)
		}
		row.User = made.ID
		if err := tx.InsertSession(row); err != nil {
			return err
		}
		return also(tx, &made)
	}, func(ctx context.Context) {
		s.admit(ctx, made)
		p, _ = s.signal(ctx, presence.Signal{User: made.ID, Session: row.ID, Kind: presence.Login, At: now})
	})
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	tokens, err := s.issue(made.ID, row.ID, now, row.ExpiresAt)
	return withPresence(made, p), tokens, err
}

func (s *Service) admit(ctx context.Context, a presence.Account) {
	if err := s.presence.Admit(ctx, a); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "presence did not admit an account", slog.Int64("user", int64(a.ID)), slog.Any("err", err))
	}
	s.tellAccount(a.ID)
}

// withPresence gives an account the presence columns as they are after a signal.
func withPresence(a presence.Account, p presence.Presence) presence.Account {
	if p.User == a.ID {
		a.OnlineStatus, a.LastSeen, a.Since, a.Cause, a.Version = p.Status, p.LastSeen, p.Since, p.Cause, p.Version
	}
	return a
}

// Login checks name and password and opens a session. Errors: Invalid; Unauthenticated CodeBadCredentials;
// Forbidden CodeAccountInactive (Field: "pending", "suspended" or "banned"); Throttled; Unavailable. An
// unknown name, a wrong password and a closed account cost the same one run of a hash and get the same
// answer. The account returned has the presence it has after the login.
func (s *Service) Login(ctx context.Context, username, password string, from presence.Origin) (presence.Account, Tokens, error) {
	username, password = strip(username), strip(password)
	if err := checkLogin(username, password); err != nil {
		return presence.Account{}, Tokens{}, err
	}
	attempt, err := s.throttle.admit(username, from.IP, s.now())
	if err != nil {
		s.count.LoginsThrottled.Add(1)
		return presence.Account{}, Tokens{}, err
	}
	a, tokens, err := s.login(ctx, username, password, from)
	if isKind(err, presence.Unauthenticated) {
		s.count.LoginsFailed.Add(1)
		attempt.fail(s.now())
		return presence.Account{}, Tokens{}, err
	}
	attempt.free(s.now())
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	return a, tokens, nil
}

func checkLogin(username, password string) error {
	switch {
	case username == "":
		return invalid("username", CodeRequired, "Username and password are required")
	case password == "":
		return invalid("password", CodeRequired, "Username and password are required")
	case utf8.RuneCountInString(username) > presence.MaxUsername:
		return invalid("username", CodeTooLong, "Username too long")
	case utf8.RuneCountInString(password) > presence.MaxPassword, len(password) > maxPasswordBytes:
		return invalid("password", CodeTooLong, "Password too long")
	}
	return nil
}

// errMoved: the password hash is not the one any more that was checked.
var errMoved = errors.New("password changed meanwhile")

func (s *Service) login(ctx context.Context, username, password string, from presence.Origin) (presence.Account, Tokens, error) {
	for range 3 {
		a, err := s.store.AccountByName(ctx, username)
		if err != nil && !isKind(err, presence.NotFound) {
			return a, Tokens{}, presence.E(presence.Internal, "login", err)
		}
		fits, err := s.passwords.check(ctx, password, a.PasswordHash) // no account, no hash: a dummy run
		if err != nil {
			return a, Tokens{}, err
		}
		if !fits || !a.Active {
			return a, Tokens{}, badCredentials()
		}
		a, tokens, err := s.open(ctx, a, from)
		if errors.Is(err, errMoved) {
			continue // set or upgraded between check and act: what counts is whether it fits the new one
		}
		if err == nil {
			s.count.Logins.Add(1)
			s.upgradeHash(ctx, a, password)
		}
		return a, tokens, err
	}
	return presence.Account{}, Tokens{}, unavailable("login", errMoved)
}

// open opens a session for an account whose password was checked. Whether it may sign in is decided inside
// the act, so that a suspension at the same moment either refuses the login or ends it.
func (s *Service) open(ctx context.Context, checked presence.Account, from presence.Origin) (presence.Account, Tokens, error) {
	now := s.now()
	row, err := s.newSession(checked.ID, from, now)
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	generation := s.cache.generation(checked.ID)
	var a presence.Account
	var p presence.Presence
	err = s.commit(ctx, "login", func(tx presence.Tx) error {
		var err error
		a, err = tx.Account(checked.ID)
		switch {
		case isKind(err, presence.NotFound), err == nil && (!a.Active || !a.DeletedAt.IsZero()):
			return badCredentials()
		case err != nil:
			return err
		case a.PasswordHash != checked.PasswordHash:
			return errMoved
		case !a.MaySignIn():
			return mayNotLogin(a.Status)
		}
		if err := tx.InsertSession(row); err != nil {
			return err
		}
		return tx.AppendActivity(activity(a.ID, "login", "User logged in", from, now))
	}, func(ctx context.Context) {
		s.cache.keep(generation, viewOf(&a), &row, now)
		p, _ = s.signal(ctx, presence.Signal{User: a.ID, Session: row.ID, Kind: presence.Login, At: now})
	})
	if err != nil {
		return presence.Account{}, Tokens{}, err
	}
	tokens, err := s.issue(a.ID, row.ID, now, row.ExpiresAt)
	return withPresence(a, p), tokens, err
}

func activity(user presence.UserID, action, description string, from presence.Origin, at time.Time) presence.ActivityEntry {
	return presence.ActivityEntry{
		User: user, Action: action, Description: description, IP: from.IP, UserAgent: from.UserAgent, At: stamp(at),
	}
}

// upgradeHash brings the hash of a password that was just checked to the current form, behind the login and
// through the same queue. One at a time: after an import everybody's hash is old, and logins come first.
// Whoever is left out has it upgraded at another login.
func (s *Service) upgradeHash(ctx context.Context, a presence.Account, password string) {
	if s.passwords.current(a.PasswordHash) || !s.upgrading.TryLock() {
		return
	}
	s.background.Go(func() {
		defer s.upgrading.Unlock()
		ctx := context.WithoutCancel(ctx)
		hash, err := s.passwords.hash(ctx, password)
		if err != nil {
			return // the queue is full; another time
		}
		err = s.store.Durable(ctx, func(tx presence.Tx) error {
			fresh, err := tx.Account(a.ID)
			if err != nil || fresh.PasswordHash != a.PasswordHash {
				return err // a new password was set meanwhile: it stays
			}
			fresh.PasswordHash = hash
			return tx.UpdateAccount(&fresh)
		})
		if err != nil && !isKind(err, presence.NotFound) {
			s.log.LogAttrs(ctx, slog.LevelWarn, "password hash not upgraded", slog.Int64("user", int64(a.ID)), slog.Any("err", err))
		}
	})
}
