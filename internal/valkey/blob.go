package valkey

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/offchat/presence"
)

// A user lies in the store as one short string, about 30 bytes with one session. Nodes compare it as a whole
// when they write, so it is its own version; only this file knows what is in it.
//
//	1 byte   format, held, never changed, status     1 byte  cause
//	uvarint  version      uvarint last_seen      varint since - last_seen (unless never changed)
//	uvarint  sessions, each: 8 bytes id, 1 byte flags, varint due - last_seen (live), uvarint connections (if any)
//	hold     1 byte status, uvarint until, uvarint actor, uvarint length and the note (if held)
//
// Moments are microseconds of the shared clock, 0: never.
const (
	blobFormat   = 1 << 4
	blobHeld     = 1 << 3
	blobNoSince  = 1 << 2
	blobStatus   = 1<<2 - 1
	formatMask   = 0xf0
	sessionBytes = 16 // a guess, for the buffer
)

const (
	flagLive uint8 = 1 << iota
	flagIdle
	flagLeaving
	flagConns
	flagBeats
)

var errDamaged = errors.New("valkey: a user in the store cannot be read")

// head is the part of a blob that others may see.
type head struct {
	status   presence.Status
	cause    presence.Cause
	held     bool
	version  uint64
	seen     int64
	since    int64
	sessions int
}

// session is one session of a blob.
type session struct {
	id    presence.SessionID
	due   int64
	conns int
	flags uint8
}

// reader walks through a blob. The first thing that does not fit spoils the rest.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) take(n uint64) string {
	if uint64(len(r.rest)) < n {
		r.bad = true
		return ""
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) uint64() uint64 {
	var v uint64
	for i, b := range []byte(r.take(8)) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (r *reader) head() head {
	first := r.byte()
	if first&formatMask != blobFormat {
		r.bad = true
	}
	h := head{status: presence.Status(first & blobStatus), held: first&blobHeld != 0, cause: presence.Cause(r.byte())}
	h.version, h.seen = r.uvarint(), int64(r.uvarint())
	if first&blobNoSince == 0 {
		h.since = h.seen + r.varint()
	}
	h.sessions = int(min(r.uvarint(), uint64(len(r.rest))))
	if h.status > presence.Online {
		r.bad = true
	}
	return h
}

func (r *reader) session(seen int64) session {
	one := session{id: presence.SessionID(r.uint64()), flags: r.byte()}
	if one.flags&flagLive != 0 {
		one.due = seen + r.varint()
	}
	if one.flags&flagConns != 0 {
		one.conns = int(r.uvarint())
	}
	return one
}

func (r *reader) hold() presence.Hold {
	h := presence.Hold{Active: true, Status: presence.Status(r.byte())}
	h.Until, h.Actor = wall(int64(r.uvarint())), presence.UserID(r.uvarint())
	h.Note = strings.Clone(r.take(r.uvarint()))
	return h
}

// decode reads a blob; the empty one is somebody nobody has heard of.
func decode(blob string, user presence.UserID) (presence.State, error) {
	s := presence.State{User: user}
	if blob == "" {
		return s, nil
	}
	r := reader{rest: blob}
	h := r.head()
	s.Status, s.Cause, s.Version = h.status, h.cause, h.version
	s.LastSeen, s.Since = wall(h.seen), wall(h.since)
	if h.sessions > 0 {
		s.Sessions = make([]presence.Session, 0, h.sessions)
	}
	for range h.sessions {
		one := r.session(h.seen)
		if r.bad {
			break
		}
		s.Sessions = append(s.Sessions, presence.Session{
			ID: one.id, Due: lease(one.due), Conns: one.conns,
			Live: one.flags&flagLive != 0, Idle: one.flags&flagIdle != 0, Leaving: one.flags&flagLeaving != 0,
			Beats: one.flags&flagBeats != 0,
		})
	}
	if h.held {
		s.Hold = r.hold()
	}
	if r.bad || len(r.rest) > 0 {
		return presence.State{User: user}, errDamaged
	}
	return s, nil
}

// encode writes a state. Equal states are equal strings.
func encode(s *presence.State) string {
	buffer := make([]byte, 0, 32+sessionBytes*len(s.Sessions)+len(s.Hold.Note))
	first := byte(blobFormat) | byte(s.Status)
	if s.Hold.Active {
		first |= blobHeld
	}
	if s.Since.IsZero() {
		first |= blobNoSince
	}
	seen := micros(s.LastSeen)
	buffer = append(buffer, first, byte(s.Cause))
	buffer = binary.AppendUvarint(buffer, s.Version)
	buffer = binary.AppendUvarint(buffer, uint64(seen))
	if !s.Since.IsZero() {
		buffer = binary.AppendVarint(buffer, micros(s.Since)-seen)
	}
	buffer = binary.AppendUvarint(buffer, uint64(len(s.Sessions)))
	for i := range s.Sessions {
		buffer = appendSession(buffer, &s.Sessions[i], seen)
	}
	if h := &s.Hold; h.Active {
		buffer = append(buffer, byte(h.Status))
		buffer = binary.AppendUvarint(buffer, uint64(micros(h.Until)))
		buffer = binary.AppendUvarint(buffer, uint64(h.Actor))
		buffer = binary.AppendUvarint(buffer, uint64(len(h.Note)))
		buffer = append(buffer, h.Note...)
	}
	return string(buffer)
}

func appendSession(buffer []byte, one *presence.Session, seen int64) []byte {
	var flags uint8
	if one.Live {
		flags |= flagLive
	}
	if one.Idle {
		flags |= flagIdle
	}
	if one.Leaving {
		flags |= flagLeaving
	}
	if one.Conns > 0 {
		flags |= flagConns
	}
	if one.Beats {
		flags |= flagBeats
	}
	buffer = binary.LittleEndian.AppendUint64(buffer, uint64(one.ID))
	buffer = append(buffer, flags)
	if one.Live {
		buffer = binary.AppendVarint(buffer, moment(one.Due)-seen)
	}
	if one.Conns > 0 {
		buffer = binary.AppendUvarint(buffer, uint64(one.Conns))
	}
	return buffer
}

// encodeChange writes a change as the log carries it: without its user and seq, which the entry has anyway.
func encodeChange(c *presence.Change, node string) string {
	buffer := make([]byte, 0, 48+len(node))
	buffer = append(buffer, byte(c.From), byte(c.To), byte(c.Cause))
	buffer = binary.LittleEndian.AppendUint64(buffer, uint64(c.Session))
	buffer = binary.AppendUvarint(buffer, uint64(c.Actor))
	buffer = binary.AppendUvarint(buffer, uint64(micros(c.At)))
	buffer = binary.AppendUvarint(buffer, uint64(micros(c.LastSeen)))
	buffer = binary.AppendUvarint(buffer, c.Version)
	return string(append(buffer, node...))
}

func decodeChange(text string, user presence.UserID, seq uint64) (presence.Change, error) {
	r := reader{rest: text}
	c := presence.Change{Seq: seq, User: user}
	c.From, c.To, c.Cause = presence.Status(r.byte()), presence.Status(r.byte()), presence.Cause(r.byte())
	c.Session, c.Actor = presence.SessionID(r.uint64()), presence.UserID(r.uvarint())
	c.At, c.LastSeen, c.Version = wall(int64(r.uvarint())), wall(int64(r.uvarint())), r.uvarint()
	c.Node = strings.Clone(r.rest)
	if r.bad || c.From > presence.Online || c.To > presence.Online {
		return c, errDamaged
	}
	return c, nil
}

// nextMoment is when silence, or the end of a hold, could next change a user: the user's place in the index.
func nextMoment(s *presence.State) (int64, bool) {
	due, any := s.NextDue()
	at := moment(due)
	if s.Hold.Active && !s.Hold.Until.IsZero() {
		if until := micros(s.Hold.Until); !any || until < at {
			return until, true
		}
	}
	return at, any
}

// The rule counts leases in durations, the store in microseconds; both since the Unix epoch.
func lease(micros int64) time.Duration { return time.Duration(micros) * time.Microsecond }
func moment(due time.Duration) int64   { return int64(due / time.Microsecond) }

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func wall(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
