package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// typeDecl is one type of the wire as TypeScript.
type typeDecl struct {
	name, doc string
	extends   []string
	fields    []field
	// union replaces the rest, where there is one: its alternatives.
	union []string
	needs []string // the other types that it names
}

type field struct {
	name, doc, kind string
	optional        bool
	frames          []string
}

// named are the enumerations that have a name of their own.
var named = []struct{ name, doc, words string }{
	{"Status", "", "online,away,offline"},
	{"Scope", "What a feed tells: those one asks for, everybody (staff), or the three numbers.", "users,all,counts"},
	{"Cause", "Why somebody has the status they have.", "login,heartbeat,activity,touch,connect,disconnect,idle,active,timeout,logout,forced,admin"},
	{"Role", "", "user,moderator,admin"},
}

// read reads the exported types of a directory, by file and place.
func read(dir string) ([]typeDecl, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var types []typeDecl
	for _, e := range named {
		types = append(types, typeDecl{name: e.name, doc: e.doc, union: literals(e.words)})
	}
	slices.Sort(paths)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.TYPE {
				continue
			}
			for _, s := range group.Specs {
				spec := s.(*ast.TypeSpec)
				fields, isStruct := spec.Type.(*ast.StructType)
				if !isStruct || !spec.Name.IsExported() {
					continue // words, which their fields list
				}
				t, err := structDecl(spec.Name.Name, firstDoc(spec.Doc, group.Doc), fields)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
				}
				types = append(types, t)
			}
		}
	}
	return append(types, frames(types)...), nil
}

func structDecl(name, doc string, s *ast.StructType) (typeDecl, error) {
	t := typeDecl{name: name, doc: doc}
	for _, f := range s.Fields.List {
		if len(f.Names) == 0 {
			embedded, ok := f.Type.(*ast.Ident)
			if !ok {
				return t, fmt.Errorf("%s embeds what is no plain name", name)
			}
			t.extends = append(t.extends, embedded.Name)
			t.needs = append(t.needs, embedded.Name)
			continue
		}
		one, err := t.field(f)
		if err != nil {
			return t, fmt.Errorf("%s.%s: %w", name, f.Names[0].Name, err)
		}
		if one.name != "-" {
			t.fields = append(t.fields, one)
		}
	}
	return t, nil
}

// word is what a comment beside the field t says: the one frame type there is.
var word = regexp.MustCompile(`^//\s*(\w+)$`)

func (t *typeDecl) field(f *ast.Field) (field, error) {
	if f.Tag == nil || len(f.Names) != 1 {
		return field{}, fmt.Errorf("wants one name and a json tag")
	}
	tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
	name, options, _ := strings.Cut(tag.Get("json"), ",")
	if name == "" {
		return field{}, fmt.Errorf("wants a name in its json tag")
	}
	one := field{name: name, doc: tag.Get("doc"), optional: strings.Contains(options, "omit")}
	if in := tag.Get("frames"); in != "" {
		one.frames = strings.Split(in, ",")
	}
	kind, err := t.kind(f.Type, one.optional)
	if err != nil {
		return field{}, err
	}
	one.kind = kind
	if words := tag.Get("enum"); words != "" {
		one.kind = strings.Replace(kind, "string", t.enum(words), 1)
		if one.kind[0] == '(' && one.kind[len(one.kind)-1] == ')' {
			one.kind = one.kind[1 : len(one.kind)-1]
		}
	}
	if f.Comment != nil && name == "t" {
		if m := word.FindStringSubmatch(f.Comment.List[0].Text); m != nil {
			one.kind = "'" + m[1] + "'"
		}
	}
	return one, nil
}

func (t *typeDecl) enum(words string) string {
	for _, e := range named {
		if e.words == words {
			t.needs = append(t.needs, e.name)
			return e.name
		}
	}
	return "(" + strings.Join(literals(words), " | ") + ")"
}

func literals(words string) []string {
	all := strings.Split(words, ",")
	for i, w := range all {
		all[i] = "'" + w + "'"
	}
	return all
}

// kind is the TypeScript for a type as encoding/json writes it. A pointer that may be left out is not null.
func (t *typeDecl) kind(e ast.Expr, optional bool) (string, error) {
	switch e := e.(type) {
	case *ast.StarExpr:
		kind, err := t.kind(e.X, false)
		if !optional {
			kind += " | null"
		}
		return kind, err
	case *ast.ArrayType:
		kind, err := t.kind(e.Elt, false)
		if n, ok := e.Len.(*ast.BasicLit); ok && n.Value == "2" {
			return "[" + kind + ", " + kind + "]", err
		}
		if e.Len != nil {
			return "", fmt.Errorf("an array of another length than 2")
		}
		if strings.Contains(kind, "|") {
			kind = "(" + kind + ")"
		}
		return kind + "[]", err
	case *ast.MapType:
		kind, err := t.kind(e.Value, false)
		return "Record<string, " + kind + ">", err
	case *ast.SelectorExpr:
		switch x, _ := e.X.(*ast.Ident); x.Name + "." + e.Sel.Name {
		case "time.Time":
			return "string", nil
		case "json.RawMessage":
			return "unknown", nil
		}
	case *ast.Ident:
		switch e.Name {
		case "string", "FeedStatus":
			return "string", nil
		case "bool":
			return "boolean", nil
		case "any":
			return "unknown", nil
		case "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64":
			return "number", nil
		}
		if ast.IsExported(e.Name) {
			t.needs = append(t.needs, e.Name)
			return e.Name, nil
		}
	}
	return "", fmt.Errorf("no TypeScript for a %T", e)
}

// frames are the two unions of the feed: what the client says, a frame for each word of FeedRequest's t, and what
// the server says, every type with a word of its own.
func frames(types []typeDecl) []typeDecl {
	client := typeDecl{name: "ClientFrame", doc: "What a client says over the feed."}
	server := typeDecl{name: "ServerFrame", doc: "What the server says over the feed."}
	for _, t := range types {
		if len(t.fields) == 0 || t.fields[0].name != "t" {
			continue
		}
		if t.name != "FeedRequest" {
			server.union = append(server.union, t.name)
			continue
		}
		client.needs = t.needs
		for _, frame := range t.fields[0].frames {
			parts := []string{"t: '" + frame + "'"}
			for _, f := range t.fields[1:] {
				switch {
				case slices.Contains(f.frames, frame):
					parts = append(parts, f.name+": "+f.kind)
				case slices.Contains(f.frames, frame+"?"):
					parts = append(parts, f.name+"?: "+f.kind)
				}
			}
			client.union = append(client.union, "{ "+strings.Join(parts, "; ")+" }")
		}
	}
	server.needs = server.union
	return []typeDecl{client, server}
}

func firstDoc(docs ...*ast.CommentGroup) string {
	for _, d := range docs {
		if text := strings.TrimSpace(d.Text()); text != "" {
			return strings.Join(strings.Fields(text), " ")
		}
	}
	return ""
}
