package config

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

const envPrefix = "PRESENCE_"

// fileSuffix on the name of a secret means: the value is the path of a file that holds it.
const fileSuffix = "_file"

// setting is one row of the table that the struct tags of Config are.
type setting struct {
	key, help, def string
	as             string   // how the text is read, where the type alone does not tell
	choices        []string // the allowed words, where they are few
	min, max       time.Duration
	low, high      int // of whole numbers
	field          int // in Config
	secret, list   bool
	reload         bool // SIGHUP changes it in a running server
}

func (s *setting) env() string { return envPrefix + strings.ToUpper(s.key) }

var table = buildTable()

func buildTable() []setting {
	var rows []setting
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type == reflect.TypeFor[[]Issuer]() {
			continue
		}
		row := setting{
			key: f.Tag.Get("key"), help: f.Tag.Get("help"), def: f.Tag.Get("default"), as: f.Tag.Get("as"), field: i,
			secret: f.Type == reflect.TypeFor[Secret]() || f.Type == reflect.TypeFor[[]Secret](),
			list:   f.Type.Kind() == reflect.Slice, reload: f.Tag.Get("reload") == "yes",
		}
		if words := f.Tag.Get("choices"); words != "" {
			row.choices = strings.Split(words, ",")
		}
		if f.Type == reflect.TypeFor[time.Duration]() {
			row.min, row.max = mustDuration(f.Tag.Get("min")), mustDuration(f.Tag.Get("max"))
		}
		if f.Type == reflect.TypeFor[int]() {
			row.low, row.high = mustCount(f.Tag.Get("low")), mustCount(f.Tag.Get("high"))
		}
		if row.key == "" || row.help == "" {
			panic("config: " + f.Name + " does not document itself")
		}
		rows = append(rows, row)
	}
	return rows
}

func mustDuration(s string) time.Duration {
	d, err := ParseDuration(s)
	if err != nil {
		panic("config: " + err.Error())
	}
	return d
}

func mustCount(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("config: " + err.Error())
	}
	return n
}

// find returns the row of a key, and whether the name asked for the value's file instead ("signing_key_file").
func find(key string) (row *setting, fromFile, ok bool) {
	for i := range table {
		s := &table[i]
		if s.key == key {
			return s, false, true
		}
		if s.secret && s.key+fileSuffix == key {
			return s, true, true
		}
	}
	return nil, false, false
}

// names are all keys that may be written, the _file forms of secrets among them.
func names() []string {
	var all []string
	for _, s := range table {
		all = append(all, s.key)
		if s.secret {
			all = append(all, s.key+fileSuffix)
		}
	}
	return all
}

// show renders the effective value, secrets masked.
func (s *setting) show(c *Config) string {
	switch v := reflect.ValueOf(c).Elem().Field(s.field).Interface().(type) {
	case time.Duration:
		return FormatDuration(v)
	case int:
		return strconv.Itoa(v)
	case string:
		return v
	case Secret:
		return v.String()
	case []Secret:
		return strings.TrimSuffix(strings.Repeat(masked+",", len(v)), ",")
	case []string:
		return strings.Join(v, ",")
	case []netip.Prefix:
		words := make([]string, len(v))
		for i, p := range v {
			words[i] = p.String()
		}
		return strings.Join(words, ",")
	default:
		panic("config: nobody can show a " + reflect.TypeOf(v).String())
	}
}

// Flags returns a new struct (a pointer to it) with one *string field per setting, tagged for the kong
// command-line parser, and a function that tells which were given, by key. Values are checked by Load, with
// everything else, so that all problems are told at once.
func Flags() (grammar any, given func() map[string]string) {
	var fields []reflect.StructField
	var keys []string
	add := func(key, help, placeholder string) {
		tag := `name:"` + strings.ReplaceAll(key, "_", "-") + `" group:"settings" help:"` + help + `" placeholder:"` + placeholder + `"`
		// Exported and unique is all a field's name has to be.
		fields = append(fields, reflect.StructField{Name: "F_" + key, Type: reflect.TypeFor[*string](), Tag: reflect.StructTag(tag)})
		keys = append(keys, key)
	}
	for i := range table {
		s := &table[i]
		add(s.key, s.help, s.placeholder())
		if s.secret {
			add(s.key+fileSuffix, "File that holds "+s.key+".", "FILE")
		}
	}
	v := reflect.New(reflect.StructOf(fields))
	return v.Interface(), func() map[string]string {
		out := map[string]string{}
		for i, key := range keys {
			if p := v.Elem().Field(i); !p.IsNil() {
				out[key] = p.Elem().String()
			}
		}
		return out
	}
}

// placeholder is what stands for the value in --help: the default, where there is one.
func (s *setting) placeholder() string {
	switch {
	case sharedSchemes[s.as] != nil:
		return "URL"
	case s.secret:
		return "SECRET"
	case s.def != "":
		return s.def
	case s.as == "path":
		return "DIR"
	case s.as == "header":
		return "NAME"
	default:
		return "LIST"
	}
}
