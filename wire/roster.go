package wire

// Roster is everybody at once, by columns, for a table that is filtered and sorted where it is shown and kept true by
// the feed. Every column of a part has one value for each row. Rows are by id, and columns say little twice: IDs and
// Joined are differences to the row before, within the part; an e-mail that begins with @ is the username with that
// behind it; a username that begins with ~ is the names in small letters, joined by the next character, with the rest
// behind them (~.7 of Zahra Noori is zahra.noori7), but ~~ is a ~ of its own; LastSeen is from Now, Since from LastSeen. Words in Statuses, Causes, Roles and AccountStatuses are places
// in Words.
type Roster struct {
	// Epoch and Seq are the place in scope all of the feed that the presence columns hold at least: apply its later
	// deltas, item by item where the version is higher.
	Epoch string `json:"epoch" doc:"With seq, the cursor of the feed's scope all that this holds at least."`
	Seq   uint64 `json:"seq"`
	// Version is the place in the changes of accounts that the account columns hold at least.
	Version string       `json:"version" doc:"Hand it in as since to get what changed about accounts later."`
	Now     int64        `json:"now" doc:"The server's clock, milliseconds since 1970."`
	Full    bool         `json:"full" doc:"Everybody is in here: forget those who are not. Else only what changed since."`
	Total   int          `json:"total" doc:"How many accounts there are, the trash aside."`
	Words   RosterWords  `json:"words"`
	Removed []string     `json:"removed" nullable:"false" doc:"Accounts that are gone since. Empty when full."`
	Parts   []RosterPart `json:"parts" nullable:"false" doc:"By id; each part stands on a line of its own."`
}

// RosterWords are what the numbers in the columns stand for.
type RosterWords struct {
	Statuses        []string `json:"statuses" nullable:"false"`
	Causes          []string `json:"causes" nullable:"false"`
	Roles           []string `json:"roles" nullable:"false"`
	AccountStatuses []string `json:"account_statuses" nullable:"false"`
}

// RosterPart is some of the rows of a Roster, by columns.
type RosterPart struct {
	IDs             []int64  `json:"ids" nullable:"false" doc:"The first id of the part, then differences to the row before."`
	Usernames       []string `json:"usernames" nullable:"false" doc:"One that begins with ~ and one of . - _ is first_name and last_name in small letters, joined by that, with the rest behind: ~.7 of Zahra Noori is zahra.noori7. ~~ stands for a ~."`
	Emails          []string `json:"emails" nullable:"false" doc:"One that begins with @ is the username with that behind it."`
	FirstNames      []string `json:"first_names" nullable:"false"`
	LastNames       []string `json:"last_names" nullable:"false"`
	Roles           []int    `json:"roles" nullable:"false"`
	AccountStatuses []int    `json:"account_statuses" nullable:"false"`
	Active          []int    `json:"active" nullable:"false" doc:"1: is_active; 0: the account is closed whatever its status."`
	Joined          []int64  `json:"joined" nullable:"false" doc:"Seconds since 1970 of the first row, then differences to the row before."`
	// From here on: presence.
	Statuses []int    `json:"statuses" nullable:"false"`
	LastSeen []*int64 `json:"last_seen" nullable:"false" doc:"Milliseconds from now, so hardly ever above 0; null: never seen."`
	Since    []*int64 `json:"since" nullable:"false" doc:"When the status began, milliseconds from last_seen (from now where that is null); null: it never changed."`
	Causes   []int    `json:"causes" nullable:"false"`
	Held     []int    `json:"held" nullable:"false" doc:"1: an admin's hold decides."`
	Private  []int    `json:"private" nullable:"false" doc:"What the person keeps from others: 1 last_seen, 2 status, 3 both."`
	Devices  []int    `json:"devices" nullable:"false" doc:"Live sessions."`
	Versions []uint64 `json:"versions" nullable:"false" doc:"Counts the changes of the status; v in the feed."`
}
