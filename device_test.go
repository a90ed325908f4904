package presence_test

import (
	"testing"

	"github.com/offchat/presence"
)

func TestDeviceLabel(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                  "Firefox/Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36":                         "Chrome/Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0":           "Edge/Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari/iOS",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15":                   "Safari/macOS",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36":                   "Chrome/Android",
		"okhttp/4.12.0":         "Android app",
		"curl/8.5.0":            "curl",
		"presence-sdk/1.0 node": "Node",
		"MyApp/3.1 (build 7)":   "MyApp",
		"":                      "",
		"<script>alert(1)":      "",
		"\u202eevil/1":          "",
	} {
		if got := presence.DeviceLabel(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
