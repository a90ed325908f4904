package wire

import "time"

// System is how the server is.
type System struct {
	Version       string    `json:"version"`
	Node          string    `json:"node" doc:"The node that answers."`
	StartedAt     time.Time `json:"started_at"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	Facts         []Fact    `json:"facts" nullable:"false" doc:"Numbers of this node. One that cannot be known here is not in the list."`
	AsOf          time.Time `json:"as_of"`
}

// Fact is one number about the server, and how it stands.
type Fact struct {
	Key   string   `json:"key" doc:"What it is; stable." example:"open_files"`
	Value *float64 `json:"value" doc:"Null: it is not known."`
	Unit  string   `json:"unit" enum:"count,per_second,seconds,bytes"`
	Warn  *float64 `json:"warn,omitempty" doc:"From here on it is worth a look."`
	Limit *float64 `json:"limit,omitempty" doc:"From here on something is wrong, or nothing more fits."`
	State string   `json:"state" enum:"ok,warn,fail"`
	Text  string   `json:"text" doc:"In words."`
}

// Attention is what an admin may want to look at. What is in order is not in the list.
type Attention struct {
	Items []Concern `json:"items" nullable:"false"`
	AsOf  time.Time `json:"as_of"`
}

// Concern is one such thing.
type Concern struct {
	Key   string `json:"key" enum:"held,silent,many_devices,pending,expiry_lag,webhooks,system" doc:"What it is; stable."`
	State string `json:"state" enum:"info,warn,fail"`
	Count int    `json:"count"`
	Text  string `json:"text" doc:"In words."`
	Page  string `json:"page" doc:"The page of the dashboard that shows it." example:"users"`
	Query string `json:"query" doc:"The query of that page, which list_users takes, too." example:"hold=true"`
}
