package api

import (
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// TestTrash: who was deleted is listed with who did it and when they are erased, comes back, and is gone for good when
// somebody erases them there, and only there.
func TestTrash(t *testing.T) {
	keep := 30 * 24 * time.Hour
	s := newStack(t)
	s.h.TrashRetention = func() time.Duration { return keep }
	s.seed(admin(1, "boss"), user(7, "alice"), user(8, "bob"))
	boss := s.login("boss").Access
	trash := func() wire.Trash { return want[wire.Trash](s, 200, "GET", "/api/v1/trash", boss, "") }
	if empty := trash(); len(empty.Items) != 0 || empty.Total != 0 || empty.RetentionSeconds != 30*24*3600 {
		t.Errorf("an empty trash: %+v", empty)
	}
	want[wire.Problem](s, 404, "DELETE", "/api/v1/trash/7", boss, "") // she is not there
	want[nothing](s, 204, "POST", "/api/v1/users/7/acts", boss, `{"act":"trash","reason":"left the company"}`)
	want[nothing](s, 204, "POST", "/api/v1/users/8/acts", boss, `{"act":"trash"}`)
	list := trash()
	if list.Total != 2 || len(list.Items) != 2 || list.Items[0].Account.Username != "bob" {
		t.Fatalf("the trash: %+v", list)
	}
	one := list.Items[1]
	if one.Account.ID != "7" || one.DeletedBy != "1" || one.DeletedByName != "boss" || one.Reason != "left the company" || one.ErasedAt == nil || !one.ErasedAt.Equal(one.DeletedAt.Add(keep)) {
		t.Errorf("alice lies there as %+v", one)
	}
	if few := want[wire.Trash](s, 200, "GET", "/api/v1/trash?limit=1", boss, ""); len(few.Items) != 1 || few.Total != 2 {
		t.Errorf("one of two: %+v", few)
	}
	want[nothing](s, 204, "POST", "/api/v1/users/7/acts", boss, `{"act":"restore"}`)
	want[nothing](s, 204, "DELETE", "/api/v1/trash/8", boss, "")
	if left := trash(); left.Total != 0 {
		t.Errorf("left: %+v", left)
	}
	page := want[wire.AuditPage](s, 200, "GET", "/api/v1/audit?target=8", boss, "")
	if len(page.Items) == 0 || page.Items[0].Action != presence.ActionErase || page.Items[0].TargetName == "bob" {
		t.Errorf("the audit of who was erased: %+v", page.Items)
	}
	keep = 0
	want[nothing](s, 204, "POST", "/api/v1/users/7/acts", boss, `{"act":"trash"}`)
	if list := trash(); list.RetentionSeconds != 0 || list.Items[0].ErasedAt != nil {
		t.Errorf("kept until somebody erases it: %+v", list)
	}
	if n, err := s.auth.EmptyTrash(t.Context(), list.Items[0].DeletedAt); err != nil || n != 0 {
		t.Errorf("erased too early: %d, %v", n, err)
	}
	if n, err := s.auth.EmptyTrash(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 1 || trash().Total != 0 {
		t.Errorf("erased %d (%v), %d are left", n, err, trash().Total)
	}
}
