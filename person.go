package presence

import "context"

// PersonStore is a store that can be asked for everything it keeps about one person.
type PersonStore interface {
	// SessionsOf returns all the user's sessions that are kept, ended or not, newest first.
	SessionsOf(ctx context.Context, user UserID) ([]LoginSession, error)
}
