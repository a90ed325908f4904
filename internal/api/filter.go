package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/offchat/presence"
)

// parseFilter reads the filters of list_users as they stand in an address.
func parseFilter(text string) (*userQuery, error) {
	values, err := url.ParseQuery(strings.TrimPrefix(text, "?"))
	if err != nil {
		return nil, badFilter("this is no query", "a query as in an address")
	}
	in := usersInput{Sort: "id", Limit: 1}
	for name, list := range values {
		if len(list) > 1 {
			return nil, badFilter(name+" is given more than once", "once")
		}
		if err := in.set(name, list[0]); err != nil {
			return nil, err
		}
	}
	return in.query()
}

func badFilter(detail, bound string) error { return invalid("body", "filter", detail, bound) }

// set is one parameter, held against the same bounds as in list_users. What only pages know (sort, limit, cursor,
// total) decides nothing here.
func (in *usersInput) set(name, value string) (err error) {
	if value == "" {
		return nil
	}
	words := strings.Split(value, ",")
	oneOf := func(known ...string) error {
		for _, word := range words {
			if !slices.Contains(known, word) {
				return badFilter(name+" does not know "+strconv.Quote(word), strings.Join(known, ", "))
			}
		}
		return nil
	}
	switch name {
	case "search":
		if in.Search = value; len(value) > 4*254 {
			err = badFilter("search is too long", "<= 254")
		}
	case "presence":
		in.Presence, err = words, oneOf("online", "away", "offline")
	case "account_status":
		if _, known := presence.ParseAccountStatus(value); !known {
			err = badFilter("there is no such account_status", "active, pending, suspended, banned")
		}
		in.Account = value
	case "role":
		if _, known := presence.ParseRole(value); !known {
			err = badFilter("there is no such role", "user, moderator, admin")
		}
		in.Role = value
	case "cause":
		in.Cause, err = words, oneOf(rosterWords.Causes[1:]...)
	case "seen_after":
		in.After, err = filterTime(name, value)
	case "seen_before":
		in.Before, err = filterTime(name, value)
	case "hold":
		in.Hold, err = value, oneOf("true", "false")
	case "min_devices":
		if in.Devices, err = strconv.Atoi(value); err != nil || in.Devices < 0 || in.Devices > 1000 {
			err = badFilter("min_devices is a number", "0 to 1000")
		}
	case "sort", "limit", "cursor", "total":
	default:
		err = badFilter("there is no filter "+strconv.Quote(name), "the filters of list_users")
	}
	return err
}

func filterTime(name, value string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return at, badFilter(name+" is no moment", "RFC 3339 date-time")
	}
	return at, nil
}
