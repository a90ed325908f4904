package api

import (
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// why says what decides somebody's status now and what happens if nothing more is heard. It reads the same
// facts as the rule (presence.Policy.Next) and in the same order: a hold, then the most present live session.
func (p *person) why() wire.Why {
	s := &p.state
	w := wire.Why{Status: s.Status.String(), Since: moment(s.Since), Cause: s.Cause.String()}
	underneath, decider, next := p.underneath()
	if s.Hold.Own(s.User) && underneath == presence.Online {
		w.Rule, w.Text, w.Session, w.Next = "own_status", "They say themselves that they are away.", decider.ID.String(), next
		if !s.Hold.Until.IsZero() {
			w.Text = "They say themselves that they are away until " + clock(s.Hold.Until) + "."
		}
		return w
	}
	if s.Hold.Active && !s.Hold.Own(s.User) {
		w.Rule, w.Text = "hold", "An admin's hold says "+s.Hold.Status.String()+" until it is lifted."
		if !s.Hold.Until.IsZero() {
			w.Text = "An admin's hold says " + s.Hold.Status.String() + " until " + clock(s.Hold.Until) + "."
			w.Next = &wire.Deadline{Status: underneath.String(), At: stamp(s.Hold.Until)}
		}
		return w
	}
	w.Next = next
	if decider != nil {
		w.Session = decider.ID.String()
	}
	switch {
	case underneath == presence.Online:
		w.Rule, w.Text = "active_session", "A session is active; silence until "+clock(p.ends(decider.Due))+" would end it."
		if decider.Leaving {
			w.Text = "The last connection of a session closed; it may come back until " + clock(p.ends(decider.Due)) + "."
		}
	case underneath == presence.Away:
		w.Rule, w.Text = "idle_session", "Every live session says that its person left; silence until "+clock(p.ends(decider.Due))+" would end the last one."
	case s.Version == 0:
		w.Rule, w.Text = "never_seen", "Nothing was ever heard of this account."
	default:
		w.Rule, w.Text = "no_session", offlineBecause[s.Cause]
		if w.Text == "" {
			w.Text = "No session is live."
		}
	}
	return w
}

// offlineBecause words the causes that take somebody offline.
var offlineBecause = map[presence.Cause]string{
	presence.CauseTimeout:    "The last session fell silent for its whole lease.",
	presence.CauseDisconnect: "The last connection closed and did not come back in time.",
	presence.CauseLogout:     "The last session was logged out.",
	presence.CauseForced:     "An admin, or the end of the account's right to sign in, ended every session.",
	presence.CauseAdmin:      "An admin said so, and nothing was heard since.",
}

// underneath is the status that the sessions give, the session that decides it, and the next moment at which
// silence changes it.
func (p *person) underneath() (presence.Status, *presence.Session, *wire.Deadline) {
	var active, idle *presence.Session // those that last longest
	for i := range p.state.Sessions {
		one := &p.state.Sessions[i]
		last := &active
		if one.Idle {
			last = &idle
		}
		if one.Live && (*last == nil || one.Due > (*last).Due) {
			*last = one
		}
	}
	switch {
	case active != nil && idle != nil && idle.Due > active.Due:
		return presence.Online, active, &wire.Deadline{Status: presence.Away.String(), At: p.ends(active.Due)}
	case active != nil:
		return presence.Online, active, &wire.Deadline{Status: presence.Offline.String(), At: p.ends(active.Due)}
	case idle != nil:
		return presence.Away, idle, &wire.Deadline{Status: presence.Offline.String(), At: p.ends(idle.Due)}
	default:
		return presence.Offline, nil, nil
	}
}

// clock is a moment in a sentence.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
