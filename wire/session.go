package wire

import "time"

// SignIn is a name and a password, from the dashboard's own page.
type SignIn struct {
	Username string `json:"username" maxLength:"1000"`
	Password string `json:"password" maxLength:"4096"`
}

// SetUp makes the first admin, with the token of the link that the server printed.
type SetUp struct {
	Token    string `json:"token" maxLength:"100"`
	Username string `json:"username" maxLength:"1000"`
	Email    string `json:"email,omitempty" maxLength:"1000"`
	Password string `json:"password" maxLength:"4096"`
}

// SetUpNeeded says whether there is nobody yet who could sign in as an admin.
type SetUpNeeded struct {
	Needed bool `json:"needed"`
}

// SignedIn is what a page in a browser keeps in memory. What opens its session again is in a cookie that no script
// can read.
type SignedIn struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at" doc:"When the access token ends."`
	Account     Account   `json:"account"`
	AsOf        time.Time `json:"as_of"`
}
