package config

import (
	"reflect"
	"strconv"
	"time"
)

// Documentation is what there is to say about one setting.
type Documentation struct {
	Key, Help string
	Default   string // as it is written; empty: none, or told in Help
	Kind      string // "duration", "text", "list", "secret", "list of secrets"
	Bounds    string // what a value must keep to; empty: nothing but its kind
	Choices   []string
	Path      bool // names a file or a directory
	Reload    bool // SIGHUP changes it in a running server
}

// Document lists every setting in the order of the struct.
func Document() []Documentation {
	list := make([]Documentation, 0, len(table))
	for _, s := range table {
		d := Documentation{
			Key: s.key, Help: s.help, Default: s.def, Choices: s.choices, Path: s.as == "path", Reload: s.reload, Kind: "text",
		}
		switch t := reflect.TypeFor[Config]().Field(s.field).Type; {
		case t == reflect.TypeFor[time.Duration]():
			d.Kind, d.Bounds = "duration", FormatDuration(s.min)+" to "+FormatDuration(s.max)
		case t == reflect.TypeFor[int]():
			d.Kind, d.Bounds = "number", strconv.Itoa(s.low)+" to "+strconv.Itoa(s.high)
		case s.secret && s.list:
			d.Kind = "list of secrets"
		case s.secret:
			d.Kind = "secret"
		case s.list:
			d.Kind = "list"
		}
		list = append(list, d)
	}
	return list
}
