package presence

import "strings"

// DeviceLabel names a device as a person would, from what its client says of itself: "Firefox/Linux", "Safari/iOS",
// "curl", "Android app". What it does not know is empty. It is for the eyes: nobody is told apart by it.
func DeviceLabel(userAgent string) string {
	app, system := firstKnown(userAgent, knownApps), firstKnown(userAgent, knownSystems)
	switch {
	case app == "" && system == "":
		name, _, _ := strings.Cut(userAgent, "/")
		if name, _, _ = strings.Cut(name, " "); len(name) > 32 || strings.ContainsFunc(name, notPlain) {
			return ""
		}
		return name
	case app == "":
		return system + " app"
	case system == "":
		return app
	default:
		return app + "/" + system
	}
}

// known is a mark in a User-Agent and what it stands for. The first that is found counts: browsers name their
// relatives, too.
type known struct{ mark, name string }

var (
	knownApps = []known{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung"},
		{"YaBrowser/", "Yandex"},
		{"Vivaldi/", "Vivaldi"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chromium/", "Chromium"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
		{"Trident/", "IE"},
		{"curl/", "curl"},
		{"Go-http-client/", "Go"},
		{"python", "Python"},
		{"Python", "Python"},
		{"okhttp/", ""},
		{"node", "Node"},
		{"PostmanRuntime/", "Postman"},
	}
	knownSystems = []known{
		{"iPhone", "iOS"},
		{"iPad", "iPadOS"},
		{"CFNetwork/", "iOS"},
		{"Android", "Android"},
		{"okhttp/", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"Macintosh", "macOS"},
		{"Linux", "Linux"},
	}
)

func firstKnown(text string, list []known) string {
	for _, one := range list {
		if strings.Contains(text, one.mark) {
			return one.name
		}
	}
	return ""
}

func notPlain(r rune) bool { return r < '-' || r > 'z' }
