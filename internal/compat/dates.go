package compat

import (
	"strconv"
	"time"
)

// The contract has two date styles: serializer objects end in Z, hand-made answers in +00:00. Both show
// microseconds, and nothing after the seconds when there are none.
const (
	wholeSeconds = "2006-01-02T15:04:05"
	microseconds = "2006-01-02T15:04:05.000000"
)

// appendDate appends t as serializers write it, quoted.
func appendDate(b []byte, t time.Time) []byte { return appendTime(b, t, `Z"`) }

// appendDateOffset appends t as hand-made answers write it, quoted.
func appendDateOffset(b []byte, t time.Time) []byte { return appendTime(b, t, `+00:00"`) }

func appendTime(b []byte, t time.Time, end string) []byte {
	t = t.UTC()
	layout := microseconds
	if t.Nanosecond() < 1000 {
		layout = wholeSeconds
	}
	b = append(b, '"')
	b = t.AppendFormat(b, layout)
	return append(b, end...)
}

// appendSeconds appends a duration in seconds as a Python float looks: microseconds at most, and always with
// a point.
func appendSeconds(b []byte, d time.Duration) []byte {
	d = d.Truncate(time.Microsecond)
	before := len(b)
	b = strconv.AppendFloat(b, d.Seconds(), 'f', -1, 64)
	for _, digit := range b[before:] {
		if digit == '.' {
			return b
		}
	}
	return append(b, ".0"...)
}
