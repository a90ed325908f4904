package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth is how deep a body may be nested; the contract needs three levels.
const maxDepth = 32

// strictJSON reads bodies that every reader reads the same way (RFC 8259, 4 and 8.1: what a repeated name or bytes
// that are no UTF-8 mean is everybody's own choice), and writes as the library does.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if err := checkJSON(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}

// checkJSON refuses repeated names and deep nesting. What is no JSON at all it leaves to the reader after it.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not valid UTF-8")
	}
	// names are those of each object that is open, in one spelling: fields are found whatever their case. An array has nil.
	var names []map[string]struct{}
	isName := false // in an object, names and values take turns
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	for {
		token, err := tokens.Token()
		if err != nil {
			return nilAtEnd(err)
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '}' || t == ']' {
				names = names[:len(names)-1]
			} else if t == '{' {
				names = append(names, map[string]struct{}{})
			} else {
				names = append(names, nil)
			}
			if len(names) > maxDepth {
				return fmt.Errorf("the body is nested more than %d deep", maxDepth)
			}
			isName = len(names) > 0 && names[len(names)-1] != nil
			continue
		case string:
			if isName {
				open, spelled := names[len(names)-1], strings.ToLower(strings.ToUpper(t))
				if _, twice := open[spelled]; twice {
					return fmt.Errorf("the body has the name %.40q twice", t)
				}
				open[spelled] = struct{}{}
				isName = false
				continue
			}
		}
		isName = len(names) > 0 && names[len(names)-1] != nil
	}
}

func nilAtEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
