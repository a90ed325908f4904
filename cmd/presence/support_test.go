package main

import (
	"strings"
	"testing"

	"github.com/offchat/presence/internal/config"
)

func TestABundleHidesEverySecret(t *testing.T) {
	issuer := strings.Repeat("k3y-of-issuer ", 3)
	hide := hider(&config.Config{Data: t.TempDir(), Issuers: []config.Issuer{{Name: "app", Secret: config.Secret(issuer)}}})
	for name, secret := range map[string]string{
		"the token of a backend":     "opt_UDTXchW6PlzM0aQ8rT5vYb2nKd4sFg7hJk9xLc",
		"the secret of a webhook":    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKY0=",
		"a ticket for several nodes": "sealed.AbC-dEf_0123456789abcdefghijklmnop",
		"the secret of an issuer":    issuer,
	} {
		text := "a line that says " + secret + " in the middle"
		if got := string(hide([]byte(text))); got != "a line that says "+hidden+" in the middle" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
