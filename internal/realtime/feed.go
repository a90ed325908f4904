// Package realtime tells presence as it happens: the feed of /api/v1/feed over WebSocket and server-sent events.
// The frames are described in docs/protocol.md.
//
// It decides what reaches which connection, in which order and how fast: subscriptions, the encoding of
// changes (once for everybody who may see the same), resuming, slow readers, pings, the end of a connection. It
// leaves who somebody is to Config.Authenticate, what may be known of whom to presence.Presence.For and
// Config.Privacy, what a signal does to a person to the Presence port, and listening to the server that mounts it.
//
// Nothing here waits for a reader. The hub appends to a bounded queue per connection; a goroutine exists for a
// connection's writes only while there is something to write. Who falls behind is told the newest state of the
// users that changed meanwhile, or a new picture.
package realtime

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/metrics"
	"github.com/offchat/presence/wire"
)

// Presence is what the feed needs from whoever tracks presence. The contracts are those of presence.Engine.
type Presence interface {
	Signal(ctx context.Context, s presence.Signal) (presence.Presence, error)
	State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error)
	Counts(ctx context.Context) (presence.Counts, error)
	Changes(ctx context.Context, after presence.Cursor, limit int) ([]presence.Change, error)
	Snapshot(ctx context.Context) (presence.Cursor, iter.Seq[presence.Presence], error)
	Devices(ctx context.Context, users []presence.UserID) ([]int, error)
	Inspect(ctx context.Context, user presence.UserID) (presence.State, time.Duration, error)
}

// Told is what clients are told of the policy.
type Told struct{ HeartbeatInterval, IdleAfter, OfflineAfter time.Duration }

// Caller is somebody whose token was checked.
type Caller struct {
	User    presence.UserID
	Session presence.SessionID
	// Expires is when the token ends.
	Expires time.Time
	// Staff: an admin or moderator, who may see everybody.
	Staff bool
	// Backend: no person but an API token, whose negative number User is. It makes nobody present, and may watch
	// everybody as anybody may see them, or all of it with Staff.
	Backend bool

	via presence.UserID // the backend that vouched for the user, or nobody
}

// Config is what a Feed is built from. Authenticate and Presence are needed; the rest has defaults.
type Config struct {
	// Authenticate checks an access token. Its errors are those of auth.Service.Authenticate.
	Authenticate func(ctx context.Context, token string, now time.Time) (Caller, error)
	Presence     Presence
	// Account returns how an account stands now: whether it may be here at all, and whether it is staff. It is
	// asked when an account changed. Without it, such a change ends the account's connections.
	Account func(ctx context.Context, user presence.UserID) (active, staff bool, err error)
	// Privacy returns what a user keeps to themselves, at once and from memory. Call Feed.PrivacyChanged after
	// an answer of it changed. The default: nobody hides anything.
	Privacy func(presence.UserID) presence.Privacy
	// Private calls back for everybody who hides something: for those who are no staff they count as offline, or the
	// numbers would tell on them. The default: nobody.
	Private func(func(presence.UserID, presence.Privacy) bool)
	// Tickets makes tickets that are good at every node. The default: a ticket is good where it was bought.
	Tickets SharedTickets

	// Device returns what the client of a session calls itself, at once and from memory. The default knows none.
	Device func(presence.UserID, presence.SessionID) string
	// Accounts returns the present version of the accounts. Call Feed.AccountsChanged when it rises. The default:
	// readers are told of none.
	Accounts func() string

	// OnBehalf lets a user in on the word of a backend: it returns an access token of a session of the user for the
	// API token, which it checks. Without it there are no tickets for backends.
	OnBehalf func(r *http.Request, apiToken string, want wire.FeedTicketRequest) (user presence.UserID, token string, err error)

	// Vouch checks the API token of a backend on whose word somebody is here: whether it may still let people in. The
	// default is Authenticate, which asks whether it may listen.
	Vouch func(ctx context.Context, apiToken string, now time.Time) (Caller, error)
	// OpenPass returns what is in a pass, which stands for what a ticket was good for. The default knows none.
	OpenPass func(text string) (token, via string, ok bool)

	// AllowOrigin reports whether a browser page of that origin may open a feed. The default allows none.
	// Requests without an Origin header are not asked about: they carry their token explicitly.
	AllowOrigin func(origin string) bool
	// Address returns where a request comes from, without a port. The default is the connection's address.
	Address func(*http.Request) string

	// What clients are told, and nothing else: the times of the policy. Zero ones are told as zero.
	Told

	// PerUser and PerAddress bound the open connections of one user and of one network address; loopback
	// addresses, behind which proxies are, are not bounded. Defaults 20 and 2,000.
	PerUser, PerAddress int

	// Now is the clock; time.Now by default.
	Now     func() time.Time
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Vouch == nil {
		c.Vouch = c.Authenticate
	}
	if c.OpenPass == nil {
		c.OpenPass = func(string) (token, via string, ok bool) { return "", "", false }
	}
	if c.Privacy == nil {
		c.Privacy = func(presence.UserID) presence.Privacy { return presence.Privacy{} }
	}
	if c.Private == nil {
		c.Private = func(func(presence.UserID, presence.Privacy) bool) {}
	}
	if c.Device == nil {
		c.Device = func(presence.UserID, presence.SessionID) string { return "" }
	}
	if c.Accounts == nil {
		c.Accounts = func() string { return "" }
	}
	if c.AllowOrigin == nil {
		c.AllowOrigin = func(string) bool { return false }
	}
	if c.Address == nil {
		c.Address = connectionAddress
	}
	if c.PerUser == 0 {
		c.PerUser = 20
	}
	if c.PerAddress == 0 {
		c.PerAddress = 2000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = metrics.Discard()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Feed serves the feed. All methods may be called from any goroutine; Run is called once.
type Feed struct {
	// Static after New.
	cfg      Config
	times    times
	upgrader *gws.Upgrader
	hub      *hub
	tickets  *tickets
	stats    counters

	told atomic.Pointer[Told] // replaced, never modified
	late metrics.Recent       // from changes to their last reader's queue

	mu        sync.Mutex // guards the following fields
	conns     map[*conn]struct{}
	slots     [lookSlots]map[*conn]struct{} // the same, by when they are looked at
	turn      int                           // the slot of the next connection
	byUser    map[presence.UserID][]*conn
	byAddress map[string]int
	draining  bool
	open      sync.WaitGroup // one for each connection; Add only under mu and while not draining
}

// New builds a Feed. Tell it of sessions that end (SessionEnded) and of privacy that changes (PrivacyChanged).
func New(cfg Config) *Feed {
	cfg.setDefaults()
	f := &Feed{
		cfg: cfg, times: timesFor(cfg.OfflineAfter), conns: make(map[*conn]struct{}),
		byUser: make(map[presence.UserID][]*conn), byAddress: make(map[string]int),
	}
	for i := range f.slots {
		f.slots[i] = make(map[*conn]struct{})
	}
	f.told.Store(&cfg.Told)
	f.hub = newHub(f)
	f.tickets = newTickets(cfg.Now, cfg.Tickets)
	f.upgrader = newUpgrader(f)
	return f
}

// Register puts the feed's routes into a mux: GET /api/v1/feed and POST /api/v1/feed/ticket.
func (f *Feed) Register(mux *http.ServeMux) {
	mux.HandleFunc("/api/v1/feed", f.serveFeed)
	mux.HandleFunc("/api/v1/feed/ticket", f.serveTicket)
}

// Run follows the changes and looks after the connections until ctx ends. Then it sends every connection away
// with 1012 and a window in which to come back, spread by how many there are, waits for them and returns. No
// session is told of a disconnect then: nobody goes offline because we restart.
func (f *Feed) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return f.hub.run(running) })
	group.Go(func() error { return f.look(running) })
	err := group.Wait()
	f.drain()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// counters are what Stats reads.
type counters struct {
	websockets, streams                   atomic.Int64
	sent, bytes, coalesced, resyncs, slow atomic.Uint64
	resumed, snapshots                    atomic.Uint64
	ends                                  [ends]atomic.Uint64
}

// Lag is how long, in the last minute, it took from a change to the queues of all its readers, for 99 of 100 changes.
func (f *Feed) Lag() time.Duration {
	lag, _ := f.late.Quantile(0.99, f.cfg.Now().Add(-time.Minute))
	return lag
}

// Waiting is how many connections are behind: what happens does not fit their queue. Most is how many bytes wait for
// the connection for which most wait, its owed users included.
func (f *Feed) Waiting() (behind, most int) {
	for _, c := range f.list(nil) {
		c.mu.Lock()
		if !c.behind.IsZero() {
			behind++
		}
		most = max(most, c.queued+c.waiting+missedSize*len(c.missed))
		c.mu.Unlock()
	}
	return behind, most
}

// missedSize is about what a user costs whose newest state a reader is owed, in bytes.
const missedSize = 16

// Numbers are what metrics tell of the feed.
func (f *Feed) Numbers() metrics.Feed {
	s := &f.stats
	told := metrics.Feed{
		Bytes: s.bytes.Load, Resumed: s.resumed.Load, Pictures: s.snapshots.Load, Coalesced: s.coalesced.Load, Resyncs: s.resyncs.Load,
		Lag: func() float64 { return f.Lag().Seconds() }, Behind: f.Waiting,
	}
	for i := range s.ends {
		told.Ends = append(told.Ends, metrics.FeedEnd{Code: goodbyes[i].code, Reason: goodbyes[i].reason, Count: s.ends[i].Load})
	}
	return told
}

// Stats is what a Feed has counted.
type Stats struct {
	// WebSockets and Streams (SSE) are open now.
	WebSockets, Streams int64
	// Sent frames and their Bytes, ever.
	Sent, Bytes uint64
	// Coalesced changes were not sent one by one, because their reader was behind; Resyncs are the times it was
	// so far behind that it got a new picture.
	Coalesced, Resyncs uint64
	// Dropped connections were cut for reading too slowly.
	Dropped uint64
	// Resumed connections went on from a cursor, Snapshots are pictures that were begun.
	Resumed, Snapshots uint64
}

// Stats returns the present numbers.
func (f *Feed) Stats() Stats {
	s := &f.stats
	return Stats{
		WebSockets: s.websockets.Load(), Streams: s.streams.Load(), Sent: s.sent.Load(), Bytes: s.bytes.Load(),
		Coalesced: s.coalesced.Load(), Resyncs: s.resyncs.Load(), Dropped: s.slow.Load(),
		Resumed: s.resumed.Load(), Snapshots: s.snapshots.Load(),
	}
}
