package api

import (
	"testing"
	"time"

	"github.com/offchat/presence"
)

func TestAFullDiskIsAProblemOfItsOwn(t *testing.T) {
	p := problemOf(&presence.Error{
		Kind: presence.Unavailable, Code: presence.CodeDiskFull, Tell: "The server's disk is full; nothing was saved.", RetryAfter: 5 * time.Second,
	})
	if p.Status != 507 || p.Code != "disk_full" || p.Detail == "" || p.RetryAfter != 5 || p.Title != "Disk full" {
		t.Errorf("%+v", p.Problem)
	}
}
