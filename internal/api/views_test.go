package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

func TestViewsAreOnesOwnUntilTheyAreShared(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), withRole(user(2, "mod"), presence.RoleModerator), withRole(user(3, "mod2"), presence.RoleModerator))
	boss, mod, mod2 := s.login("boss").Access, s.login("mod").Access, s.login("mod2").Access
	names := func(token string) string {
		var words []string
		for _, v := range want[wire.ViewList](s, 200, "GET", "/api/v1/views", token, "").Items {
			words = append(words, fmt.Sprintf("%s:%s:%t", v.Name, v.OwnerName, v.Mine))
		}
		return strings.Join(words, " ")
	}
	save := func(token, body string) wire.View {
		return want[wire.View](s, 200, "POST", "/api/v1/views", token, body)
	}
	own := save(mod, `{"name":" Away > 15 min ","page":"users","query":"presence=away","shared":false}`)
	if own.Name != "Away > 15 min" || own.Query != "presence=away" || !own.Mine || own.OwnerName != "mod" {
		t.Errorf("saved: %+v", own)
	}
	if got := names(mod) + "|" + names(boss); got != "Away > 15 min:mod:true|" {
		t.Errorf("before it is shared: %s", got)
	}
	for _, token := range []string{boss, mod2} { // who does not see it does not learn that it is there
		want[wire.Problem](s, 404, "PUT", "/api/v1/views/"+own.ID, token, `{"name":"x","page":"users","query":"","shared":true}`)
		want[wire.Problem](s, 404, "DELETE", "/api/v1/views/"+own.ID, token, "")
	}
	want[wire.View](s, 200, "PUT", "/api/v1/views/"+own.ID, mod, `{"name":"Away","page":"users","query":"presence=away","shared":true}`)
	if got := names(mod2) + "|" + names(boss); got != "Away:mod:false|Away:mod:false" {
		t.Errorf("after it is shared: %s", got)
	}
	want[wire.Problem](s, 403, "DELETE", "/api/v1/views/"+own.ID, mod2, "")
	changed := want[wire.View](s, 200, "PUT", "/api/v1/views/"+own.ID, boss, `{"name":"Away now","page":"users","query":"presence=away","shared":true}`)
	if changed.OwnerName != "mod" || changed.Mine {
		t.Errorf("changed by an admin: %+v", changed)
	}
	if w := s.ask("DELETE", "/api/v1/views/"+own.ID, mod, ""); w.Code != 204 {
		t.Errorf("remove: %d", w.Code)
	}
	if got := names(mod); got != "" {
		t.Errorf("left: %s", got)
	}
	for body, field := range map[string]string{
		`{"name":"  ","page":"users","query":"","shared":false}`:                                 "name",
		`{"name":"a\u202eb","page":"users","query":"","shared":false}`:                           "name",
		`{"name":"a","page":"../x","query":"","shared":false}`:                                   "page",
		`{"name":"a","page":"users","query":"%zz","shared":false}`:                               "query",
		`{"name":"a","page":"users","query":"` + strings.Repeat("x", 2001) + `","shared":false}`: "query",
	} {
		if p := want[wire.Problem](s, 422, "POST", "/api/v1/views", mod, body); p.Field != field {
			t.Errorf("%.60s: %+v", body, p)
		}
	}
}

func TestViewsAreBounded(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"))
	boss := s.login("boss").Access
	for range maxViews {
		want[wire.View](s, 200, "POST", "/api/v1/views", boss, `{"name":"v","page":"users","query":"","shared":false}`)
	}
	want[wire.Problem](s, 409, "POST", "/api/v1/views", boss, `{"name":"v","page":"users","query":"","shared":false}`)
}
