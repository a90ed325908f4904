package django

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/offchat/presence"
)

// refusal is a token that the original refuses and that we refuse until it ends.
type refusal struct {
	jti     string
	user    presence.UserID
	expires time.Time
}

var tokenWants = [][]string{
	{"id", "id"},
	{"token", "token", "refresh_token", "access_token"},
	{"jti", "jti", "token_jti"},
	{"user", "user_id"},
	{"expires", "expires_at", "expires"},
}

// tokens carries the refused tokens that have not ended: those of the site's own table, and of SimpleJWT's.
func (im *importer) tokens(ctx context.Context) error {
	own := im.source.table("blacklisted_tokens", "users_blacklistedtoken", "users_blacklisted_tokens")
	if own == "" {
		im.report.Missing = append(im.report.Missing, "blacklisted_tokens")
	} else {
		l := im.source.lay(own, tokenWants)
		if err := im.tokenTable(ctx, &l); err != nil {
			return err
		}
	}
	black, all := im.source.table("token_blacklist_blacklistedtoken"), im.source.table("token_blacklist_outstandingtoken")
	if black == "" || all == "" {
		return nil
	}
	// SimpleJWT keeps the refused ones as a list of ids of all it has issued.
	refused := map[string]bool{}
	list := im.source.lay(black, [][]string{{"id", "id"}, {"token", "token_id"}})
	err := im.source.each(ctx, &list, 0, func(f *fields) error {
		id, _ := f.get("token")
		refused[id] = true
		return nil
	})
	if err != nil {
		return err
	}
	l := im.source.lay(all, tokenWants)
	return im.tokenRows(ctx, &l, func(f *fields) bool {
		id, _ := f.get("id")
		return refused[id]
	})
}

func (im *importer) tokenTable(ctx context.Context, l *layout) error {
	if !l.has("token") && !l.has("jti") {
		im.report.Missing = append(im.report.Missing, l.table+".token")
		return nil
	}
	return im.tokenRows(ctx, l, func(*fields) bool { return true })
}

func (im *importer) tokenRows(ctx context.Context, l *layout, wanted func(*fields) bool) error {
	tally := Tally{Table: l.table}
	waiting := make([]refusal, 0, batch)
	flush := func() error {
		err := im.refuse(ctx, waiting, &tally)
		waiting = waiting[:0]
		im.Progress("tokens", tally.Rows, tally.Rows)
		return err
	}
	err := im.source.each(ctx, l, 0, func(f *fields) error {
		if !wanted(f) {
			return nil
		}
		tally.Rows++
		one, why := im.readToken(f)
		switch {
		case why != "":
			tally.Refused++
			id, _ := f.get("id")
			im.report.note(Finding{Grade: Refused, Table: "tokens", ID: firstRunes(printable(id), 40), Field: "token", Text: why})
			return nil
		case !one.expires.After(im.Now):
			tally.Over++
			return nil
		}
		if waiting = append(waiting, one); len(waiting) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	im.report.Tokens = append(im.report.Tokens, tally)
	return err
}

// maxTokenLife is for refused tokens that do not say when they end: longer than any setting we allow would be
// absurd, and too short would let one in again.
const maxTokenLife = 365 * 24 * time.Hour

// readToken finds out which token a row refuses, or why that cannot be told.
func (im *importer) readToken(f *fields) (one refusal, why string) {
	text, _ := f.get("token")
	said, isJWT := readJWT(text)
	one.jti, one.expires, one.user = said.ID, said.Expiry, presence.UserID(max(said.User, 0))
	if jti, ok := f.get("jti"); ok && jti != "" {
		one.jti = jti
	}
	if raw, ok := f.get("user"); ok {
		if id, err := strconv.ParseInt(raw, 10, 64); err == nil && id > 0 {
			one.user = presence.UserID(id)
		}
	}
	if one.jti == "" || len(one.jti) > maxJTI {
		if text != "" && !isJWT {
			return one, "holds no JWT, so it cannot be told which token it refuses"
		}
		return one, "names no token"
	}
	if one.expires.IsZero() {
		raw, _ := f.get("expires")
		if at, ok := readTime(raw, im.Place); ok {
			one.expires = at
		} else {
			one.expires = im.first.Add(maxTokenLife)
		}
	}
	return one, ""
}

// refuse revokes tokens that are not revoked yet.
func (im *importer) refuse(ctx context.Context, some []refusal, tally *Tally) error {
	var fresh []refusal
	for _, one := range some {
		known, err := im.target.TokenRevoked(ctx, one.jti)
		if err != nil {
			return err
		}
		if known {
			tally.Unchanged++
			continue
		}
		fresh = append(fresh, one)
	}
	if len(fresh) == 0 {
		return nil
	}
	tally.Added += len(fresh)
	if im.DryRun {
		return nil
	}
	return im.target.Durable(ctx, func(tx presence.Tx) error {
		for _, one := range fresh {
			if err := tx.RevokeToken(one.jti, one.user, one.expires); err != nil {
				return fmt.Errorf("refuse token: %w", err)
			}
		}
		return nil
	})
}

// sessions looks at the original's list of sessions. It is about devices, not tokens: who holds a live token
// gets a session with the first request. But where a row that is over holds its token, that one is refused.
func (im *importer) sessions(ctx context.Context) error {
	table := im.source.table("user_sessions", "users_usersession")
	if table == "" {
		im.report.Missing = append(im.report.Missing, "user_sessions")
		return nil
	}
	l := im.source.lay(table, append([][]string{{"active", "is_active"}}, tokenWants...))
	tally := &im.report.Sessions
	tally.Table = table
	if !l.has("active") || !l.has("token") && !l.has("jti") {
		total, _, err := im.source.filled(ctx, table, nil)
		tally.Rows, tally.Over = total, total
		return err
	}
	var ended []refusal
	err := im.source.each(ctx, &l, 0, func(f *fields) error {
		tally.Rows++
		one, why := im.readToken(f)
		if raw, ok := f.get("active"); !ok || readTrue(raw) || why != "" || !one.expires.After(im.Now) {
			tally.Over++
			return nil
		}
		if ended = append(ended, one); len(ended) < batch {
			return nil
		}
		err := im.refuse(ctx, ended, tally)
		ended = ended[:0]
		return err
	})
	if err == nil {
		err = im.refuse(ctx, ended, tally)
	}
	return err
}

var activityWants = [][]string{
	{"id", "id"},
	{"user", "user_id"},
	{"action", "action", "activity_type"},
	{"description", "description", "details"},
	{"ip", "ip_address", "ip"},
	{"agent", "user_agent"},
	{"at", "timestamp", "created_at"},
}

// Bounds of activity texts, in characters.
const (
	maxAction      = 100
	maxDescription = 2000
	maxIP          = 64
	maxAgent       = 1000
)

// activities carries people's own logs. How far it came is remembered with each batch, so none comes twice.
func (im *importer) activities(ctx context.Context) error {
	table := im.source.table("user_activities", "users_useractivity")
	if table == "" {
		im.report.Missing = append(im.report.Missing, "user_activities")
		return nil
	}
	l := im.source.lay(table, activityWants)
	tally := &im.report.Activities
	tally.Table = table
	if missing := l.lacks("id", "user", "action", "at"); missing != nil {
		for _, what := range missing {
			im.report.Missing = append(im.report.Missing, table+"."+what)
		}
		return nil
	}
	total, _, err := im.source.filled(ctx, table, nil)
	if err != nil {
		return err
	}
	mark := im.marks[markActivities]
	waiting := make([]presence.ActivityEntry, 0, batch)
	flush := func() error {
		if len(waiting) == 0 {
			return nil
		}
		err := im.append(ctx, waiting, mark, tally)
		waiting = waiting[:0]
		im.Progress("activities", tally.Rows, total)
		return err
	}
	err = im.source.each(ctx, &l, mark, func(f *fields) error {
		tally.Rows++
		one, id, why := im.readActivity(f)
		if why != "" {
			tally.Refused++
			raw, _ := f.get("id")
			im.report.note(Finding{Grade: Refused, Table: "activities", ID: firstRunes(printable(raw), 40), Text: why})
			return nil
		}
		mark = max(mark, id)
		if waiting = append(waiting, one); len(waiting) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	tally.Before = max(total-tally.Rows, 0)
	return err
}

func (im *importer) append(ctx context.Context, entries []presence.ActivityEntry, mark int64, tally *Tally) error {
	tally.Added += len(entries)
	if im.DryRun {
		return nil
	}
	return im.target.Durable(ctx, func(tx presence.Tx) error {
		for _, e := range entries {
			if err := tx.AppendActivity(e); err != nil {
				return fmt.Errorf("activity of user %d: %w", e.User, err)
			}
		}
		return tx.(presence.ImportTx).SetImportMark(markActivities, mark)
	})
}

func (im *importer) readActivity(f *fields) (e presence.ActivityEntry, id int64, why string) {
	raw, _ := f.get("id")
	id, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || id <= 0 {
		return e, 0, "the id is not a positive number"
	}
	raw, _ = f.get("user")
	user, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || !im.known[presence.UserID(user)] {
		return e, id, "it is about nobody who was carried over"
	}
	raw, _ = f.get("at")
	at, ok := readTime(raw, im.Place)
	if !ok {
		return e, id, fmt.Sprintf("%q is no moment", firstRunes(printable(raw), 40))
	}
	text := func(what string, limit int) string {
		raw, _ := f.get(what)
		clean, _ := readText(raw)
		return firstRunes(clean, limit)
	}
	e = presence.ActivityEntry{
		User: presence.UserID(user), Action: text("action", maxAction), Description: text("description", maxDescription),
		IP: text("ip", maxIP), UserAgent: text("agent", maxAgent), At: at,
	}
	return e, id, ""
}
