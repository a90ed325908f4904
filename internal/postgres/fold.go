package postgres

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
)

// between separates the fields of a search text, so that nothing matches across two of them.
const between = "\x1f"

// searchText is what a search looks into: the searched fields of an account, folded.
func searchText(a *presence.Account) string {
	return fold(a.Username) + between + fold(a.Email) + between + fold(a.FirstName) + between + fold(a.LastName)
}

// fold makes texts equal that differ in case only, in every script: what the database's own lower does depends
// on the locale it was made with.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if r == rune(between[0]) || r == 0 {
			return ' '
		}
		least := unicode.ToLower(r)
		for other := unicode.SimpleFold(least); other != unicode.ToLower(r); other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, text)
}

// containing is the LIKE pattern of whatever holds the text; what LIKE takes for wildcards is plain text in it.
func containing(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(fold(text)) + "%"
}

// keepable reports whether PostgreSQL can hold a text: UTF-8 without the zero character. What it cannot hold
// is nobody's name.
func keepable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// kept is a text as it is kept: with a question mark in a diamond for each character that cannot be.
func kept(text string) string {
	if keepable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}
