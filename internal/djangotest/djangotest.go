// Package djangotest makes databases as the Django original leaves them, for tests: the tables that Django's
// migrations make, plausible people, and the rows that years of operation leave behind.
package djangotest

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Key is the SECRET_KEY of the site: what its tokens are signed with.
const Key = "django-insecure-4f!x9q_2m(8zr&w)t1k#0vbn7c5s6hpd3jy@lgae"

// Password is everybody's password.
const Password = "Old-passw0rd"

// Dialect is a database that Django runs on.
type Dialect string

// Dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// columns of the users table as Django declares them in each dialect.
func schema(d Dialect) string {
	text := `
CREATE TABLE users (
	id {id}, password varchar(128) NOT NULL, last_login {time} NULL, is_superuser bool NOT NULL,
	username varchar({name}) {not_null}, first_name varchar({name}) {not_null}, last_name varchar({name}) {not_null},
	is_staff bool NOT NULL, is_active bool NOT NULL, date_joined {time} {not_null},
	email varchar(254) {not_null}, role varchar(20) NOT NULL, status varchar(20) NOT NULL, avatar varchar(100) NULL, bio text NOT NULL,
	online_status varchar(10) NOT NULL, last_seen {time} NULL, join_date {time} {not_null},
	message_count integer NOT NULL, report_count integer NOT NULL, email_verified bool NOT NULL, is_approved bool NOT NULL,
	department varchar(100) NULL, created_at {time} {not_null}, updated_at {time} {not_null}
);
CREATE INDEX users_online_status ON users (online_status);
CREATE TABLE blacklisted_tokens (
	id {id}, token text NOT NULL, user_id bigint NOT NULL, blacklisted_at {time} NOT NULL, expires_at {time} NULL
);
CREATE TABLE user_sessions (
	id {id}, user_id bigint NOT NULL, session_key varchar(40) NOT NULL, ip_address {inet} NULL, user_agent text NOT NULL,
	created_at {time} NOT NULL, last_activity {time} NOT NULL, is_active bool NOT NULL
);
CREATE TABLE user_activities (
	id {id}, user_id bigint NOT NULL, action varchar(50) NOT NULL, description text NOT NULL,
	ip_address {inet} NULL, user_agent text NOT NULL, timestamp {time} NOT NULL
);
CREATE TABLE django_migrations (id {id}, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied {time} NOT NULL);
`
	words := map[string]string{"id": "bigint PRIMARY KEY", "time": "timestamp with time zone", "name": "400", "not_null": "NOT NULL", "inet": "inet"}
	if d == SQLite { // where types are advice, and old migrations were looser
		words = map[string]string{"id": "integer NOT NULL PRIMARY KEY AUTOINCREMENT", "time": "datetime", "name": "150", "not_null": "NULL", "inet": "char(39)"}
	}
	for name, word := range words {
		text = strings.ReplaceAll(text, "{"+name+"}", word)
	}
	return text
}

// Begin is when the site opened.
var Begin = time.Date(2024, 3, 1, 8, 30, 0, 458418000, time.UTC)

// Fill makes the tables and n people in them, with ids 1 to n: their activities (two each), sessions (one for
// every tenth) and refused tokens (one for every hundredth, half of them over at now). Person 1 is an admin.
func Fill(ctx context.Context, db *sql.DB, d Dialect, n int, now time.Time) error {
	if _, err := db.ExecContext(ctx, schema(d)); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	into := writer{ctx: ctx, tx: tx, d: d}
	users := into.table("users", "id", "password", "last_login", "is_superuser", "username", "first_name", "last_name", "is_staff",
		"is_active", "date_joined", "email", "role", "status", "avatar", "bio", "online_status", "last_seen", "join_date",
		"message_count", "report_count", "email_verified", "is_approved", "department", "created_at", "updated_at")
	activities := into.table("user_activities", "id", "user_id", "action", "description", "ip_address", "user_agent", "timestamp")
	sessions := into.table("user_sessions", "id", "user_id", "session_key", "ip_address", "user_agent", "created_at", "last_activity", "is_active")
	tokens := into.table("blacklisted_tokens", "id", "token", "user_id", "blacklisted_at", "expires_at")
	for i := 1; i <= n; i++ {
		joined := Begin.Add(time.Duration(i) * time.Minute)
		seen := any(into.time(now.Add(-time.Duration(i) * 7 * time.Second)))
		if i%11 == 0 {
			seen = nil // never
		}
		role, status, active := "user", "active", true
		switch {
		case i == 1:
			role = "admin"
		case i%50 == 0:
			role = "moderator"
		case i%31 == 0:
			status = "pending"
		case i%37 == 0:
			status = "suspended"
		case i%41 == 0:
			status, active = "banned", false
		}
		online := "offline"
		if i%3 == 0 {
			online = []string{"online", "away"}[i%2]
		}
		users(i, Hash(Password, fmt.Sprint("salt", i)), nil, false, Name(i), "Fīrst "+fmt.Sprint(i), "احمدی", false, active, into.time(joined),
			Name(i)+"@example.org", role, status, nil, "bio\nof "+fmt.Sprint(i), online, seen, into.time(joined), 3, 0, i%2 == 0, true,
			"HR", into.time(joined), into.time(joined.Add(time.Hour)))
		for k := range 2 {
			activities(2*i+k-1, i, []string{"login", "logout"}[k], "User did", "203.0.113.9", "Mozilla/5.0", into.time(joined.Add(time.Duration(k)*time.Hour)))
		}
		if i%10 == 0 {
			sessions(i, i, fmt.Sprintf("%040d", i), "203.0.113.9", "Mozilla/5.0", into.time(joined), into.time(joined), i%20 == 0)
		}
		if i%100 == 0 {
			ends := now.Add(time.Hour)
			if i%200 == 0 {
				ends = now.Add(-time.Hour)
			}
			tokens(i, Token("refresh", int64(i), fmt.Sprintf("%032d", i), ends.Add(-7*24*time.Hour), ends), i, into.time(now), into.time(ends))
		}
		if into.err != nil {
			return into.err
		}
	}
	return tx.Commit()
}

// Name is the username of person i.
func Name(i int) string { return fmt.Sprintf("person%06d", i) }

type writer struct {
	ctx context.Context
	tx  *sql.Tx
	d   Dialect
	err error
}

func (w *writer) time(t time.Time) string {
	if w.d == SQLite { // naive, in UTC; the fraction goes when it is zero
		if t.Nanosecond()/1000 == 0 {
			return t.UTC().Format("2006-01-02 15:04:05")
		}
		return t.UTC().Format("2006-01-02 15:04:05.000000")
	}
	return t.Format(time.RFC3339Nano)
}

func (w *writer) table(name string, columns ...string) func(values ...any) {
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	statement, err := w.tx.PrepareContext(w.ctx, "INSERT INTO "+name+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		w.err = err
		return func(...any) {}
	}
	return func(values ...any) {
		if w.err == nil {
			_, w.err = statement.ExecContext(w.ctx, values...)
		}
	}
}

// Hash is a password hash as Django writes it, cheap.
func Hash(password, salt string) string {
	const iterations = 1
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, sha256.Size)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", iterations, salt, base64.StdEncoding.EncodeToString(key))
}

// Token is a token as SimpleJWT signs it with Key. kind is access or refresh.
func Token(kind string, user int64, jti string, issued, ends time.Time) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	body := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(map[string]any{
		"token_type": kind, "exp": ends.Unix(), "iat": issued.Unix(), "jti": jti, "user_id": user,
	})
	mac := hmac.New(sha256.New, []byte(Key))
	mac.Write([]byte(body))
	return body + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Spoil adds the rows that years leave behind, with ids from 900001. Most of them only SQLite holds.
func Spoil(ctx context.Context, db *sql.DB, d Dialect) error {
	row := func(id int, username, email, password, role, status, first, seen string) error {
		stamp := "2025-01-02 03:04:05"
		text := `INSERT INTO users (id, password, is_superuser, username, first_name, last_name, is_staff, is_active, date_joined, email,
			role, status, bio, online_status, last_seen, join_date, message_count, report_count, email_verified, is_approved, created_at, updated_at)
			VALUES (` + fmt.Sprint(id) + `, ` + password + `, false, ` + username + `, ` + first + `, '', false, true, '` + stamp + `', ` + email + `,
			'` + role + `', '` + status + `', '', 'online', ` + seen + `, '` + stamp + `', 0, 0, false, true, '` + stamp + `', '` + stamp + `')`
		_, err := db.ExecContext(ctx, text)
		return err
	}
	hash := "'" + Hash(Password, "salt") + "'"
	rows := [][8]any{
		{900001, "'Person000002'", "'case@example.org'", hash, "user", "active", "'Case'", "NULL"},                        // differs by case only
		{900002, "'nomail1'", "''", hash, "user", "active", "''", "NULL"},                                                 // no e-mail
		{900003, "'nomail2'", "''", hash, "user", "active", "''", "NULL"},                                                 // nor here
		{900004, "'twice'", "'person000003@example.org'", hash, "user", "active", "''", "NULL"},                           // somebody's e-mail
		{900005, "'unusable'", "'u5@example.org'", "'!kT9x'", "user", "active", "''", "NULL"},                             // signs in elsewhere
		{900006, "'oldhash'", "'u6@example.org'", "'md5$abc$00'", "user", "active", "''", "NULL"},                         // a hash of long ago
		{900007, "'king'", "'u7@example.org'", hash, "king", "frozen", "''", "NULL"},                                      // words we do not know
		{900008, "'" + strings.Repeat("n", 151) + "'", "'u8@example.org'", hash, "user", "active", "''", "NULL"},          // a name too long
		{900009, "'longfirst'", "'u9@example.org'", hash, "user", "active", "'" + strings.Repeat("é", 200) + "'", "NULL"}, // a first name too long
		{900010, "'future'", "'u10@example.org'", hash, "user", "active", "''", "'2099-01-01 00:00:00'"},                  // seen in the future
		{900011, "'aware'", "'u11@example.org'", hash, "user", "active", "''", "'2025-06-01 12:00:00.5+04:30'"},           // with an offset
	}
	if d == SQLite {
		rows = append(rows, [][8]any{
			{900012, "NULL", "'u12@example.org'", hash, "user", "active", "''", "NULL"},                           // nobody
			{900013, "'twin'", "'u13@example.org'", hash, "user", "active", "''", "NULL"},                         // the first of two
			{900014, "'twin'", "'u14@example.org'", hash, "user", "active", "''", "NULL"},                         // with one name
			{900015, "'latin'", "'u15@example.org'", hash, "user", "active", "CAST(x'4a6f73e9' AS TEXT)", "NULL"}, // José in Latin-1
			{900016, "'badtime'", "'u16@example.org'", hash, "user", "active", "''", "'yesterday'"},               // no moment
			{900017, "'nopassword'", "'u17@example.org'", "''", "user", "active", "NULL", "''"},                   // empty and null
			{900018, "'control' || char(27) || '[2J'", "'u18@example.org'", hash, "user", "active", "''", "NULL"}, // would clear a screen
			{-5, "'negative'", "'u19@example.org'", hash, "user", "active", "''", "NULL"},                         // an id nobody can have
		}...)
	}
	for _, r := range rows {
		if err := row(r[0].(int), r[1].(string), r[2].(string), r[3].(string), r[4].(string), r[5].(string), r[6].(string), r[7].(string)); err != nil {
			return fmt.Errorf("row %v: %w", r[0], err)
		}
	}
	_, err := db.ExecContext(ctx, `
		INSERT INTO blacklisted_tokens (id, token, user_id, blacklisted_at) VALUES (900001, 'not a token', 1, '2025-01-01 00:00:00');
		INSERT INTO user_activities (id, user_id, action, description, user_agent, timestamp) VALUES (900001, 777777, 'login', '', '', '2025-01-01 00:00:00')`)
	return err
}
