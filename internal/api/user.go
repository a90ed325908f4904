package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	// maxSessions is how many of somebody's sessions are shown, newest first.
	maxSessions = 200
	// lastTransitions is how many changes the page of a person shows.
	lastTransitions = 20
)

// person is everything known of one user at one moment.
type person struct {
	account  presence.Account
	presence presence.Presence
	state    presence.State
	rows     []presence.LoginSession
	// lease and now are the same moment on the lease clock and on the wall.
	lease time.Duration
	now   time.Time
}

// look finds out everything about one user.
func (h *Handler) look(ctx context.Context, c *call, user presence.UserID) (*person, error) {
	p := &person{now: h.Now()}
	var err error
	if p.account, err = h.Store.Account(ctx, user); err != nil {
		return nil, err
	}
	if p.rows, err = h.Store.Sessions(ctx, user, c.now, maxSessions); err != nil {
		return nil, err
	}
	if p.state, p.lease, err = h.Presence.Inspect(ctx, user); err != nil {
		return nil, err
	}
	s := &p.state
	p.presence = presence.Presence{
		User: user, Status: s.Status, Cause: s.Cause, Held: s.Held(), LastSeen: s.LastSeen, Since: s.Since, Version: s.Version,
	}
	return p, nil
}

// ends is a moment of the lease clock on the wall.
func (p *person) ends(due time.Duration) time.Time { return stamp(p.now.Add(due - p.lease)) }

// sessions joins what the store and the engine know of sessions, the live ones first, then the newest.
func (p *person) sessions(c *call, h *Handler) []wire.Session {
	live := 0
	known := make(map[presence.SessionID]presence.Session, len(p.state.Sessions))
	for _, one := range p.state.Sessions {
		known[one.ID] = one
		if one.Live {
			live++
		}
	}
	list := make([]wire.Session, 0, len(p.rows)+len(known))
	for _, row := range p.rows {
		shown := wire.Session{
			ID: row.ID.String(), Kind: "login", Current: row.ID == c.id.Session, CreatedAt: moment(row.CreatedAt),
			ExpiresAt: moment(row.ExpiresAt), IP: row.IP, UserAgent: row.UserAgent, Device: presence.DeviceLabel(row.UserAgent),
		}
		if row.Foreign {
			shown.Kind = "foreign"
		}
		p.addLease(&shown, known[row.ID], live)
		delete(known, row.ID)
		list = append(list, shown)
	}
	for id, one := range known { // sessions without a row: a backend's, a stand-in, or a row that has just ended
		shown := wire.Session{ID: id.String(), Kind: "stand_in"}
		if id != presence.StandIn {
			source, ok := "", false
			if h.Touch != nil {
				source, ok = h.Touch.SourceOf(p.account.ID, id)
			}
			if !ok {
				continue
			}
			shown.Kind, shown.UserAgent = "touch", source
		}
		p.addLease(&shown, one, live)
		list = append(list, shown)
	}
	slices.SortStableFunc(list, func(a, b wire.Session) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}

func rank(s wire.Session) int {
	if s.Live {
		return 0
	}
	return 1
}

// addLease adds what the engine knows. When a session was heard last is known while it is the only live one:
// then it is the person's last sign of life.
func (p *person) addLease(to *wire.Session, one presence.Session, live int) {
	to.Live, to.Idle, to.Leaving, to.Connections = one.Live, one.Idle, one.Leaving, one.Conns
	if !one.Live {
		return
	}
	ends := p.ends(one.Due)
	to.LeaseEndsAt = &ends
	if live == 1 {
		to.LastSignalAt = moment(p.state.LastSeen)
	}
}

func (h *Handler) user(ctx context.Context, c *call, in *UserPath) (*reply[wire.UserDetail], error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	return h.detail(ctx, c, user)
}

// detail is the page of a person.
func (h *Handler) detail(ctx context.Context, c *call, user presence.UserID) (*reply[wire.UserDetail], error) {
	p, err := h.look(ctx, c, user)
	if err != nil {
		return nil, err
	}
	// Another node's clock may be ahead of ours, and its changes are none the less the last ones.
	changes, err := h.Store.LastChanges(ctx, user, p.now.Add(time.Hour), lastTransitions)
	if err != nil {
		return nil, err
	}
	detail := wire.UserDetail{
		Account: accountOf(&p.account), Presence: presenceOf(p.presence), Privacy: privacyOf(p.account.Privacy), Why: p.why(),
		Sessions: p.sessions(c, h), Transitions: make([]wire.Transition, len(changes)), AsOf: stamp(p.now),
	}
	for i := range changes {
		detail.Transitions[i] = transitionOf(&changes[i])
	}
	switch hold := p.state.Hold; {
	case hold.Own(user):
		own := ownStatusOf(hold)
		detail.OwnStatus = &own
	case hold.Active:
		detail.Hold = &wire.Hold{Status: hold.Status.String(), Until: moment(hold.Until), Note: hold.Note, By: somebody(hold.Actor)}
	}
	return answer(detail), nil
}

func transitionOf(c *presence.Change) wire.Transition {
	t := wire.Transition{
		At: stamp(c.At), From: c.From.String(), To: c.To.String(), Cause: c.Cause.String(), Actor: somebody(c.Actor), Node: c.Node,
	}
	if c.Session != presence.EverySession {
		t.Session = c.Session.String()
	}
	return t
}

// somebody is the id of an actor, empty where there is none.
func somebody(id presence.UserID) string {
	if id == 0 {
		return ""
	}
	return formatUser(id)
}
