// Command seed fills the database of a server that does not run with people, for tests and measures of the dashboard:
// as many as wanted, some of them online, with names in three languages. They all have the password of one account
// that is there already.
//
//	presence user create root --role admin --data DIR
//	seed -data DIR -users 100000 -online 20000 -like root
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/sqlite"
)

func main() {
	data := flag.String("data", "", "data directory of the server")
	users := flag.Int("users", 1000, "how many people")
	online := flag.Int("online", 0, "how many of them are online")
	like := flag.String("like", "root", "the account whose password they get")
	flag.Parse()
	if err := seed(context.Background(), *data, *users, *online, *like); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

const batch = 2000

func seed(ctx context.Context, data string, users, online int, like string) (err error) {
	store, err := sqlite.Open(ctx, filepath.Join(data, "presence.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	model, err := store.AccountByName(ctx, like)
	if err != nil {
		return fmt.Errorf("account %s: %w", like, err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for from := 0; from < users; from += batch {
		err := store.Durable(ctx, func(tx presence.Tx) error {
			for i := from; i < min(from+batch, users); i++ {
				if err := seedOne(tx, i, i < online, model.PasswordHash, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// seedOne makes one person. What they are follows from their number, so that tests know whom they meet.
func seedOne(tx presence.Tx, i int, online bool, hash string, now time.Time) error {
	first, last := firstNames[i%len(firstNames)], lastNames[(i/len(firstNames))%len(lastNames)]
	username := fmt.Sprintf("%s.%s%d", first.latin, last.latin, i)
	a := presence.Account{
		Username: username, Email: username + "@example.org", Active: true, PasswordHash: hash,
		FirstName: first.latin, LastName: last.latin,
		JoinedAt: now.Add(-time.Duration(i%700+1) * 26 * time.Hour),
	}
	if i%3 == 0 {
		a.FirstName, a.LastName = first.own, last.own
	}
	a.CreatedAt, a.UpdatedAt = a.JoinedAt, a.JoinedAt
	switch {
	case i%40 == 7:
		a.Status = presence.AccountPending
	case i%90 == 11:
		a.Status = presence.AccountSuspended
	case i%150 == 13:
		a.Status = presence.AccountBanned
	case i%50 == 3:
		a.Role = presence.RoleModerator
	}
	switch {
	case online && a.MaySignIn():
		a.OnlineStatus, a.Cause, a.Version = presence.Online, presence.CauseLogin, 1
		a.LastSeen, a.Since = now, now.Add(-time.Duration(i%480)*time.Minute)
	case i%11 != 5: // one in eleven was never seen
		a.Cause, a.Version = []presence.Cause{presence.CauseTimeout, presence.CauseLogout, presence.CauseDisconnect}[i%3], 2
		a.LastSeen = now.Add(-time.Duration(i%3000+1) * 17 * time.Minute)
		a.Since = a.LastSeen.Add(2 * time.Minute)
	}
	if err := tx.InsertAccount(&a); err != nil {
		return err
	}
	if a.OnlineStatus != presence.Online {
		return nil
	}
	return tx.InsertSession(presence.LoginSession{
		ID: presence.SessionID(1_000_000 + i), User: a.ID, CreatedAt: a.Since, ExpiresAt: now.Add(7 * 24 * time.Hour),
		IP: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	})
}

// name is one in Latin letters and in its own.
type name struct{ latin, own string }

var firstNames = []name{
	{"zahra", "زهرا"},
	{"farid", "فرید"},
	{"omid", "امید"},
	{"laila", "لیلا"},
	{"karim", "کریم"},
	{"nasrin", "نسرین"},
	{"wali", "ولي"},
	{"gul", "ګل"},
	{"mariam", "مریم"},
	{"yusuf", "یوسف"},
	{"anna", "Anna"},
	{"tariq", "طارق"},
	{"shabnam", "شبنم"},
	{"ehsan", "احسان"},
	{"spozhmai", "سپوږمۍ"},
	{"david", "David"},
	{"rabia", "رابعه"},
}

var lastNames = []name{
	{"noori", "نوری"},
	{"safi", "صافی"},
	{"popal", "پوپل"},
	{"azizi", "عزیزی"},
	{"rahimi", "رحیمی"},
	{"stanekzai", "ستانکزی"},
	{"wardak", "وردک"},
	{"haidari", "حیدری"},
	{"miller", "Miller"},
	{"kakar", "کاکړ"},
	{"ahmadi", "احمدی"},
	{"barakzai", "بارکزی"},
	{"sultani", "سلطانی"},
}
