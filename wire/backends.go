package wire

import "time"

// Touch tells that people are active.
type Touch struct {
	IDs    []string `json:"ids" minItems:"1" maxItems:"1000" nullable:"false" doc:"Ids of users." example:"[\"7\",\"8\"]"`
	Source string   `json:"source,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9._:/@ -]*$" patternDescription:"letters, digits and . _ : / @ - and spaces" doc:"What the backend calls itself; shown where the person's devices are. Each source is a device of its own. Default: the name of the token." example:"mobile-api"`
}

// Touched says whom a Touch did not reach.
type Touched struct {
	Touched int              `json:"touched" doc:"How many were taken, those within 5 s of another word too."`
	Unknown []string         `json:"unknown" nullable:"false" doc:"There is no such user."`
	Refused []TouchedRefusal `json:"refused" nullable:"false" doc:"They may not be present."`
}

// TouchedRefusal is somebody who may not be present.
type TouchedRefusal struct {
	ID     string `json:"id"`
	Reason string `json:"reason" enum:"not_active,logged_out" doc:"not_active: the account is pending, suspended, banned or closed; logged_out: thrown out within the last 30 s."`
}

// Reason says why an act was done.
type Reason struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Kept in the audit." example:"lost phone"`
}

// NewToken asks for a token of a backend.
type NewToken struct {
	Name      string     `json:"name" minLength:"1" maxLength:"100" doc:"What it is for." example:"mobile-api"`
	Scopes    []string   `json:"scopes" minItems:"1" maxItems:"8" nullable:"false" enum:"touch,read,tickets,logout,admin:read" doc:"What it may do."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When it ends, within ten years. Absent: when it is revoked."`
}

// Token is a token of a backend, without its secret.
type Token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes" nullable:"false"`
	Hint       string     `json:"hint" doc:"How the token begins, to tell it by." example:"opt_x7Kd2P"`
	Status     string     `json:"status" enum:"active,expired,revoked"`
	CreatedBy  string     `json:"created_by" doc:"The id of the admin; empty: the command line."`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"Null: when it is revoked."`
	LastUsedAt *time.Time `json:"last_used_at" doc:"Null: never."`
	RevokedAt  *time.Time `json:"revoked_at"`
	RevokedBy  string     `json:"revoked_by,omitempty"`
}

// MadeToken is a token that was just made.
type MadeToken struct {
	Token
	// Secret is told this once.
	Secret string `json:"token" doc:"The token itself. It is told this once: only a hash is kept. Send it as Authorization: Bearer TOKEN."`
}

// TokenList is all tokens of backends.
type TokenList struct {
	Items []Token `json:"items" nullable:"false" doc:"Oldest first."`
}

// IdentityCheck asks whether a JWT would be let in.
type IdentityCheck struct {
	Token string `json:"token" minLength:"1" maxLength:"8192" doc:"The JWT, without Bearer. It is not kept."`
}

// IdentityVerdict says whether, and if not, exactly why.
type IdentityVerdict struct {
	Accepted bool   `json:"accepted"`
	Issuer   string `json:"issuer" doc:"The configured issuer that it is judged by; presence for tokens of this server; empty: none."`
	User     string `json:"user" doc:"The id of the user it would be. Empty: none, or one who would be made (provision)."`
	Reason   string `json:"reason,omitempty" doc:"Why not: malformed, issuer, alg, kid, keys, signature, exp, nbf, iat, aud, claim, user, account, session, logged_out, type, unavailable."`
	Detail   string `json:"detail,omitempty" doc:"The same for people."`
	// What the token says about itself, true or not.
	Alg     string     `json:"alg"`
	Kid     string     `json:"kid"`
	Iss     string     `json:"iss"`
	Sub     string     `json:"sub"`
	Expires *time.Time `json:"expires_at"`
}

// ProxiesSeen is what proxies asked lately.
type ProxiesSeen struct {
	AskedAt *time.Time `json:"asked_at" doc:"When a proxy asked last. Null: none did since this node started."`
	Status  int        `json:"status" doc:"What it was answered: 204, 401, 403, 503; 0: nothing."`
	KnownAt *time.Time `json:"known_at" doc:"When one asked last about somebody who may be here, which counted as activity."`
	User    string     `json:"user" doc:"The id of that person; empty: nobody yet."`
	AsOf    time.Time  `json:"as_of"`
}
