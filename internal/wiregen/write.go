package main

import (
	"bytes"
	"fmt"
	"strings"
)

const head = `// Code generated from wire/*.go by go generate; DO NOT EDIT.
// Moments are RFC 3339 in UTC, those of the feed's frames milliseconds since 1970. Nothing here exists at run time.
`

// write is the file that declares the types.
func write(types []typeDecl) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, t := range types {
		if t.name == "FeedRequest" {
			continue // ClientFrame says it better
		}
		b.WriteString("\n")
		comment(&b, "", t.doc)
		if t.union != nil {
			union(&b, t)
			continue
		}
		fmt.Fprintf(&b, "export interface %s", t.name)
		if t.extends != nil {
			fmt.Fprintf(&b, " extends %s", strings.Join(t.extends, ", "))
		}
		b.WriteString(" {\n")
		for _, f := range t.fields {
			comment(&b, "  ", f.doc)
			mark := ""
			if f.optional {
				mark = "?"
			}
			fmt.Fprintf(&b, "  %s%s: %s\n", f.name, mark, f.kind)
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

func union(b *bytes.Buffer, t typeDecl) {
	if line := strings.Join(t.union, " | "); len(line) < 90 {
		fmt.Fprintf(b, "export type %s = %s\n", t.name, line)
		return
	}
	fmt.Fprintf(b, "export type %s =\n", t.name)
	for _, one := range t.union {
		fmt.Fprintf(b, "  | %s\n", one)
	}
}

func comment(b *bytes.Buffer, indent, text string) {
	if text != "" {
		fmt.Fprintf(b, "%s/** %s */\n", indent, strings.ReplaceAll(text, "*/", "* /"))
	}
}
