package presence

import (
	"testing"
	"time"
)

// Who may know what: a viewer asks about somebody online, seen a moment ago.
func TestPresenceForViewer(t *testing.T) {
	p := Presence{User: 7, Status: Online, Cause: CauseLogin, Held: true, LastSeen: noon, Since: noon.Add(-time.Hour), Version: 3}
	plain := Presence{User: 7, Status: Online, LastSeen: p.LastSeen, Since: p.Since}
	noTimes := Presence{User: 7, Status: Online}
	nothing := Presence{User: 7}
	for _, c := range []struct {
		name   string
		viewer Viewer
		hidden Privacy
		want   Presence
	}{
		{"by default everybody sees status and last_seen, and not why", Viewer{User: 8}, Privacy{}, plain},
		{"the owner sees everything", Viewer{User: 7}, Privacy{HideStatus: true, HideLastSeen: true}, p},
		{"staff see everything", Viewer{User: 8, Staff: true}, Privacy{HideStatus: true}, p},
		{"a hidden last_seen", Viewer{User: 8}, Privacy{HideLastSeen: true}, noTimes},
		{"a hidden status hides the times too", Viewer{User: 8}, Privacy{HideStatus: true}, nothing},
		{"who hides their last_seen does not see others'", Viewer{User: 8, Privacy: Privacy{HideLastSeen: true}}, Privacy{}, noTimes},
		{"who hides does not see", Viewer{User: 8, Privacy: Privacy{HideStatus: true}}, Privacy{}, nothing},
	} {
		if got := p.For(c.viewer, c.hidden); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	offline := Presence{User: 7, Status: Offline, Cause: CauseTimeout, LastSeen: noon, Since: noon, Version: 4}
	if a, b := p.For(Viewer{User: 8}, Privacy{HideStatus: true}), offline.For(Viewer{User: 8}, Privacy{HideStatus: true}); a != b {
		t.Errorf("hidden online %+v and hidden offline %+v can be told apart", a, b)
	}
}
