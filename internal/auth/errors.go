package auth

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/offchat/presence"
)

func tokenInvalid() error {
	return &presence.Error{Kind: presence.Unauthenticated, Op: "check token", Code: CodeTokenInvalid, Tell: "Token is invalid or expired"}
}

func wrongType() error {
	return &presence.Error{Kind: presence.Unauthenticated, Op: "check token", Code: CodeTokenInvalid, Tell: "Token has wrong type"}
}

func badCredentials() error {
	return &presence.Error{Kind: presence.Unauthenticated, Op: "login", Code: CodeBadCredentials, Tell: "Invalid credentials"}
}

// mayNotLogin is told only to somebody who knew the password. The sentences are recorded.
func mayNotLogin(status presence.AccountStatus) error {
	tell := "Your account is " + status.String()
	if status == presence.AccountPending {
		tell = "Your account is pending admin approval"
	}
	return &presence.Error{Kind: presence.Forbidden, Op: "login", Code: CodeAccountInactive, Field: status.String(), Tell: tell}
}

func userNotFound(op string, err error) error {
	return &presence.Error{Kind: presence.NotFound, Op: op, Tell: "User not found", Err: err}
}

func invalid(field, code, tell string) error {
	return &presence.Error{Kind: presence.Invalid, Op: "check input", Field: field, Code: code, Tell: tell}
}

// unavailable asks to come back in a while; the spread keeps a crowd from coming back as one.
func unavailable(op string, err error) error {
	return &presence.Error{
		Kind: presence.Unavailable, Op: op, Tell: "The server is busy, please try again", Err: err,
		RetryAfter: 2*time.Second + time.Duration(rand.Int64N(int64(4*time.Second))),
	}
}

// taken turns the store's Conflict about a unique field into the recorded sentence.
func taken(err error) error {
	known := (*presence.Error)(nil)
	if !errors.As(err, &known) || known.Kind != presence.Conflict {
		return err
	}
	tell := ""
	switch known.Field {
	case "username":
		tell = "Username already exists"
	case "email":
		tell = "Email already exists"
	default:
		return err
	}
	return &presence.Error{Kind: presence.Conflict, Op: "save account", Field: known.Field, Code: CodeTaken, Tell: tell, Err: err}
}

func isKind(err error, kind presence.ErrorKind) bool {
	return err != nil && presence.KindOf(err) == kind
}

func codeOf(err error) string {
	if known := (*presence.Error)(nil); errors.As(err, &known) {
		return known.Code
	}
	return ""
}
