package compat

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lxzan/gws"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

const (
	// socketsPerUser is how many sockets one user may have open.
	socketsPerUser = 20
	// maxFrame is the largest message a client may send; the protocol needs 20 bytes.
	maxFrame = 4 << 10
	// changesAtOnce bounds one batch of changes.
	changesAtOnce = 256
)

// limits are the times of sockets; tests use shorter ones.
type limits struct {
	tick      time.Duration // how often sockets are looked at
	pingEvery time.Duration // how often a socket is pinged; the pong renews its session's lease
	silentFor time.Duration // a socket that says nothing for so long is closed
	stuckFor  time.Duration // so is one that takes nothing for so long
	goodbye   time.Duration // how long a close frame may take to be sent
	nameAge   time.Duration // how long usernames are remembered
	retry     time.Duration // between tries when the changes cannot be read
}

var usualLimits = limits{
	tick: time.Second, pingEvery: 25 * time.Second, silentFor: time.Minute, stuckFor: 10 * time.Second,
	goodbye: time.Second, nameAge: time.Minute, retry: time.Second,
}

// forLease shortens the times for a server whose leases are short: an open socket has to be heard, and a dead
// one found, before its lease ends. offlineAfter 0 is not known.
func (l limits) forLease(offlineAfter time.Duration) limits {
	if offlineAfter > 0 {
		l.pingEvery = min(l.pingEvery, offlineAfter/3)
		l.tick = min(l.tick, offlineAfter/12)
	}
	return l
}

// running is a moment as nanoseconds of a clock that never jumps: a corrected wall clock must not make every
// socket look silent. It is never 0.
func (s *sockets) running(at time.Time) int64 { return int64(at.Sub(s.began)) | 1 }

// sockets are all open WebSockets: who has them, what is sent to them and when they are closed. A socket is in
// here before its session is told of the connection and until it is told of the end, so the end of a session
// finds every socket of it.
type sockets struct {
	// Static after construction.
	h        *Handler
	began    time.Time
	upgrader *gws.Upgrader
	limits   limits
	names    names
	// What moderators and admins get, what everybody else gets, and what those get who hide.
	staffFeed, feed, noFeed feed

	sending sync.Mutex // held while changes are put into the feeds

	mu      sync.Mutex // guards the following fields
	byUser  map[presence.UserID][]*socket
	all     map[*socket]struct{}
	hidden  map[presence.UserID]struct{} // who hides their status, as the feed was told
	closing bool
	open    sync.WaitGroup // one for each socket; Add only under mu and while not closing
}

func newSockets(h *Handler) *sockets {
	s := &sockets{h: h, began: h.Now(), limits: usualLimits.forLease(h.Told.OfflineAfter), byUser: make(map[presence.UserID][]*socket), all: make(map[*socket]struct{})}
	s.hidden = make(map[presence.UserID]struct{})
	h.Auth.Private(func(user presence.UserID, p presence.Privacy) bool {
		if p.HideStatus {
			s.hidden[user] = struct{}{}
		}
		return true
	})
	s.upgrader = gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadBufferSize: 1024, ReadMaxPayloadSize: maxFrame, CheckUtf8Enabled: true,
		Logger: socketLog{h.Log}, Recovery: gws.Recovery,
		NewSession: func() gws.SessionStorage { return &socket{} },
	})
	return s
}

// serve opens a socket: the checks that HTTP has, then the handshake. A bad token is a 403 here, as recorded.
func (s *sockets) serve(w http.ResponseWriter, r *http.Request) {
	c := s.h.newCall(w, r, nil)
	defer c.release()
	if err := s.admit(c); err != nil {
		c.out = c.out[:0]
		c.fail(err)
		return
	}
}

func (s *sockets) admit(c *call) error {
	if c.r.Method != http.MethodGet {
		c.w.Header()["Allow"] = []string{http.MethodGet}
		return s.h.methodNotAllowed(c)
	}
	if origin := c.r.Header.Get("Origin"); origin != "" && !s.h.AllowOrigin(origin) {
		return errNoSocket
	}
	id, err := s.identify(c)
	if err != nil {
		return err
	}
	if c.r.Header.Get("Upgrade") == "" || c.r.Header.Get("Sec-Websocket-Key") == "" {
		return invalid("This address speaks WebSocket only.")
	}
	if err := s.room(id.User); err != nil {
		return err
	}
	conn, err := s.upgrader.Upgrade(hijacker{c.w}, c.r)
	if err != nil {
		return nil //nolint:nilerr // gws has answered, or the connection is gone
	}
	one := conn.Session().(*socket)
	one.begin(s, conn, id, c.now)
	if s.add(one) != nil { // somebody else took the last place since
		one.expiry.Stop()
		one.close(closeTryLater, "too many connections")
		return nil
	}
	go func() {
		defer s.open.Done()
		conn.ReadLoop()
	}()
	return nil
}

// errNoSocket refuses a handshake.
var errNoSocket = &presence.Error{Kind: presence.Forbidden, Op: "open socket"}

// identify checks the token, from the address as the old client sends it or from the header. The token goes
// nowhere but to auth.
func (s *sockets) identify(c *call) (auth.Identity, error) {
	token := c.r.URL.Query().Get("token")
	if token == "" {
		var err error
		if token, err = bearer(c.r.Header); err != nil {
			return auth.Identity{}, errNoSocket
		}
	}
	id, err := s.h.Auth.Authenticate(c.ctx(), token, c.now)
	if kind := presence.KindOf(err); err != nil && (kind == presence.Unauthenticated || kind == presence.Forbidden) {
		return id, errNoSocket
	}
	return id, err
}

// hijacker finds the connection below whatever the server wrapped around it.
type hijacker struct{ http.ResponseWriter }

// room reports whether the user may open another socket.
func (s *sockets) room(user presence.UserID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roomLocked(user)
}

func (s *sockets) roomLocked(user presence.UserID) error {
	switch {
	case s.closing:
		return &presence.Error{Kind: presence.Unavailable, Op: "open socket", Tell: "The server is restarting."}
	case len(s.byUser[user]) >= socketsPerUser:
		return &presence.Error{Kind: presence.Throttled, Op: "open socket", Tell: "Too many open connections.", RetryAfter: s.limits.silentFor}
	}
	return nil
}

// add takes a socket in, where there is room.
func (s *sockets) add(one *socket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roomLocked(one.id.User); err != nil {
		return err
	}
	one.feed = s.feedFor(s.h.Auth.Viewer(one.id))
	one.place = one.feed.end()
	s.byUser[one.id.User] = append(s.byUser[one.id.User], one)
	s.all[one] = struct{}{}
	s.open.Add(1)
	s.h.Metrics.Streams.WebSocket.Inc()
	return nil
}

// remove lets a socket go. It reports whether its session must be told: not when everything is closed for a
// restart, so that nobody goes offline because of us.
func (s *sockets) remove(one *socket) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.all[one]; !in {
		return false
	}
	delete(s.all, one)
	rest := s.byUser[one.id.User]
	for i := range rest {
		if rest[i] == one {
			rest[i] = rest[len(rest)-1]
			rest[len(rest)-1] = nil
			rest = rest[:len(rest)-1]
			break
		}
	}
	if s.byUser[one.id.User] = rest; len(rest) == 0 {
		delete(s.byUser, one.id.User)
	}
	s.h.Metrics.Streams.WebSocket.Dec()
	return !s.closing
}

// list returns every open socket, in into's memory when there is room.
func (s *sockets) list(into []*socket) []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.all {
		into = append(into, one)
	}
	return into
}

func (s *sockets) of(user presence.UserID) []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*socket(nil), s.byUser[user]...)
}

// sessionEnded closes the sockets of a session that is over. With EverySession the account changed: its name
// may be another one, and it may not be allowed to be here any more.
func (s *sockets) sessionEnded(user presence.UserID, session presence.SessionID) {
	mine := s.of(user)
	if session == presence.EverySession {
		s.names.forget(user)
		if len(mine) == 0 {
			return
		}
		a, err := s.h.Accounts.Account(context.Background(), user)
		if err != nil || a.MaySignIn() { // the sessions that ended are told one by one
			for _, one := range mine {
				if err == nil && one.id.MayRead() != a.MayRead() {
					one.end(closeRestart, "account changed") // to come back with what it may see
				}
			}
			return
		}
	}
	for _, one := range mine {
		if session == presence.EverySession || one.id.Session == session {
			one.end(closeSessionOver, "session is over")
		}
	}
}

// run sends changes and looks after the sockets until ctx ends, then closes them.
func (s *sockets) run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.broadcast(running) })
	group.Go(func() error { return s.look(running) })
	err := group.Wait()
	s.closeAll()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *sockets) closeAll() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for _, one := range s.list(nil) {
		one.end(closeRestart, "service restart")
	}
	s.open.Wait()
}

// look pings sockets and closes the silent and the stuck ones.
func (s *sockets) look(ctx context.Context) error {
	ticker := time.NewTicker(s.limits.tick)
	defer ticker.Stop()
	var all []*socket
	cleared := s.h.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		now := s.h.Now()
		all = s.list(all[:0])
		for _, one := range all {
			one.look(now)
		}
		clear(all)
		if now.Sub(cleared) >= s.limits.nameAge {
			s.names.clear()
			cleared = now
		}
	}
}

// broadcast reads every change of status and hands it to every socket, encoded once.
func (s *sockets) broadcast(ctx context.Context) error {
	cursor, err := s.start(ctx)
	var all []*socket
	for err == nil {
		var changes []presence.Change
		changes, err = s.h.Presence.Changes(ctx, cursor, changesAtOnce)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, presence.ErrGap):
			s.h.Log.LogAttrs(ctx, slog.LevelWarn, "socket changes lost: log moved on", slog.Uint64("after", cursor.Seq))
			cursor, err = s.start(ctx)
			continue
		case err != nil:
			err = s.wait(ctx, err)
			continue
		case len(changes) == 0:
			continue
		}
		cursor.Seq = changes[len(changes)-1].Seq
		all = s.send(ctx, changes, all)
	}
	return err
}

// start takes a cursor from now on; the presence itself is what clients poll the lists for.
func (s *sockets) start(ctx context.Context) (presence.Cursor, error) {
	for {
		cursor, _, err := s.h.Presence.Snapshot(ctx)
		if err == nil {
			return cursor, nil
		}
		if err := s.wait(ctx, err); err != nil {
			return cursor, err
		}
	}
}

// wait says what went wrong and lets a moment pass.
func (s *sockets) wait(ctx context.Context, err error) error {
	s.h.Log.LogAttrs(ctx, slog.LevelWarn, "socket changes cannot be read", slog.Any("err", err))
	timer := time.NewTimer(s.limits.retry)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// send puts changes into the feed and wakes every socket. Sockets are looked up after that: one that came in
// between has its place before these frames and must not sleep on them. It returns all, for its memory.
func (s *sockets) send(ctx context.Context, changes []presence.Change, all []*socket) []*socket {
	if s.empty() {
		return all
	}
	ids := make([]presence.UserID, len(changes))
	for i := range changes {
		ids[i] = changes[i].User
	}
	usernames, err := s.h.namesOf(ctx, ids)
	if err != nil {
		s.h.Log.LogAttrs(ctx, slog.LevelWarn, "usernames for socket frames not found", slog.Any("err", err))
	}
	s.sending.Lock()
	f := s.encode(changes, usernames)
	s.staffFeed.add(batch{f.everything, len(changes)})
	if f.count > 0 {
		s.feed.add(batch{f.shown, f.count})
	}
	s.sending.Unlock()
	for _, own := range f.hidden {
		for _, to := range s.of(own.user) {
			if to.feed != &s.staffFeed {
				to.wake(own.frame)
			}
		}
	}
	all = s.list(all[:0])
	for _, to := range all {
		to.wake(nil)
	}
	s.h.Metrics.Streams.Sent.Add(float64(len(changes) * len(all)))
	clear(all)
	return all
}

func (s *sockets) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all) == 0
}

// appendChange appends a change as the recorded system's consumers write it, spaces included. The id is a
// string here and nowhere else.
func appendChange(b []byte, c *presence.Change, username string) []byte {
	b = append(b, `{"type": "user_status_change", "user_id": "`...)
	b = strconv.AppendInt(b, int64(c.User), 10)
	b = appendText(b, `", "username": `, username)
	return append(appendWord(b, `, "online_status": `, c.To.String()), '}')
}

// appendFrame appends a text frame of a server: final, unmasked.
func appendFrame(b, payload []byte) []byte {
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
