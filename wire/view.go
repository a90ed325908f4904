package wire

import "time"

// NewView is a way of looking at a page that is worth a name.
type NewView struct {
	Name   string `json:"name" minLength:"1" maxLength:"80" example:"Inactive 30 d"`
	Page   string `json:"page" minLength:"1" maxLength:"40" pattern:"^[a-z]+$" patternDescription:"the name of a page: small letters" doc:"The page of the dashboard it is about." example:"users"`
	Query  string `json:"query" maxLength:"2000" doc:"The query string of the page, as it stands in its address." example:"presence=offline&seen_before=2026-01-01T00:00:00Z"`
	Shared bool   `json:"shared" doc:"Every admin and moderator sees it; only its owner and admins change it."`
}

// View is a saved view.
type View struct {
	ID string `json:"id"`
	NewView
	Owner     string    `json:"owner" doc:"The id of whoever saved it."`
	OwnerName string    `json:"owner_name"`
	Mine      bool      `json:"mine"`
	At        time.Time `json:"at" doc:"When it was saved."`
}

// ViewList is one's own views and the shared ones, by name.
type ViewList struct {
	Items []View `json:"items" nullable:"false"`
}
