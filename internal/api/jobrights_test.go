package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// TestAJobStopsInTheMiddle: whoever started a job and may not go on, for whatever reason, does nothing more from that
// act on, and the job says why. What was done before stays done.
func TestAJobStopsInTheMiddle(t *testing.T) {
	const accounts, before = 60, 20
	role := presence.RoleModerator
	for _, one := range []struct {
		name, why string
		end       func(ctx context.Context, s *stack, starter auth.Tokens) error
	}{
		{"the role is taken away", "role", func(ctx context.Context, s *stack, _ auth.Tokens) error {
			_, err := s.auth.Update(ctx, auth.System, 2, auth.Patch{Role: &role}, presence.Origin{})
			return err
		}},
		{"the account is banned", "banned", func(ctx context.Context, s *stack, _ auth.Tokens) error {
			_, err := s.auth.Ban(ctx, auth.System, 2, "", presence.Origin{})
			return err
		}},
		{"the account is put into the trash", "account", func(ctx context.Context, s *stack, _ auth.Tokens) error {
			_, err := s.auth.Delete(ctx, auth.System, 2, false, presence.Origin{})
			return err
		}},
		{"the account is erased", "account", func(ctx context.Context, s *stack, _ auth.Tokens) error {
			_, err := s.auth.Erase(ctx, auth.System, 2, presence.Origin{})
			return err
		}},
		{"somebody signs the admin out", "session", func(ctx context.Context, s *stack, _ auth.Tokens) error {
			_, err := s.auth.ForceLogout(ctx, auth.System, 2, presence.Origin{})
			return err
		}},
		{"the admin signs out", "session", func(ctx context.Context, s *stack, starter auth.Tokens) error {
			id, err := s.auth.Authenticate(ctx, starter.Access, s.h.Now())
			if err != nil {
				return err
			}
			return s.auth.Logout(ctx, id, "", presence.Origin{})
		}},
	} {
		t.Run(one.name, func(t *testing.T) {
			s := newStack(t)
			s.seed(admin(1, "boss"), admin(2, "other"))
			ids := make([]string, accounts)
			for i := range ids {
				id := presence.UserID(100 + i)
				s.seed(user(id, fmt.Sprintf("user%d", i)))
				ids[i] = fmt.Sprintf("%q", formatUser(id))
			}
			other := s.login("other")
			started := want[wire.Job](s, 200, "POST", "/api/v1/jobs", other.Access,
				fmt.Sprintf(`{"act":"suspend","ids":[%s],"expected":%d}`, strings.Join(ids, ","), accounts))
			j := s.h.nextJob()
			all := j.users
			j.users = all[:before] // the first rows, then what happens meanwhile, then the rest
			if err := s.h.workThrough(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			if err := one.end(t.Context(), s, other); err != nil {
				t.Fatal(err)
			}
			j.users = all[before:]
			s.h.runJob(t.Context(), j)

			told := want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+started.ID, s.login("boss").Access, "")
			if told.State != "failed" || told.OK != before || told.Failed != 0 || told.Left != accounts-before || told.UndoUntil == nil {
				t.Errorf("job: %+v", told)
			}
			if !strings.Contains(told.Detail, one.why) || !strings.Contains(told.Detail, "other") {
				t.Errorf("it says %q, which does not name other and the %s", told.Detail, one.why)
			}
			for i, id := range all {
				if got := s.accountStatus(id) == "suspended"; got != (i < before) {
					t.Fatalf("account %d is suspended: %v", i, got)
				}
			}
		})
	}
}

// TestAnUndoNeedsTheSameRights: putting back is an act like any.
func TestAnUndoNeedsTheSameRights(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), admin(2, "other"), user(7, "alice"))
	other := s.login("other")
	j := s.job(other.Access, `{"act":"ban","ids":["7"],"expected":1}`)
	undoing := want[wire.Job](s, 200, "POST", "/api/v1/jobs/"+j.ID+"/undo", other.Access, "")
	if _, err := s.auth.ForceLogout(t.Context(), auth.System, 2, presence.Origin{}); err != nil {
		t.Fatal(err)
	}
	s.runJobs()
	undoing = want[wire.Job](s, 200, "GET", "/api/v1/jobs/"+undoing.ID, s.login("boss").Access, "")
	if undoing.State != "failed" || undoing.OK != 0 || s.accountStatus(7) != "banned" {
		t.Errorf("the undoing: %+v, alice %s", undoing, s.accountStatus(7))
	}
}
