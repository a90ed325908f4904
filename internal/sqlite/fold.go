package sqlite

import (
	"strings"
	"unicode"

	"github.com/offchat/presence"
)

// between separates the fields of a search text, so that nothing matches across two of them.
const between = "\x1f"

// searchText is what a search looks into: the searched fields of an account, folded.
func searchText(a *presence.Account) string {
	return fold(a.Username) + between + fold(a.Email) + between + fold(a.FirstName) + between + fold(a.LastName)
}

// fold makes texts equal that differ in case only, in every script: SQLite's own lower knows ASCII alone.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if r == rune(between[0]) {
			return ' '
		}
		least := unicode.ToLower(r)
		for other := unicode.SimpleFold(least); other != unicode.ToLower(r); other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, text)
}
