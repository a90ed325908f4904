package presence

import "time"

// Privacy is what a person keeps to themselves. The zero value hides nothing, as the recorded system does.
// It is reciprocal: who hides does not see.
type Privacy struct {
	// HideStatus: to others the person looks offline, and like somebody whose last_seen is not given.
	HideStatus bool
	// HideLastSeen: to others the person's last_seen and since are not given.
	HideLastSeen bool
}

// Viewer is who asks. Staff are admins and moderators: they see everything.
type Viewer struct {
	User  UserID
	Staff bool
	Privacy
}

// For returns p as the viewer may know it, where hidden is what p's owner keeps to themselves. Staff and the
// owner see everything. A hidden user cannot be told from an offline one whose last_seen is not given: no
// cause, no version, no hold tells them apart.
func (p Presence) For(viewer Viewer, hidden Privacy) Presence {
	if viewer.Staff || viewer.User == p.User {
		return p
	}
	if hidden.HideStatus || viewer.HideStatus {
		return Presence{User: p.User}
	}
	p.Cause, p.Version, p.Held = CauseNone, 0, false
	if hidden.HideLastSeen || viewer.HideLastSeen {
		p.LastSeen, p.Since = time.Time{}, time.Time{}
	}
	return p
}
