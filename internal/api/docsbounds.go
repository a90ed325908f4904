package api

import (
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// typeOf is the type of a schema in words.
func typeOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Items != nil:
		return strings.TrimSpace("list of " + typeOf(s.Items))
	case s.Ref != "":
		return nameOf(s)
	case s.Type == "":
		return "any"
	}
	kind := s.Type
	if s.Format == "date-time" || s.Format == "date" {
		kind = s.Format
	}
	if s.Nullable {
		kind += " or null"
	}
	return kind
}

// bounds is what a value must keep to, in words.
func bounds(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	var words []string
	add := func(there bool, format string, args ...any) {
		if there {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	if len(s.Enum) > 0 {
		add(true, "One of %s.", strings.ReplaceAll(strings.Trim(fmt.Sprint(s.Enum), "[]"), " ", ", "))
	}
	if s.Items != nil && s.Items.Ref == "" {
		add(len(s.Items.Enum) > 0, "%s", bounds(s.Items))
	}
	if s.Minimum != nil && s.Maximum != nil {
		add(true, "%v to %v.", *s.Minimum, *s.Maximum)
	}
	if s.MaxItems != nil {
		add(true, "At most %d.", *s.MaxItems)
	}
	if s.MaxLength != nil {
		add(true, "At most %d characters.", *s.MaxLength)
	}
	add(s.Default != nil, "Default %v.", s.Default)
	return strings.Join(words, " ")
}
