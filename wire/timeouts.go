package wire

import "time"

// Timeouts are the durations that decide when somebody is away or offline, in seconds.
type Timeouts struct {
	HeartbeatInterval float64 `json:"heartbeat_interval" minimum:"1" maximum:"43200" doc:"How often clients are told to beat."`
	IdleAfter         float64 `json:"idle_after" minimum:"1" maximum:"86400" doc:"Time without input until clients report their person as away."`
	OfflineAfter      float64 `json:"offline_after" minimum:"1" maximum:"86400" doc:"Silence after which somebody is offline: at least twice heartbeat_interval."`
	LeaveGrace        float64 `json:"leave_grace" minimum:"1" maximum:"600" doc:"How long a session whose last connection closed may take to come back."`
	RefreshInterval   float64 `json:"refresh_interval" minimum:"1" maximum:"3600" doc:"How often those who poll are told to."`
}

// NewTimeouts asks for other timeouts.
type NewTimeouts struct {
	Timeouts
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"For the audit."`
}

// TimeoutsNow is what the server goes by, and what it went by before.
type TimeoutsNow struct {
	Timeouts
	Source     string        `json:"source" enum:"dashboard,configuration" doc:"dashboard: set while running, which outranks flags, environment and file until it is taken back."`
	Configured Timeouts      `json:"configured" doc:"What flags, environment, file and defaults say."`
	Warnings   []string      `json:"warnings" nullable:"false" doc:"What is allowed and hardly meant."`
	History    []TimeoutsSet `json:"history" nullable:"false" doc:"What was set while running, newest first; at most 50."`
}

// TimeoutsSet is what somebody set.
type TimeoutsSet struct {
	At       time.Time `json:"at"`
	By       string    `json:"by" doc:"The id of the admin."`
	ByName   string    `json:"by_name"`
	Timeouts *Timeouts `json:"timeouts" doc:"Null: back to the configuration."`
	Reason   string    `json:"reason,omitempty"`
}

// TimeoutsPreview says what would happen.
type TimeoutsPreview struct {
	Present  int      `json:"present" doc:"Who is online or away now, holds aside."`
	Offline  int      `json:"offline" doc:"Those of them who were not heard for longer than offline_after: with this, they would be offline."`
	Warnings []string `json:"warnings" nullable:"false"`
}
