package django

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/offchat/presence"
)

// Target is where it all goes; both stores are one.
type Target interface {
	AccountsByID(ctx context.Context, ids []presence.UserID) ([]presence.Account, error)
	TokenRevoked(ctx context.Context, jti string) (bool, error)
	Activity(ctx context.Context, user presence.UserID, offset, limit int) ([]presence.ActivityEntry, int, error)
	RecordSeen(ctx context.Context, seen []presence.Seen) error
	Durable(ctx context.Context, act func(tx presence.Tx) error) error
	presence.ImportStore
}

// Options say how to import. Now is required.
type Options struct {
	// DryRun reads and judges everything and writes nothing.
	DryRun bool
	// Update brings accounts that are here and differ to what the original says. Without it they stay.
	Update bool
	// Now decides which tokens have ended.
	Now time.Time
	// Place is where moments are that name no offset. Default UTC.
	Place *time.Location
	// UsersTable is the name of the users table, where it is none of those we know.
	UsersTable string
	// Readable reports whether passwords can be checked against a hash. Default: all can.
	Readable func(hash string) bool
	// Progress is told how far a table is, about every thousand rows.
	Progress func(table string, done, total int)
}

const (
	// batch is how many rows share a transaction: half a second at the most, on the slowest of disks.
	batch = 500

	markFirst      = "django.first_run"
	markActivities = "django.activities"
	markSessions   = "django.sessions"
)

// importer is one run.
type importer struct {
	*Options
	source *Source
	target Target
	report *Report
	marks  map[string]int64
	first  time.Time
	known  map[presence.UserID]bool // who is here, or would be
}

// Import carries a Django database into a store and compares the two. It may be run again, after an error too:
// what was carried stays as it is. The report comes with the error, as far as it goes.
func Import(ctx context.Context, source *Source, target Target, o Options) (*Report, error) {
	if o.Place == nil {
		o.Place = time.UTC
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	im := &importer{
		Options: &o, source: source, target: target, known: map[presence.UserID]bool{},
		report: &Report{Source: source.Name, DryRun: o.DryRun, Counts: map[Grade]int{}, Seemed: map[string]int{}},
	}
	return im.report, im.run(ctx)
}

func (im *importer) run(ctx context.Context) (err error) {
	if im.marks, err = im.target.ImportMarks(ctx); err != nil {
		return err
	}
	im.first = im.Now.UTC().Truncate(time.Microsecond)
	if at, ok := im.marks[markFirst]; ok {
		im.first = time.UnixMicro(at).UTC()
	}
	users, err := im.userLayout()
	if err != nil {
		return err
	}
	if err := im.leftBehind(ctx, users); err != nil {
		return err
	}
	if err := im.users(ctx, users); err != nil {
		return err
	}
	if err := im.tokens(ctx); err != nil {
		return err
	}
	if err := im.sessions(ctx); err != nil {
		return err
	}
	if err := im.activities(ctx); err != nil {
		return err
	}
	if err := im.tell(ctx); err != nil {
		return err
	}
	if im.DryRun {
		return nil
	}
	return im.compare(ctx, users)
}

func (im *importer) userLayout() (*layout, error) {
	table := im.source.table(im.UsersTable, "users", "users_user", "accounts_user", "users_customuser", "accounts_customuser", "auth_user")
	if table == "" || im.UsersTable != "" && table != im.UsersTable {
		return nil, fmt.Errorf("there is no table of users in %s; its tables are %v; name it with --users-table", im.source.Name, im.source.tableNames())
	}
	l := im.source.lay(table, userWants)
	if missing := l.lacks("id", "username"); missing != nil {
		return nil, fmt.Errorf("the table %s has no column %v: it is not a table of users", table, missing)
	}
	im.report.Users.Table = table
	for _, what := range l.lacks("email", "password", "role", "status", "is_active", "last_seen", "created_at") {
		im.report.Missing = append(im.report.Missing, table+"."+what)
	}
	return &l, nil
}

// leftBehind notes the columns that have no place here.
func (im *importer) leftBehind(ctx context.Context, l *layout) error {
	_, filled, err := im.source.filled(ctx, l.table, l.rest)
	if err != nil {
		return err
	}
	for i, c := range l.rest {
		if filled[i] > 0 {
			im.report.Left = append(im.report.Left, Left{Table: l.table, Column: c.name, Rows: filled[i]})
		}
	}
	return nil
}

// users carries the accounts.
func (im *importer) users(ctx context.Context, l *layout) error {
	total, _, err := im.source.filled(ctx, l.table, nil)
	if err != nil {
		return err
	}
	tally := &im.report.Users
	people := newPeople(im.Options, im.first, im.report.note)
	waiting := make([]person, 0, batch)
	err = im.source.each(ctx, l, 0, func(f *fields) error {
		tally.Rows++
		if one, ok := people.read(f); ok {
			if one.seemed != presence.Offline {
				im.report.Seemed[one.seemed.String()]++
			}
			waiting = append(waiting, one)
		} else {
			tally.Refused++
		}
		if len(waiting) < batch {
			return nil
		}
		err := im.accounts(ctx, waiting)
		waiting = waiting[:0]
		im.Progress("users", tally.Rows, total)
		return err
	})
	if err == nil {
		err = im.accounts(ctx, waiting)
	}
	im.Progress("users", tally.Rows, total)
	return err
}

// accounts carries a handful of accounts in one act.
func (im *importer) accounts(ctx context.Context, some []person) error {
	if len(some) == 0 {
		return nil
	}
	here, err := im.here(ctx, some)
	if err != nil {
		return err
	}
	if im.DryRun {
		tally, notes := Tally{}, []Finding(nil)
		for i := range some {
			im.judge(&some[i], here, &tally, &notes)
		}
		im.add(tally, notes)
		return nil
	}
	var tally Tally
	var notes []Finding
	var added []presence.UserID
	var seen []presence.Seen
	err = im.target.Durable(ctx, func(tx presence.Tx) error {
		tally, notes, added, seen = Tally{}, nil, nil, nil // it may run more than once
		for i := range some {
			one := &some[i]
			var err error
			switch im.judge(one, here, &tally, &notes) {
			case add:
				var fits bool
				if fits, err = insert(tx, one, &tally, &notes); fits {
					added = append(added, one.ID)
				}
			case update:
				known := here[one.ID]
				seen = append(seen, presence.Seen{User: one.ID, At: one.LastSeen})
				err = tx.UpdateAccount(updated(&known, one))
				if conflict(err) != "" {
					tally.Updated, tally.Kept = tally.Updated-1, tally.Kept+1
					notes, err = append(notes, finding(Kept, one, conflict(err), "it is another account's here; ours stays")), nil
				}
			}
			if err != nil {
				return fmt.Errorf("user %d: %w", one.ID, err)
			}
		}
		return tx.(presence.ImportTx).SetImportMark(markFirst, im.first.UnixMicro())
	})
	if err == nil && len(seen) > 0 {
		err = im.target.RecordSeen(ctx, seen)
	}
	if err != nil {
		return err
	}
	for _, id := range added {
		im.known[id] = true
	}
	im.add(tally, notes)
	return nil
}

func (im *importer) add(t Tally, notes []Finding) {
	sum := &im.report.Users
	sum.Added, sum.Updated, sum.Unchanged = sum.Added+t.Added, sum.Updated+t.Updated, sum.Unchanged+t.Unchanged
	sum.Kept, sum.Refused = sum.Kept+t.Kept, sum.Refused+t.Refused
	for _, f := range notes {
		im.report.note(f)
	}
}

// here finds the accounts that are here already.
func (im *importer) here(ctx context.Context, some []person) (map[presence.UserID]presence.Account, error) {
	ids := make([]presence.UserID, len(some))
	for i := range some {
		ids[i] = some[i].ID
	}
	accounts, err := im.target.AccountsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	here := make(map[presence.UserID]presence.Account, len(accounts))
	for _, a := range accounts {
		here[a.ID] = a
	}
	return here, nil
}

type verdict int

const (
	leave verdict = iota
	add
	update
)

// judge decides what is to be done about one account, and counts it.
func (im *importer) judge(one *person, here map[presence.UserID]presence.Account, tally *Tally, notes *[]Finding) verdict {
	known, ok := here[one.ID]
	if !ok {
		tally.Added++
		if im.DryRun {
			im.known[one.ID] = true
		}
		return add
	}
	if known.Username != one.Username {
		tally.Refused++
		*notes = append(*notes, finding(Refused, one, "id", fmt.Sprintf("user %d is %s here", one.ID, printable(known.Username))))
		return leave
	}
	im.known[one.ID] = true
	fields := differences(&known, one)
	switch {
	case len(fields) == 0:
		tally.Unchanged++
		return leave
	case im.Update:
		tally.Updated++
		return update
	default:
		tally.Kept++
		*notes = append(*notes, finding(Kept, one, fields[0], fmt.Sprintf("differs in %v; ours stays (--update takes theirs)", fields)))
		return leave
	}
}

func finding(grade Grade, one *person, field, text string) Finding {
	return Finding{
		Grade: grade, Table: "users", ID: strconv.FormatInt(int64(one.ID), 10), Name: firstRunes(printable(one.Username), 60),
		Field: field, Text: text,
	}
}

// insert adds an account that is not here, or notes why it cannot be.
func insert(tx presence.Tx, one *person, tally *Tally, notes *[]Finding) (fits bool, err error) {
	a := one.Account
	err = tx.InsertAccount(&a)
	if conflict(err) == "email" {
		*notes = append(*notes, finding(Changed, one, "email", fmt.Sprintf("%s is another account's here; it is %s now", printable(a.Email), madeUp(a.Username))))
		a.Email = madeUp(a.Username)
		err = tx.InsertAccount(&a)
	}
	known := (*presence.Error)(nil)
	switch {
	case err == nil:
		return true, nil
	case conflict(err) == "id":
		lies, err := tx.Account(one.ID)
		if err != nil {
			return false, err
		}
		tally.Added--
		if lies.Username == one.Username && !lies.DeletedAt.IsZero() {
			tally.Unchanged++ // in the trash, here or there
			return false, nil
		}
		tally.Refused++
		*notes = append(*notes, finding(Refused, one, "id", fmt.Sprintf("user %d is %s here", one.ID, printable(lies.Username))))
		return false, nil
	case conflict(err) != "":
		tally.Added, tally.Refused = tally.Added-1, tally.Refused+1
		*notes = append(*notes, finding(Refused, one, conflict(err), "another account here has it"))
		return false, nil
	case errors.As(err, &known) && known.Kind == presence.Invalid:
		tally.Added, tally.Refused = tally.Added-1, tally.Refused+1
		*notes = append(*notes, finding(Refused, one, known.Field, known.Tell))
		return false, nil
	}
	return false, err
}

// conflict is the field of a conflict, "" when err is none.
func conflict(err error) string {
	if known := (*presence.Error)(nil); errors.As(err, &known) && known.Kind == presence.Conflict {
		return known.Field
	}
	return ""
}

// tell writes the import into the audit, if it did anything.
func (im *importer) tell(ctx context.Context) error {
	if im.DryRun || im.report.Changes() == 0 {
		return nil
	}
	users := im.report.Users
	return im.target.Durable(ctx, func(tx presence.Tx) error {
		return tx.AppendAudit(presence.AuditEntry{
			Action: "import", TargetName: "users", At: im.Now.UTC().Truncate(time.Microsecond),
			After:  fmt.Sprintf(`{"added":%d,"updated":%d,"refused":%d,"changes":%d}`, users.Added, users.Updated, users.Refused, im.report.Changes()),
			Reason: "import from " + firstRunes(im.source.Name, 500), Origin: presence.Origin{UserAgent: "presence command line"},
		})
	})
}
