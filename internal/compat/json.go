package compat

import (
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string, the way the recorded system's renderer does: nothing is escaped
// that need not be, except the two line separators that are not JavaScript.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		ch := s[i]
		if ch >= ' ' && ch != '"' && ch != '\\' && ch < utf8.RuneSelf {
			i++
			continue
		}
		if ch < utf8.RuneSelf {
			b = appendEscaped(append(b, s[start:i]...), ch)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscaped(b []byte, ch byte) []byte {
	switch ch {
	case '"', '\\':
		return append(b, '\\', ch)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[ch>>4], hexDigits[ch&0xf])
	}
}

// appendText appends a key, as it stands in the object with comma and colon, and a string.
func appendText(b []byte, key, value string) []byte {
	return appendString(append(b, key...), value)
}

// appendTextOrNull is appendText with null for the empty string.
func appendTextOrNull(b []byte, key, value string) []byte {
	if value == "" {
		return append(append(b, key...), "null"...)
	}
	return appendText(b, key, value)
}

// appendWord appends a key and a word of ours that needs no escaping.
func appendWord(b []byte, key, word string) []byte {
	b = append(append(b, key...), '"')
	return append(append(b, word...), '"')
}

func appendBool(b []byte, key string, value bool) []byte {
	b = append(b, key...)
	if value {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// appendInt appends a key and a number.
func appendInt[N ~int | ~int64](b []byte, key string, n N) []byte {
	return strconv.AppendInt(append(b, key...), int64(n), 10)
}
