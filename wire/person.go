package wire

import "time"

// Person is everything that is kept about somebody, but for the hash of their password and what would let somebody in.
type Person struct {
	ExportedAt time.Time         `json:"exported_at"`
	Account    PersonAccount     `json:"account"`
	Presence   PersonPresence    `json:"presence"`
	Hold       *PersonHold       `json:"hold,omitempty"`
	Sessions   []PersonSession   `json:"sessions" nullable:"false" doc:"Newest first, ended ones too."`
	Activity   []PersonActivity  `json:"activity" nullable:"false"`
	History    []PersonChange    `json:"history" nullable:"false"`
	AuditAbout []PersonAuditLine `json:"audit_about" nullable:"false" doc:"What admins did about them."`
	AuditBy    []PersonAuditLine `json:"audit_by" nullable:"false" doc:"What they did as an admin."`
}

// PersonAccount is the account.
type PersonAccount struct {
	ID            string     `json:"id"`
	Username      string     `json:"username"`
	Email         string     `json:"email"`
	FirstName     string     `json:"first_name"`
	LastName      string     `json:"last_name"`
	Avatar        string     `json:"avatar"`
	Bio           string     `json:"bio"`
	Role          string     `json:"role"`
	Staff         bool       `json:"is_staff"`
	Status        string     `json:"status"`
	Active        bool       `json:"is_active"`
	EmailVerified bool       `json:"email_verified"`
	HasPassword   bool       `json:"has_password"`
	HideStatus    bool       `json:"hide_status"`
	HideLastSeen  bool       `json:"hide_last_seen"`
	JoinedAt      *time.Time `json:"join_date"`
	CreatedAt     *time.Time `json:"created_at"`
	UpdatedAt     *time.Time `json:"updated_at"`
	DeletedAt     *time.Time `json:"deleted_at" doc:"When the account went into the trash; null: it is not there."`
}

// PersonPresence is how they are shown.
type PersonPresence struct {
	Status   string     `json:"online_status"`
	LastSeen *time.Time `json:"last_seen"`
	Since    *time.Time `json:"since"`
	Cause    string     `json:"cause"`
}

// PersonHold is an override of their status.
type PersonHold struct {
	Status string     `json:"status"`
	Until  *time.Time `json:"until"`
	Note   string     `json:"note"`
	Actor  string     `json:"actor"`
}

// PersonSession is one sign-in. Its number is left out: it would tell nobody anything, and it names tokens.
type PersonSession struct {
	CreatedAt *time.Time `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	EndedAt   *time.Time `json:"ended_at"`
	EndCause  string     `json:"end_cause"`
	IP        string     `json:"ip_address"`
	UserAgent string     `json:"user_agent"`
}

// PersonActivity is a line of their activity.
type PersonActivity struct {
	At          *time.Time `json:"at"`
	Action      string     `json:"action"`
	Description string     `json:"description"`
	IP          string     `json:"ip_address"`
	UserAgent   string     `json:"user_agent"`
}

// PersonChange is a change of their status.
type PersonChange struct {
	At    *time.Time `json:"at"`
	From  string     `json:"from"`
	To    string     `json:"to"`
	Cause string     `json:"cause"`
	Actor string     `json:"actor,omitempty"`
}

// PersonAuditLine is a line of the audit.
type PersonAuditLine struct {
	ID         string     `json:"id"`
	At         *time.Time `json:"at"`
	Actor      string     `json:"actor" doc:"The id of the admin; negative: an API token, by its id; empty: the command line on the server's machine."`
	Action     string     `json:"action"`
	Target     string     `json:"target"`
	TargetName string     `json:"target_name"`
	Before     any        `json:"before,omitempty"`
	After      any        `json:"after,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	IP         string     `json:"ip_address,omitempty"`
	UserAgent  string     `json:"user_agent,omitempty"`
	RequestID  string     `json:"request_id,omitempty"`
}

// ErasePerson asks for the end of a person.
type ErasePerson struct {
	Confirm string `json:"confirm" maxLength:"150" doc:"Their username, as it is written: what was done cannot be undone." example:"zahra"`
}

// ErasedPerson is what an erasure did.
type ErasedPerson struct {
	ID         string `json:"id"`
	AuditLines int    `json:"audit_lines" doc:"Lines of the audit that were emptied."`
}
