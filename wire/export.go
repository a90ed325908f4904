package wire

// ExportedUser is a row of an exported list of users. Moments are RFC 3339 in UTC, or as they read on a clock of the
// time zone asked for; empty where there is none.
type ExportedUser struct {
	ID            string `json:"id"`
	Username      string `json:"username"`
	Email         string `json:"email"`
	FirstName     string `json:"first_name"`
	LastName      string `json:"last_name"`
	Role          string `json:"role"`
	AccountStatus string `json:"account_status"`
	Active        bool   `json:"is_active"`
	Status        string `json:"status"`
	Cause         string `json:"cause"`
	Held          bool   `json:"held"`
	Devices       int    `json:"devices"`
	LastSeen      string `json:"last_seen"`
	LastSeenLocal string `json:"last_seen_local"`
	Since         string `json:"since"`
	SinceLocal    string `json:"since_local"`
	JoinedAt      string `json:"joined_at"`
	JoinedAtLocal string `json:"joined_at_local"`
}

// ExportedAct is a row of an exported audit. Before and After are JSON as text.
type ExportedAct struct {
	ID         string `json:"id"`
	At         string `json:"at"`
	AtLocal    string `json:"at_local"`
	Actor      string `json:"actor"`
	Action     string `json:"action"`
	Target     string `json:"target"`
	TargetName string `json:"target_name"`
	Before     string `json:"before"`
	After      string `json:"after"`
	Reason     string `json:"reason"`
	IP         string `json:"ip"`
	UserAgent  string `json:"user_agent"`
	RequestID  string `json:"request_id"`
}
