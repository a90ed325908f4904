package realtime

import (
	"encoding/binary"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/lxzan/gws"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// frame is one message, encoded once for however many connections it goes to. It never changes.
type frame struct {
	ws  []byte // header and payload; the payload is JSON
	sse []byte // empty for frames that mean nothing there; made at the first use
	// cursor is the id of the frame in an event stream: "epoch-seq", or nothing.
	cursor string
	once   sync.Once
	last   bool // the connection ends with it
}

// newFrame takes a payload of JSON over.
func newFrame(payload []byte, cursor string) *frame {
	return &frame{ws: appendText(make([]byte, 0, len(payload)+10), payload), cursor: cursor}
}

// plain makes a frame of a type of package wire.
func plain(v any) *frame {
	payload, err := json.Marshal(v)
	if err != nil {
		panic("realtime: a frame that cannot be encoded: " + err.Error())
	}
	return newFrame(payload, "")
}

// bytes is the frame as that transport has it.
func (f *frame) bytes(sse bool) []byte {
	if !sse {
		return f.ws
	}
	f.once.Do(func() {
		if f.sse == nil {
			f.sse = appendEvent(nil, f.cursor, payloadOf(f.ws))
		}
	})
	return f.sse
}

// appendText appends a text frame of a server: final, unmasked.
func appendText(b, payload []byte) []byte {
	const finalText = 0x80 | byte(gws.OpcodeText)
	switch n := len(payload); {
	case n < 126:
		b = append(b, finalText, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, finalText, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, finalText, 127), uint64(n))
	}
	return append(b, payload...)
}

// payloadOf is what appendText put into its first frame.
func payloadOf(ws []byte) []byte {
	switch ws[1] {
	case 126:
		return ws[4 : 4+int(binary.BigEndian.Uint16(ws[2:]))]
	case 127:
		return ws[10 : 10+int(binary.BigEndian.Uint64(ws[2:]))]
	default:
		return ws[2 : 2+int(ws[1])]
	}
}

// appendClose appends a close frame.
func appendClose(b []byte, code uint16, reason string) []byte {
	b = append(b, 0x80|byte(gws.OpcodeCloseConnection), byte(2+len(reason)))
	return append(binary.BigEndian.AppendUint16(b, code), reason...)
}

// appendEvent appends an event of an event stream. JSON has no line ends in it.
func appendEvent(b []byte, cursor string, payload []byte) []byte {
	if cursor != "" {
		b = append(append(append(b, "id: "...), cursor...), '\n')
	}
	return append(append(append(b, "data: "...), payload...), "\n\n"...)
}

// appendUser appends a user as wire.FeedUser has it. Every field is as the reader may know it.
func appendUser(b []byte, p *presence.Presence) []byte {
	b = strconv.AppendInt(append(b, `{"id":"`...), int64(p.User), 10)
	b = append(append(append(b, `","s":"`...), p.Status.String()...), '"')
	b = appendMoment(b, `,"ls":`, p.LastSeen)
	b = appendMoment(b, `,"since":`, p.Since)
	if p.Version != 0 {
		b = strconv.AppendUint(append(b, `,"v":`...), p.Version, 10)
	}
	if p.Cause != presence.CauseNone {
		b = append(append(append(b, `,"c":"`...), p.Cause.String()...), '"')
	}
	if p.Held {
		b = append(b, `,"held":true`...)
	}
	return append(b, '}')
}

// changed is the presence that a change led to.
func changed(c *presence.Change) presence.Presence {
	return presence.Presence{
		User: c.User, Status: c.To, Cause: c.Cause, LastSeen: c.LastSeen, Since: c.At, Version: c.Version,
	}
}

// appendWords appends a text, unless there is none.
func appendWords(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	quoted, _ := json.Marshal(text) // a text always can be
	return append(append(b, key...), quoted...)
}

func appendMoment(b []byte, key string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return strconv.AppendInt(append(b, key...), t.UnixMilli(), 10)
}

func appendCounts(b []byte, c presence.Counts) []byte {
	b = strconv.AppendInt(append(b, `,"counts":{"online":`...), int64(c.Online), 10)
	b = strconv.AppendInt(append(b, `,"away":`...), int64(c.Away), 10)
	return append(strconv.AppendInt(append(b, `,"offline":`...), int64(c.Offline), 10), '}')
}

// appendDelta begins a delta. What follows is users between brackets, counts, and the closing brace.
func appendDelta(b []byte, seq uint64) []byte {
	return strconv.AppendUint(append(b, `{"t":"delta","seq":`...), seq, 10)
}

// snapFrame makes a snap of users that are encoded already, with commas between them.
func snapFrame(at wire.FeedCursor, users []byte, full, more bool, counts *presence.Counts) *frame {
	b := make([]byte, 0, len(users)+160)
	b = append(append(append(b, `{"t":"snap","epoch":"`...), at.Epoch...), `","seq":`...)
	b = strconv.AppendUint(b, at.Seq, 10)
	if full {
		b = append(b, `,"full":true`...)
	}
	b = append(append(append(b, `,"users":[`...), users...), ']')
	if counts != nil {
		b = appendCounts(b, *counts)
	}
	cursor := cursorText(at)
	if more {
		b, cursor = append(b, `,"more":true`...), "" // the cursor is the reader's after the last part
	}
	return newFrame(append(b, '}'), cursor)
}

// cursorText is a cursor as event streams carry it.
func cursorText(at wire.FeedCursor) string { return at.Epoch + "-" + strconv.FormatUint(at.Seq, 10) }
