package memory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/offchat/presence"
)

const (
	handful     = 16 // pages per save
	pageVersion = 1  // first byte of every saved page
)

var errDamaged = errors.New("damaged page")

// Checkpoint implements presence.Checkpointer. A page is copied under its lock and saved outside it.
func (e *Engine) Checkpoint(ctx context.Context, kind presence.PageKind, save func(context.Context, []presence.Page) error) error {
	var batch []presence.Page
	var from []*page
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := save(ctx, batch)
		if err != nil {
			for _, p := range from {
				p.markDirty(kind)
			}
		}
		batch, from = batch[:0], from[:0]
		return err
	}
	for _, p := range e.pages.Load().inOrder {
		if ctx.Err() != nil {
			break
		}
		if !p.clearDirty(kind) {
			continue
		}
		batch = append(batch, presence.Page{Kind: kind, Number: p.number, Data: p.encode(kind)})
		if from = append(from, p); len(batch) == handful {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(flush(), ctx.Err())
}

func (p *page) markDirty(kind presence.PageKind) {
	if kind == presence.SeenPage {
		p.seenDirty.Store(true)
	} else {
		p.sessionsDirty.Store(true)
	}
}

func (p *page) clearDirty(kind presence.PageKind) bool {
	if kind == presence.SeenPage {
		return p.seenDirty.Swap(false)
	}
	return p.sessionsDirty.Swap(false)
}

func (p *page) encode(kind presence.PageKind) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == presence.SeenPage {
		return p.encodeSeenLocked()
	}
	return p.encodeSessionsLocked()
}

// encodeSeenLocked writes one 64-bit word a user.
func (p *page) encodeSeenLocked() []byte {
	data := make([]byte, 1, 1+8*pageSize)
	data[0] = pageVersion
	for slot := range p.users {
		data = binary.LittleEndian.AppendUint64(data, uint64(p.users[slot].seen))
	}
	return data
}

// encodeSessionsLocked writes, for every user who ever changed or has a session: slot, status, cause, since,
// version, and the live sessions, each an id whose top bit says idle.
func (p *page) encodeSessionsLocked() []byte {
	data := []byte{pageVersion}
	for slot := range p.users {
		u := &p.users[slot]
		if !u.known || u.version == 0 && u.first() == nil {
			continue
		}
		data = binary.LittleEndian.AppendUint16(data, uint16(slot))
		data = append(data, byte(u.status), byte(u.cause))
		data = binary.AppendUvarint(data, uint64(u.since))
		data = binary.AppendUvarint(data, uint64(u.version))
		count := len(data)
		data = append(data, 0)
		for one := u.first(); one != nil && data[count] < 255; one = p.after(one) {
			if one.flags&sessionLive == 0 {
				continue
			}
			id := uint64(one.id)
			if one.flags&sessionIdle != 0 {
				id |= 1 << 63
			}
			data = binary.LittleEndian.AppendUint64(data, id)
			data[count]++
		}
	}
	return data
}

// saved is one user as saved pages know them.
type saved struct {
	since    int64
	version  uint64
	status   presence.Status
	cause    presence.Cause
	sessions []presence.Session
}

// Restore implements presence.Checkpointer.
func (e *Engine) Restore(pages []presence.Page) (func(*presence.Record), error) {
	seen := map[uint64][]byte{}
	users := map[presence.UserID]saved{}
	var problems error
	for _, p := range pages {
		var err error
		switch {
		case len(p.Data) == 0 || p.Data[0] != pageVersion:
			err = errDamaged
		case p.Kind == presence.SeenPage && len(p.Data) != 1+8*pageSize:
			err = errDamaged
		case p.Kind == presence.SeenPage:
			seen[p.Number] = p.Data[1:]
		default:
			err = decodeSessions(users, p)
		}
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("page %d of kind %d: %w", p.Number, p.Kind, err))
		}
	}
	return func(r *presence.Record) {
		if words := seen[uint64(r.User)/pageSize]; words != nil {
			if at := wall(int64(binary.LittleEndian.Uint64(words[8*(uint64(r.User)%pageSize):]))); at.After(r.LastSeen) {
				r.LastSeen = at
			}
		}
		known, ok := users[r.User]
		if !ok || known.version < r.Version {
			return // the row is newer: its session was not written down yet
		}
		if known.version > r.Version {
			r.Status, r.Cause, r.Version, r.Since = known.status, known.cause, known.version, wall(known.since)
		}
		r.Sessions = known.sessions
	}, problems
}

func decodeSessions(into map[presence.UserID]saved, p presence.Page) error {
	data := p.Data[1:]
	for len(data) > 0 {
		if len(data) < 4 {
			return errDamaged
		}
		slot := binary.LittleEndian.Uint16(data)
		u := saved{status: presence.Status(data[2]), cause: presence.Cause(data[3])}
		data = data[4:]
		since, n := binary.Uvarint(data)
		if n <= 0 || slot >= pageSize || u.status > presence.Online {
			return errDamaged
		}
		data = data[n:]
		version, n := binary.Uvarint(data)
		if n <= 0 || len(data) < n+1 {
			return errDamaged
		}
		count := int(data[n])
		data = data[n+1:]
		if len(data) < 8*count {
			return errDamaged
		}
		u.since, u.version = int64(since), version
		for i := range count {
			id := binary.LittleEndian.Uint64(data[8*i:])
			u.sessions = append(u.sessions, presence.Session{ID: presence.SessionID(id &^ (1 << 63)), Idle: id>>63 == 1})
		}
		data = data[8*count:]
		into[presence.UserID(p.Number*pageSize+uint64(slot))] = u
	}
	return nil
}
