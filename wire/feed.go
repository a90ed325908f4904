package wire

// FeedStatus is a status word: online, away or offline.
type FeedStatus string

// FeedUser is one user's presence in a frame of the feed: the whole state, never a difference. Moments are
// milliseconds since 1970 UTC. What is missing is not known, or not for the reader to know.
type FeedUser struct {
	ID string     `json:"id"`
	S  FeedStatus `json:"s" enum:"online,away,offline"`
	// LS is when the user was seen last, Since when the present status began.
	LS    int64 `json:"ls,omitempty"`
	Since int64 `json:"since,omitempty"`
	// V counts the user's changes and C says why the last one happened. For staff and the user alone.
	V uint64 `json:"v,omitempty"`
	C string `json:"c,omitempty" enum:"login,heartbeat,activity,touch,connect,disconnect,idle,active,timeout,logout,forced,admin"`
	// Held: an admin's hold decides. In snapshots, for staff and the user alone, and in deltas of scope all.
	Held bool `json:"held,omitempty"`
	// The rest belongs to the transition: only in deltas of scope all. Since is when it happened, By the admin behind
	// it, Sid the session that made the difference and Dev what its client calls itself; Until and Note are the hold's.
	From  FeedStatus `json:"from,omitempty" enum:"online,away,offline"`
	By    string     `json:"by,omitempty"`
	Node  string     `json:"node,omitempty"`
	Sid   string     `json:"sid,omitempty"`
	Dev   string     `json:"dev,omitempty"`
	Until int64      `json:"until,omitempty"`
	Note  string     `json:"note,omitempty"`
}

// FeedCounts are how many users have each status. Their sum is the number of known users.
type FeedCounts struct {
	Online  int `json:"online"`
	Away    int `json:"away"`
	Offline int `json:"offline"`
}

// FeedCursor is a place in the feed. It means something only to the server that gave it.
type FeedCursor struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Frame types of the client, the field t of FeedRequest.
const (
	FeedAuth   = "auth"
	FeedSub    = "sub"
	FeedUnsub  = "unsub"
	FeedIdle   = "idle"
	FeedActive = "active"
	FeedPong   = "pong"
	FeedToken  = "token"
	FeedLeave  = "leave"
	FeedLook   = "look"
	FeedProbe  = "ping"
)

// Scopes of a feed.
const (
	FeedScopeUsers  = "users"
	FeedScopeAll    = "all"
	FeedScopeCounts = "counts"
)

// FeedRequest is every frame of a client; which fields count depends on T. The tag frames names the frames that have
// a field; with a question mark, those that may have it.
type FeedRequest struct {
	T string `json:"t" frames:"auth,sub,unsub,look,idle,active,ping,pong,token,leave"`
	// Token goes with auth and token, Ticket with auth.
	Token  string `json:"token,omitempty" frames:"auth?,token"`
	Ticket string `json:"ticket,omitempty" frames:"auth?"`
	// The rest of auth. Users goes with sub, unsub and look, too.
	Scope   string      `json:"scope,omitempty" frames:"auth?" enum:"users,all,counts"`
	Users   []string    `json:"users,omitempty" frames:"auth?,sub,unsub,look"`
	Resume  *FeedCursor `json:"resume,omitempty" frames:"auth?"`
	Idle    bool        `json:"idle,omitempty" frames:"auth?"`
	Observe bool        `json:"observe,omitempty" frames:"auth?"`
	// Roster: the reader of scope all takes its pictures from GET /api/v1/roster; snaps carry no users.
	Roster bool `json:"roster,omitempty" frames:"auth?"`
	// Counts: in scope users, the counts are told, too, as in scope counts.
	Counts bool `json:"counts,omitempty" frames:"auth?"`
	// N goes with pong: the n of the server's ping. With ping it is the client's own, and comes back.
	N uint64 `json:"n,omitempty" frames:"ping,pong"`
}

// FeedHello is the first frame of the server. Expires is when the token ends.
type FeedHello struct {
	T              string `json:"t"` // hello
	User           string `json:"user"`
	Session        string `json:"session"`
	Staff          bool   `json:"staff"`
	Scope          string `json:"scope" enum:"users,all,counts"`
	Epoch          string `json:"epoch"`
	Seq            uint64 `json:"seq"`
	Resumed        bool   `json:"resumed"`
	Now            int64  `json:"now"`
	Expires        int64  `json:"expires"`
	PingMS         int64  `json:"ping_ms"`
	PongMS         int64  `json:"pong_ms"`
	HeartbeatMS    int64  `json:"heartbeat_ms"`
	IdleAfterMS    int64  `json:"idle_after_ms"`
	OfflineAfterMS int64  `json:"offline_after_ms"`
	MaxUsers       int    `json:"max_users"`
	// Accounts is the present version of the accounts, in scope all: see FeedAccounts.
	Accounts string `json:"accounts,omitempty"`
}

// FeedSnap is a picture, or a part of one: More says that another part follows, Full that the reader forgets
// what it held.
type FeedSnap struct {
	T      string      `json:"t"` // snap
	Epoch  string      `json:"epoch"`
	Seq    uint64      `json:"seq"`
	Full   bool        `json:"full,omitempty"`
	Users  []FeedUser  `json:"users"`
	Counts *FeedCounts `json:"counts,omitempty"`
	More   bool        `json:"more,omitempty"`
}

// FeedDelta is what changed. After is only there in scope all: the frame covers the changes in (After, Seq].
type FeedDelta struct {
	T      string      `json:"t"` // delta
	Seq    uint64      `json:"seq"`
	After  *uint64     `json:"after,omitempty"`
	Users  []FeedUser  `json:"users,omitempty"`
	Counts *FeedCounts `json:"counts,omitempty"`
}

// FeedGap says that changes are lost to the reader; a full FeedSnap follows.
type FeedGap struct {
	T string `json:"t"` // gap
}

// FeedPing wants a pong with the same N. Seq, when there, is a cursor: the reader has everything up to it.
type FeedPing struct {
	T   string `json:"t"` // ping
	N   uint64 `json:"n"`
	Seq uint64 `json:"seq,omitempty"`
}

// FeedPonged answers a client's ping. Now is the server's clock.
type FeedPonged struct {
	T   string `json:"t"` // pong
	N   uint64 `json:"n"`
	Now int64  `json:"now"`
}

// FeedRenew asks for a fresh token.
type FeedRenew struct {
	T    string `json:"t"` // renew
	InMS int64  `json:"in_ms"`
}

// FeedRenewed says that a fresh token was taken, and until when it counts.
type FeedRenewed struct {
	T       string `json:"t"` // token
	Expires int64  `json:"expires"`
}

// FeedError is about one frame of the client, whose type Re names. The connection lives on.
type FeedError struct {
	T       string `json:"t"` // error
	Code    string `json:"code"`
	Message string `json:"message"`
	Re      string `json:"re,omitempty"`
}

// FeedBye is the last frame. RetryMS is the window in which to come back; without it, do not.
type FeedBye struct {
	T       string    `json:"t"` // bye
	Code    uint16    `json:"code"`
	Reason  string    `json:"reason"`
	RetryMS *[2]int64 `json:"retry_ms,omitempty"`
}

// FeedTicketRequest is what a backend sends for a ticket on behalf of a user; people send nothing.
type FeedTicketRequest struct {
	User string `json:"user"`
	// TTL is in seconds, 1 to 300; 60 by default.
	TTL int `json:"ttl,omitempty"`
	// Device tells the user's devices apart, such as the id of the app's own session: tickets with the same device
	// are for the same session. At most 200 bytes.
	Device string `json:"device,omitempty"`
}

// FeedTicket is the answer to a request for a ticket. ExpiresIn is in seconds.
type FeedTicket struct {
	Ticket    string `json:"ticket"`
	ExpiresIn int    `json:"expires_in"`
}

// FeedAccounts says, in scope all, that accounts were made, changed or deleted: GET /api/v1/roster with the reader's
// last version as since tells which.
type FeedAccounts struct {
	T       string `json:"t"` // accounts
	Version string `json:"version"`
}

// FeedSeen tells of the users that a reader of scope all looks at (FeedLook) when they were seen last and how many
// devices they have and whether an admin's hold decides (1): all of them at once, later those who moved. The columns go by IDs; an LS of 0 is never.
type FeedSeen struct {
	T       string   `json:"t"` // seen
	Now     int64    `json:"now"`
	IDs     []string `json:"ids"`
	LS      []int64  `json:"ls"`
	Devices []int    `json:"devices"`
	Held    []int    `json:"held"`
}

// FeedTimes says, in every scope, that the times which clients follow have changed; see FeedHello.
type FeedTimes struct {
	T              string `json:"t"` // times
	HeartbeatMS    int64  `json:"heartbeat_ms"`
	IdleAfterMS    int64  `json:"idle_after_ms"`
	OfflineAfterMS int64  `json:"offline_after_ms"`
}
