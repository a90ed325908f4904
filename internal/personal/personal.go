// Package personal puts together everything that is kept about one person, for somebody who asks what is known about
// them. It decides what belongs to that; who may ask, it leaves to its callers.
package personal

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// Records is what is kept; both stores have it.
type Records interface {
	presence.PersonStore
	AccountsByID(ctx context.Context, ids []presence.UserID) ([]presence.Account, error)
	Trash(ctx context.Context, limit int) ([]presence.Account, error)
	Activity(ctx context.Context, user presence.UserID, offset, limit int) ([]presence.ActivityEntry, int, error)
	History(ctx context.Context, user presence.UserID, from, to time.Time, limit int) ([]presence.Change, error)
	Holds(ctx context.Context) (map[presence.UserID]presence.Hold, error)
	AuditBefore(ctx context.Context, f presence.AuditFilter, before int64, limit int) ([]presence.AuditEntry, error)
}

// Statuses tells who is online.
type Statuses interface {
	State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error)
}

// Find finds an account by its number, in the trash too: what lies there is kept, after all. Error: NotFound.
func Find(ctx context.Context, records Records, user presence.UserID) (presence.Account, error) {
	const op = "find a person"
	found, err := records.AccountsByID(ctx, []presence.UserID{user})
	if err != nil {
		return presence.Account{}, err
	}
	if len(found) == 0 {
		if found, err = records.Trash(ctx, 0); err != nil {
			return presence.Account{}, err
		}
		found = slices.DeleteFunc(found, func(a presence.Account) bool { return a.ID != user })
	}
	if len(found) == 0 {
		return presence.Account{}, &presence.Error{Kind: presence.NotFound, Op: op, Tell: "User not found"}
	}
	return found[0], nil
}

// Read reads everything.
func Read(ctx context.Context, records Records, statuses Statuses, a presence.Account) (p wire.Person, err error) {
	p = wire.Person{
		ExportedAt: time.Now().UTC(), Account: accountOf(&a),
		Sessions: []wire.PersonSession{}, Activity: []wire.PersonActivity{}, History: []wire.PersonChange{},
		AuditAbout: []wire.PersonAuditLine{}, AuditBy: []wire.PersonAuditLine{},
	}
	states, err := statuses.State(ctx, []presence.UserID{a.ID})
	if err != nil {
		return p, err
	}
	if len(states) == 1 {
		p.Presence = wire.PersonPresence{
			Status: states[0].Status.String(), LastSeen: at(states[0].LastSeen), Since: at(states[0].Since), Cause: states[0].Cause.String(),
		}
	}
	holds, err := records.Holds(ctx)
	if err != nil {
		return p, err
	}
	if hold, ok := holds[a.ID]; ok {
		p.Hold = &wire.PersonHold{Status: hold.Status.String(), Until: at(hold.Until), Note: hold.Note, Actor: somebody(hold.Actor)}
	}
	sessions, err := records.SessionsOf(ctx, a.ID)
	if err != nil {
		return p, err
	}
	for _, s := range sessions {
		p.Sessions = append(p.Sessions, wire.PersonSession{
			CreatedAt: at(s.CreatedAt), ExpiresAt: at(s.ExpiresAt), EndedAt: at(s.EndedAt), EndCause: s.EndCause.String(), IP: s.IP, UserAgent: s.UserAgent,
		})
	}
	activity, _, err := records.Activity(ctx, a.ID, 0, 0)
	if err != nil {
		return p, err
	}
	for _, e := range activity {
		p.Activity = append(p.Activity, wire.PersonActivity{At: at(e.At), Action: e.Action, Description: e.Description, IP: e.IP, UserAgent: e.UserAgent})
	}
	changes, err := records.History(ctx, a.ID, time.Unix(0, 0), time.Now().Add(time.Hour), 0)
	if err != nil {
		return p, err
	}
	for _, c := range changes {
		p.History = append(p.History, wire.PersonChange{At: at(c.At), From: c.From.String(), To: c.To.String(), Cause: c.Cause.String(), Actor: somebody(c.Actor)})
	}
	about, err := records.AuditBefore(ctx, presence.AuditFilter{Target: a.ID}, 0, 0)
	if err != nil {
		return p, err
	}
	by, err := records.AuditBefore(ctx, presence.AuditFilter{Actor: a.ID}, 0, 0)
	p.AuditAbout, p.AuditBy = AuditLines(about), AuditLines(by)
	return p, err
}

func accountOf(a *presence.Account) wire.PersonAccount {
	return wire.PersonAccount{
		ID: somebody(a.ID), Username: a.Username, Email: a.Email, FirstName: a.FirstName, LastName: a.LastName, Avatar: a.Avatar, Bio: a.Bio,
		Role: a.Role.String(), Staff: a.Staff, Status: a.Status.String(), Active: a.Active, EmailVerified: a.EmailVerified,
		HasPassword: a.PasswordHash != "" && a.PasswordHash[0] != '!', HideStatus: a.Privacy.HideStatus, HideLastSeen: a.Privacy.HideLastSeen,
		JoinedAt: at(a.JoinedAt), CreatedAt: at(a.CreatedAt), UpdatedAt: at(a.UpdatedAt), DeletedAt: at(a.DeletedAt),
	}
}

// AuditLines are lines of the audit as they are shown to people.
func AuditLines(entries []presence.AuditEntry) []wire.PersonAuditLine {
	lines := make([]wire.PersonAuditLine, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		lines = append(lines, wire.PersonAuditLine{
			ID: strconv.FormatInt(e.ID, 10), At: at(e.At), Actor: somebody(e.Actor), Action: e.Action, Target: somebody(e.Target), TargetName: e.TargetName,
			Before: object(e.Before), After: object(e.After), Reason: e.Reason, IP: e.IP, UserAgent: e.UserAgent, RequestID: e.RequestID,
		})
	}
	return lines
}

// object is JSON as it is stored; nothing where there is none.
func object(text string) any {
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

// somebody is an id, empty for nobody.
func somebody(id presence.UserID) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(int64(id), 10)
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
