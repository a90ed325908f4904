// Package wire is our own wire contract as Go types: what /api/v1 takes and answers, and the frames of the live
// feed. Documents and other languages' types are generated from it. It decides names and shapes and nothing else.
package wire

//go:generate go run ../internal/wiregen

import "time"

// Presence is one person's presence, as the caller may know it. A person who keeps their status to themselves
// looks like one who is offline and whose last_seen is not given.
type Presence struct {
	ID     string `json:"id" doc:"The user's id." example:"7"`
	Status string `json:"status" enum:"online,away,offline" doc:"The most present of the person's sessions, or what an admin's hold says."`
	// LastSeen and Since are null when there is none, or when it is not given.
	LastSeen *time.Time `json:"last_seen" doc:"The newest sign of life. Null: never, or not given."`
	Since    *time.Time `json:"since" doc:"When the present status began. Null: it never changed, or not given."`
	Cause    string     `json:"cause,omitempty" enum:"login,heartbeat,activity,touch,connect,disconnect,idle,active,timeout,logout,forced,admin" doc:"What brought the present status about. Told to admins, moderators and the person alone."`
	Held     bool       `json:"held,omitempty" doc:"An admin's hold decides the status. Told to admins, moderators and the person alone."`
}

// PresenceQuery asks for many people at once.
type PresenceQuery struct {
	IDs []string `json:"ids" minItems:"1" maxItems:"1000" nullable:"false" doc:"Ids of users, answered in this order." example:"[\"7\",\"8\"]"`
	// Viewer is for backends alone.
	Viewer string `json:"viewer,omitempty" maxLength:"19" doc:"With an API token: the user whom the answer is shown to. It then has what this user may see: who hides does not see, and sees themselves." example:"9"`
}

// PresenceList answers a PresenceQuery.
type PresenceList struct {
	Items []Presence `json:"items" nullable:"false" doc:"One for each id, in the order asked for. Somebody who is not known is offline."`
	AsOf  time.Time  `json:"as_of" doc:"The moment of the answer."`
}

// PresenceNow is the presence of one person at a moment.
type PresenceNow struct {
	Presence
	AsOf time.Time `json:"as_of" doc:"The moment of the answer."`
}

// Privacy is what somebody keeps to themselves.
type Privacy struct {
	HideStatus   bool `json:"hide_status" doc:"Others see you offline, and no last_seen; you see the same of them."`
	HideLastSeen bool `json:"hide_last_seen" doc:"Others are not given your last_seen and since; you are not given theirs."`
}

// OwnStatus is what somebody says about their status themselves.
type OwnStatus struct {
	Status string     `json:"status" enum:"away,auto" doc:"away: wherever you are active, you are away. auto: your devices decide."`
	Until  *time.Time `json:"until,omitempty" doc:"When away ends by itself, in the future. Absent: when you say auto."`
	Text   string     `json:"text,omitempty" maxLength:"500" doc:"What you say about it, to yourself, moderators and admins."`
}

// Counts are how many people have each status.
type Counts struct {
	Online      int       `json:"online"`
	Away        int       `json:"away"`
	Offline     int       `json:"offline"`
	Total       int       `json:"total" doc:"The sum of the three."`
	Devices     *int      `json:"devices,omitempty" doc:"Live sessions of all of them together. Told to moderators and admins alone."`
	Connections *int      `json:"connections,omitempty" doc:"Open connections of those devices. Told to moderators and admins alone."`
	AsOf        time.Time `json:"as_of"`
}

// Account is what the server knows of somebody besides presence.
type Account struct {
	ID            string    `json:"id"`
	Username      string    `json:"username"`
	Email         string    `json:"email"`
	FirstName     string    `json:"first_name"`
	LastName      string    `json:"last_name"`
	Avatar        string    `json:"avatar" doc:"A URL, or empty."`
	Role          string    `json:"role" enum:"user,moderator,admin"`
	AccountStatus string    `json:"account_status" enum:"active,pending,suspended,banned"`
	Active        bool      `json:"is_active" doc:"False closes the account whatever its account_status."`
	JoinedAt      time.Time `json:"joined_at"`
	CreatedAt     time.Time `json:"created_at"`
}

// Session is one login, device or foreign token of somebody.
type Session struct {
	ID        string     `json:"id" doc:"16 hexadecimal digits."`
	Kind      string     `json:"kind" enum:"login,foreign,touch,stand_in" doc:"login: signed in here; foreign: a token that was issued elsewhere; touch: a backend or proxy speaks for the person, user_agent names it; stand_in: somebody an admin set present, or a restart kept so, without a session."`
	Current   bool       `json:"current" doc:"The session of this very request."`
	CreatedAt *time.Time `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	IP        string     `json:"ip"`
	UserAgent string     `json:"user_agent"`
	Device    string     `json:"device" doc:"What the user_agent says, in two words; empty when it says nothing." example:"Firefox/Linux"`
	// What the engine knows; a session that was not heard for a lease is not live.
	Live         bool       `json:"live" doc:"It was heard within its lease, so its person is present."`
	Idle         bool       `json:"idle" doc:"Its client says that the person left."`
	Leaving      bool       `json:"leaving" doc:"Its last connection closed and it may still come back."`
	Connections  int        `json:"connections"`
	LeaseEndsAt  *time.Time `json:"lease_ends_at" doc:"When silence ends it."`
	LastSignalAt *time.Time `json:"last_signal_at" doc:"When it was heard last, where that is known: while it is the only live session."`
}

// Me is what somebody is told about themselves.
type Me struct {
	Account  Account   `json:"account"`
	Presence Presence  `json:"presence"`
	Privacy  Privacy   `json:"privacy"`
	Sessions []Session `json:"sessions" nullable:"false"`
	AsOf     time.Time `json:"as_of"`
}

// Ended says how many sessions were ended.
type Ended struct {
	Ended int `json:"ended"`
}

// UserRow is somebody in a list.
type UserRow struct {
	Account
	Presence Presence `json:"presence"`
	Devices  int      `json:"devices" doc:"Live sessions."`
}

// UserPage is a page of users.
type UserPage struct {
	Items []UserRow `json:"items" nullable:"false"`
	// NextCursor is null on the last page.
	NextCursor *string   `json:"next_cursor" doc:"Hand it in as cursor for the next page. Null: there is none."`
	Total      *int      `json:"total,omitempty" doc:"How many match in all, when total=true asked for it."`
	AsOf       time.Time `json:"as_of"`
}

// Hold is an admin's override of somebody's status.
type Hold struct {
	Status string     `json:"status" enum:"online,away,offline"`
	Until  *time.Time `json:"until" doc:"When it ends by itself. Null: when it is lifted."`
	Note   string     `json:"note"`
	By     string     `json:"by" doc:"The id of the admin; empty: the command line."`
}

// NewHold asks for a hold.
type NewHold struct {
	Status string     `json:"status" enum:"online,away,offline"`
	Until  *time.Time `json:"until,omitempty" doc:"When it ends by itself, in the future. Absent: when it is lifted."`
	Note   string     `json:"note,omitempty" maxLength:"500"`
}

// Why says in words why somebody has the status they have, and what happens next.
type Why struct {
	Status string     `json:"status" enum:"online,away,offline"`
	Since  *time.Time `json:"since"`
	Cause  string     `json:"cause,omitempty"`
	// Rule names what decided; Text is the sentence for people.
	Rule    string    `json:"rule" enum:"hold,own_status,active_session,idle_session,no_session,never_seen" doc:"What decides: an admin's hold, the person's own word, a session that is active, one that is idle, that there is none, or that the person was never heard."`
	Text    string    `json:"text"`
	Session string    `json:"session,omitempty" doc:"The session that decides."`
	Next    *Deadline `json:"next,omitempty" doc:"What happens if nothing more is heard."`
}

// Deadline is what happens, and when, if nothing more is heard.
type Deadline struct {
	Status string    `json:"status" enum:"online,away,offline"`
	At     time.Time `json:"at"`
}

// Transition is one change of somebody's status.
type Transition struct {
	At      time.Time `json:"at"`
	From    string    `json:"from" enum:"online,away,offline"`
	To      string    `json:"to" enum:"online,away,offline"`
	Cause   string    `json:"cause"`
	Session string    `json:"session,omitempty"`
	Actor   string    `json:"actor,omitempty" doc:"The id of the admin behind it."`
	Node    string    `json:"node,omitempty"`
}

// Event is one change of somebody's status among those of everybody.
type Event struct {
	ID       string `json:"id"`
	User     string `json:"user"`
	Username string `json:"username" doc:"Empty when the account is gone."`
	Transition
	Device    string `json:"device,omitempty" doc:"What the client of the session calls itself." example:"Firefox/Linux"`
	ActorName string `json:"actor_name,omitempty"`
}

// EventPage is a page of events, newest first.
type EventPage struct {
	Items      []Event `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Hand it in as cursor for the next page. Null: there is none."`
}

// UserDetail is everything about one person.
type UserDetail struct {
	Account     Account      `json:"account"`
	Presence    Presence     `json:"presence"`
	Privacy     Privacy      `json:"privacy"`
	Hold        *Hold        `json:"hold,omitempty"`
	OwnStatus   *OwnStatus   `json:"own_status,omitempty" doc:"What they say themselves, if anything."`
	Why         Why          `json:"why"`
	Sessions    []Session    `json:"sessions" nullable:"false"`
	Transitions []Transition `json:"transitions" nullable:"false" doc:"The last 20, newest first."`
	AsOf        time.Time    `json:"as_of"`
}

// Interval is a stretch of time with one status.
type Interval struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Status string    `json:"status" enum:"online,away,offline,unknown" doc:"unknown: what was written down does not say, or the account was not there yet."`
	Cause  string    `json:"cause,omitempty" doc:"What began it."`
}

// Totals sum up a stretch of time, in whole seconds.
type Totals struct {
	OnlineSeconds  int64 `json:"online_seconds"`
	AwaySeconds    int64 `json:"away_seconds"`
	OfflineSeconds int64 `json:"offline_seconds"`
	UnknownSeconds int64 `json:"unknown_seconds"`
}

// Day is one day of somebody's history.
type Day struct {
	Date      string     `json:"date" format:"date"`
	Intervals []Interval `json:"intervals" nullable:"false"`
	Totals    Totals     `json:"totals"`
}

// History is who somebody was between two moments.
type History struct {
	From      time.Time `json:"from"`
	To        time.Time `json:"to" doc:"Not later than now."`
	Days      []Day     `json:"days" nullable:"false" doc:"From midnight to midnight in the time zone asked for, oldest first."`
	Totals    Totals    `json:"totals"`
	LongestS  int64     `json:"longest_online_seconds" doc:"The longest stretch online without a break."`
	DaysSeen  int       `json:"days_present" doc:"Days with some time online or away."`
	Truncated bool      `json:"truncated" doc:"There were more changes than one answer holds: what comes after to is missing."`
}

// ConcurrencyPoint is one step of the concurrency series. Its numbers are null when no server was looking.
type ConcurrencyPoint struct {
	At         time.Time `json:"at" doc:"When the step began."`
	Online     *float64  `json:"online" doc:"Mean over the recorded minutes. Null: nothing was recorded."`
	Away       *float64  `json:"away"`
	Offline    *float64  `json:"offline"`
	PeakOnline *int      `json:"peak_online"`
	// What ties them to the server, on all nodes together.
	Devices     *float64       `json:"devices" doc:"Live sessions of everybody: mean over the minutes in which they were counted, at the minute's beginning. Null: nobody counted."`
	Connections *float64       `json:"connections" doc:"Open connections of those devices, as above. A device that only sends heartbeats has none, one with two tabs may have two."`
	Changes     map[string]int `json:"changes,omitempty" doc:"Changes of status in the step, by cause."`
}

// Concurrency is how many people were there over time.
type Concurrency struct {
	Range       string             `json:"range"`
	StepSeconds int                `json:"step_seconds"`
	Items       []ConcurrencyPoint `json:"items" nullable:"false" doc:"Every step of the range, oldest first; the last one is still going on."`
	AsOf        time.Time          `json:"as_of"`
}

// Week is how many people are online at which hour of which day, on average over some weeks.
type Week struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Days []WeekDay `json:"days" nullable:"false" doc:"Seven days, the first is Sunday."`
}

// WeekDay is one day of a Week, by the hours of its clock.
type WeekDay struct {
	Hours   []*float64 `json:"hours" nullable:"false" doc:"24 means of how many were online. Null: nothing was recorded."`
	Minutes []int      `json:"minutes" nullable:"false" doc:"24 numbers of minutes that the means are of."`
}

// AuditEntry is one act of an admin.
type AuditEntry struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Actor      string    `json:"actor" doc:"The id of the admin; negative: an API token, by its id; empty: the command line on the server's machine."`
	Action     string    `json:"action"`
	Target     string    `json:"target"`
	TargetName string    `json:"target_name"`
	Before     any       `json:"before,omitempty" doc:"What changed, as it was."`
	After      any       `json:"after,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	IP         string    `json:"ip,omitempty"`
	UserAgent  string    `json:"user_agent,omitempty"`
	RequestID  string    `json:"request_id,omitempty"`
}

// AuditPage is a page of audit entries, newest first.
type AuditPage struct {
	Items      []AuditEntry `json:"items" nullable:"false"`
	NextCursor *string      `json:"next_cursor" doc:"Hand it in as cursor for the next page. Null: there is none."`
}

// Settings are what clients follow, in seconds.
type Settings struct {
	HeartbeatInterval float64 `json:"heartbeat_interval" doc:"How often to send a heartbeat, in seconds."`
	IdleAfter         float64 `json:"idle_after" doc:"Seconds without input after which to report the person as away."`
	OfflineAfter      float64 `json:"offline_after" doc:"Seconds of silence after which somebody is offline."`
	RefreshInterval   float64 `json:"refresh_interval" doc:"How often to refresh what is polled, in seconds."`
	// Server is given to admins.
	Server []Setting `json:"server,omitempty" doc:"Every effective setting; secrets are masked. Told to admins alone."`
}

// Setting is one effective setting of the server.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source" doc:"Where the value came from."`
}

// Problem is an error (RFC 9457, application/problem+json).
type Problem struct {
	Type   string `json:"type" doc:"Names the kind of the problem; leads to its description." example:"/api/docs#problem-validation"`
	Title  string `json:"title" doc:"The kind in words, the same each time."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail" doc:"What is wrong, for people."`
	Code   string `json:"code" doc:"What is wrong, for programs; stable." example:"validation"`
	// Field and Bound are of the first of Errors.
	Field      string         `json:"field,omitempty" doc:"The input it is about." example:"limit"`
	Bound      string         `json:"bound,omitempty" doc:"What the input must keep to." example:"<= 1000"`
	Errors     []ProblemField `json:"errors,omitempty" doc:"Everything that is wrong with the input."`
	RetryAfter int            `json:"retry_after,omitempty" doc:"Seconds to wait before another try; also in the Retry-After header."`
}

// ProblemField is what is wrong with one input.
type ProblemField struct {
	In     string `json:"in,omitempty" enum:"path,query,header,body"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
	Bound  string `json:"bound,omitempty"`
}
