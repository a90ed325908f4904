package config

import (
	"maps"
	"reflect"
	"strings"
)

// Change is one setting that differs between what a server runs with and what is configured now. Secrets are
// masked, so both sides may look the same.
type Change struct {
	Key, From, To string
	// Applied: it takes effect at once. Else it needs a restart.
	Applied bool
}

// Reload returns the settings a running server goes on with after the configuration became next: next's values of the settings
// that may change while it runs (those with the tag reload), its own of all others; and what differs, in the order
// of the struct. Neither c nor next is changed.
func (c *Config) Reload(next *Config) (merged *Config, changes []Change) {
	copied := *c
	copied.sources = maps.Clone(c.sources)
	merged = &copied
	for i := range table {
		s := &table[i]
		was, is := reflect.ValueOf(c).Elem().Field(s.field), reflect.ValueOf(next).Elem().Field(s.field)
		if reflect.DeepEqual(was.Interface(), is.Interface()) {
			continue
		}
		changes = append(changes, Change{s.key, s.show(c), s.show(next), s.reload})
		if s.reload {
			reflect.ValueOf(merged).Elem().Field(s.field).Set(is)
			delete(merged.sources, s.key)
			if from, ok := next.sources[s.key]; ok {
				merged.sources[s.key] = from
			}
		}
	}
	if !reflect.DeepEqual(c.Issuers, next.Issuers) {
		changes = append(changes, Change{Key: "issuers", From: showIssuers(c.Issuers), To: showIssuers(next.Issuers)})
	}
	return merged, changes
}

func showIssuers(list []Issuer) string {
	words := make([]string, len(list))
	for i := range list {
		words[i] = list[i].Name + "(" + list[i].show() + ")"
	}
	return strings.Join(words, "; ")
}
