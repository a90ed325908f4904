package config

import (
	"strings"
	"testing"
	"time"
)

func TestIssuers(t *testing.T) {
	file := write(t, "presence.toml", `
[[issuers]]
name = "shop"
secret = "`+goodKey+`"
user_claim = "user_id"
user_is = "id"

[[issuers]]
name = "login"
issuer = "https://login.example.com"
audience = "presence"
algorithms = ["RS256", "EdDSA"]
jwks_url = "https://login.example.com/jwks.json"
roles_claim = "realm_access.roles"
admin_roles = ["admin"]
provision = true
skew = "30s"
`)
	c, err := Load(Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Issuers) != 2 || c.Issuers[0].Algorithms[0] != "HS256" || c.Issuers[0].Skew != time.Minute || string(c.Issuers[0].Secret) != goodKey ||
		!c.Issuers[1].Provision || c.Issuers[1].User != "sub" || c.Issuers[1].Audience[0] != "presence" || c.Issuers[1].Skew != 30*time.Second {
		t.Errorf("%+v", c.Issuers)
	}
	shown := ""
	for _, s := range c.Effective() {
		shown += s.Key + " " + s.Value + "\n"
	}
	if strings.Contains(shown, goodKey) || !strings.Contains(shown, "issuers.shop algorithms=HS256 secret=********") {
		t.Errorf("shown as\n%s", shown)
	}
	without, err := Load(Input{})
	if err != nil {
		t.Fatal(err)
	}
	if _, changes := without.Reload(c); len(changes) != 1 || changes[0].Key != "issuers" || changes[0].Applied || strings.Contains(changes[0].To, goodKey) {
		t.Errorf("%+v", changes)
	}
}

func TestIssuersThatAreRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`issuers = "x"`, "[[issuers]]"},
		{"[[isuers]]\nname = \"x\"", "nearest is issuers"},
		{"[[issuers]]\nname = \"x\"\nsecrte = \"y\"", "nearest is secret"},
		{"[[issuers]]\nname = \"x\"", "jwks_url is needed"},
		{"[[issuers]]\nsecret = \"" + goodKey + "\"", "name"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"short\"", "at least 32"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"" + goodKey + "\"\nalgorithms = [\"none\"]", "none"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"" + goodKey + "\"\nalgorithms = [\"RS256\"]", "does not go"},
		{"[[issuers]]\nname = \"x\"\nissuer = \"i\"\njwks_url = \"https://a.example/k\"", "algorithms"},
		{"[[issuers]]\nname = \"x\"\nissuer = \"i\"\njwks_url = \"https://a.example/k\"\nalgorithms = [\"HS256\"]", "does not go"},
		{"[[issuers]]\nname = \"x\"\nissuer = \"i\"\njwks_url = \"http://a.example/k\"\nalgorithms = [\"RS256\"]", "must be https"},
		{"[[issuers]]\nname = \"x\"\njwks_url = \"https://a.example/k\"\nalgorithms = [\"RS256\"]", "audience is needed"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"" + goodKey + "\"\nuser_is = \"id\"\nprovision = true", "provision"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"" + goodKey + "\"\nprovision = \"yes\"", "true or false"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"" + goodKey + "\"\nroles_claim = \"roles\"", "go together"},
		{"[[issuers]]\nname = \"x\"\nsecret = \"" + goodKey + "\"\nskew = \"1h\"", "10m"},
	} {
		_, err := Load(Input{File: write(t, "presence.toml", c.text)})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), goodKey) {
			t.Errorf("%s\n%v; want %q", c.text, err, c.want)
		}
	}
}
