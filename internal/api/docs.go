package api

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// docsPolicy lets the page use its own style and nothing else: it has no script and fetches nothing.
var docsPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-" + digest(docsCSS) + "'"

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// docsOperation is an operation as the page shows it.
type docsOperation struct {
	*huma.Operation
	Need   string
	Body   string // the schema of its body
	Answer string // and of its answer
	Status string
}

type docsTag struct {
	Name       string
	Operations []docsOperation
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, Type, Ref, Doc string
	Required             bool
}

// renderDocs writes the page about the document.
func renderDocs(to io.Writer, doc *huma.OpenAPI, need map[string]Access) error {
	page, err := template.New("docs").Funcs(template.FuncMap{"bounds": bounds, "type": typeOf, "lower": strings.ToLower}).Parse(docsHTML)
	if err != nil {
		return err
	}
	return page.Execute(to, map[string]any{
		"Info": doc.Info, "CSS": template.CSS(docsCSS), "Tags": docsTags(doc, need), "Schemas": docsSchemas(doc), "Problems": kinds,
	})
}

func docsTags(doc *huma.OpenAPI, need map[string]Access) []docsTag {
	byTag := map[string][]docsOperation{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil || len(op.Tags) == 0 {
				continue
			}
			one := docsOperation{Operation: op, Need: need[op.OperationID].String()}
			if op.RequestBody != nil {
				one.Body = bodySchema(op.RequestBody.Content)
			}
			for _, status := range []string{"200", "204"} {
				if answer := op.Responses[status]; answer != nil {
					one.Status, one.Answer = status, bodySchema(answer.Content)
				}
			}
			byTag[op.Tags[0]] = append(byTag[op.Tags[0]], one)
		}
	}
	var tags []docsTag
	for _, name := range slices.Sorted(maps.Keys(byTag)) {
		tags = append(tags, docsTag{name, byTag[name]})
	}
	return tags
}

func bodySchema(content map[string]*huma.MediaType) string {
	for _, media := range content {
		return nameOf(media.Schema)
	}
	return ""
}

// nameOf is the name of the schema that one refers to, through lists.
func nameOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Items != nil:
		return nameOf(s.Items)
	default:
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	}
}

func docsSchemas(doc *huma.OpenAPI) []docsSchema {
	all := doc.Components.Schemas.Map()
	var list []docsSchema
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		one := docsSchema{Name: name}
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			f := s.Properties[field]
			text := strings.TrimSpace(f.Description + " " + bounds(f))
			one.Fields = append(one.Fields, docsField{
				Name: field, Type: typeOf(f), Ref: nameOf(f), Doc: text, Required: slices.Contains(s.Required, field),
			})
		}
		list = append(list, one)
	}
	return list
}
