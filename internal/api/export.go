package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// exportBatch is how many rows are put together at a time.
const exportBatch = 1000

func (h *Handler) registerExports() {
	const text = "Streamed. Cells of a CSV file that a spreadsheet would take for a formula begin with an apostrophe. Every export leaves a line in the audit."
	add(h, operation{
		id: "export_users", method: get, path: "/users/export", tag: "Users", need: Admins,
		summary: "All users that match, as a file", text: text, body: reflect.TypeFor[[]wire.ExportedUser](), media: "application/json",
	}, h.exportUsers)
	add(h, operation{
		id: "export_audit", method: get, path: "/audit/export", tag: "Statistics", need: Admins,
		summary: "The audit as a file, newest first", text: text, body: reflect.TypeFor[[]wire.ExportedAct](), media: "application/json",
	}, h.exportAudit)
}

// ExportInput is how a file is to look.
type ExportInput struct {
	Format string `query:"format" enum:"csv,json" default:"csv" doc:"A CSV file (RFC 4180) or a JSON array of objects with the same fields."`
	BOM    string `query:"bom" enum:"true,false" default:"false" doc:"Begin a CSV file with a byte order mark: some spreadsheets need it to read UTF-8."`
	Zone   string `query:"tz" default:"UTC" maxLength:"64" doc:"The time zone of the columns that end in _local, as the IANA database calls it." example:"Asia/Kabul"`
}

func (in *ExportInput) zone() (*time.Location, error) {
	zone, err := time.LoadLocation(in.Zone)
	if err != nil || in.Zone == "Local" {
		return nil, invalid("query", "tz", "there is no such time zone", "a name of the IANA database")
	}
	return zone, nil
}

type exportUsersInput struct {
	ExportInput
	Sort     string    `query:"sort" enum:"created_at,-created_at,username,-username,email,-email,id,-id,last_seen,-last_seen,since,-since" default:"id" doc:"The order."`
	Search   string    `query:"search" maxLength:"254" doc:"As in list_users, and so for the other filters."`
	Presence []string  `query:"presence" enum:"online,away,offline" maxItems:"3"`
	Account  string    `query:"account_status" enum:"active,pending,suspended,banned"`
	Role     string    `query:"role" enum:"user,moderator,admin"`
	Cause    []string  `query:"cause" enum:"login,heartbeat,activity,touch,connect,disconnect,idle,active,timeout,logout,forced,admin" maxItems:"12"`
	After    time.Time `query:"seen_after"`
	Before   time.Time `query:"seen_before"`
	Hold     string    `query:"hold" enum:"true,false"`
	Devices  int       `query:"min_devices" minimum:"0" maximum:"1000"`
}

func (h *Handler) exportUsers(ctx context.Context, c *call, in *exportUsersInput) (*huma.StreamResponse, error) {
	zone, err := in.zone()
	if err != nil {
		return nil, err
	}
	asked := usersInput{
		Sort: in.Sort, Limit: exportBatch, Search: in.Search, Presence: in.Presence, Account: in.Account, Role: in.Role, Cause: in.Cause,
		After: in.After, Before: in.Before, Hold: in.Hold, Devices: in.Devices,
	}
	q, err := asked.query()
	if err != nil {
		return nil, err
	}
	if err := h.noteExport(ctx, c, "users", in.Format); err != nil {
		return nil, err
	}
	users, err := h.matching(ctx, q)
	if err != nil {
		return nil, err
	}
	return h.file(c, &in.ExportInput, "users", exportedUserColumns, func(put func(v any, cells []string) error) error {
		for some := range slices.Chunk(users, exportBatch) {
			if err := h.exportSome(ctx, some, zone, put); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// matching are all users that match, in order.
func (h *Handler) matching(ctx context.Context, q *userQuery) (found []presence.Presence, err error) {
	if q.sort.byPresence() {
		err = h.eachMatch(ctx, q, func(p presence.Presence) bool { found = append(found, p); return true })
		slices.SortFunc(found, func(a, b presence.Presence) int {
			by := cmp.Or(cmp.Compare(q.sort.key(&a), q.sort.key(&b)), cmp.Compare(a.User, b.User))
			if q.sort.down {
				return -by
			}
			return by
		})
		return found, err
	}
	ids, err := h.Store.AccountIDs(ctx, q.accounts, q.sort.account)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(ids, exportBatch) {
		states, err := h.Presence.State(ctx, some)
		if err != nil {
			return nil, err
		}
		for i := range states {
			ok, err := h.matches(ctx, q, &states[i])
			if err != nil {
				return nil, err
			}
			if ok {
				found = append(found, states[i])
			}
		}
	}
	return found, nil
}

var exportedUserColumns = strings.Fields("id username email first_name last_name role account_status is_active status cause held devices " +
	"last_seen last_seen_local since since_local joined_at joined_at_local")

func (h *Handler) exportSome(ctx context.Context, some []presence.Presence, zone *time.Location, put func(v any, cells []string) error) error {
	accounts, err := h.accountsOf(ctx, some)
	if err != nil {
		return err
	}
	ids := make([]presence.UserID, len(some))
	for i := range some {
		ids[i] = some[i].User
	}
	devices, err := h.Presence.Devices(ctx, ids)
	if err != nil {
		return err
	}
	for i := range some {
		p, a := &some[i], accounts[some[i].User]
		if a == nil {
			continue // gone meanwhile
		}
		u := wire.ExportedUser{
			ID: formatUser(a.ID), Username: a.Username, Email: a.Email, FirstName: a.FirstName, LastName: a.LastName,
			Role: a.Role.String(), AccountStatus: a.Status.String(), Active: a.Active, Status: p.Status.String(), Cause: p.Cause.String(),
			Held: p.Held, Devices: devices[i], LastSeen: iso(p.LastSeen), LastSeenLocal: local(p.LastSeen, zone),
			Since: iso(p.Since), SinceLocal: local(p.Since, zone), JoinedAt: iso(a.JoinedAt), JoinedAtLocal: local(a.JoinedAt, zone),
		}
		err := put(u, []string{
			u.ID, u.Username, u.Email, u.FirstName, u.LastName, u.Role, u.AccountStatus, strconv.FormatBool(u.Active), u.Status, u.Cause,
			strconv.FormatBool(u.Held), strconv.Itoa(u.Devices), u.LastSeen, u.LastSeenLocal, u.Since, u.SinceLocal, u.JoinedAt, u.JoinedAtLocal,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// iso and local are a moment in a file, empty for the zero time.
func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func local(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format(time.DateTime)
}

func (h *Handler) exportAudit(ctx context.Context, c *call, in *struct {
	ExportInput
	Actor  string `query:"actor" maxLength:"19" doc:"Only acts of this admin."`
	Target string `query:"target" maxLength:"19" doc:"Only acts on this user."`
	Action string `query:"action" maxLength:"64" doc:"Only this act." example:"ban"`
},
) (*huma.StreamResponse, error) {
	zone, err := in.zone()
	if err != nil {
		return nil, err
	}
	f, _, err := (&auditInput{Actor: in.Actor, Target: in.Target, Action: in.Action}).read()
	if err != nil {
		return nil, err
	}
	if err := h.noteExport(ctx, c, "audit", in.Format); err != nil {
		return nil, err
	}
	return h.file(c, &in.ExportInput, "audit", exportedActColumns, func(put func(v any, cells []string) error) error {
		for before := int64(0); ; {
			entries, err := h.Store.AuditBefore(ctx, f, before, exportBatch)
			if err != nil {
				return err
			}
			for i := range entries {
				e := &entries[i]
				one := wire.ExportedAct{
					ID: strconv.FormatInt(e.ID, 10), At: iso(e.At), AtLocal: local(e.At, zone), Actor: somebody(e.Actor), Action: e.Action,
					Target: somebody(e.Target), TargetName: e.TargetName, Before: e.Before, After: e.After, Reason: e.Reason, IP: e.IP,
					UserAgent: e.UserAgent, RequestID: e.RequestID,
				}
				err := put(one, []string{
					one.ID, one.At, one.AtLocal, one.Actor, one.Action, one.Target, one.TargetName, one.Before, one.After, one.Reason, one.IP,
					one.UserAgent, one.RequestID,
				})
				if err != nil {
					return err
				}
			}
			if len(entries) < exportBatch {
				return nil
			}
			before = entries[len(entries)-1].ID
		}
	}), nil
}

var exportedActColumns = strings.Fields("id at at_local actor action target target_name before after reason ip user_agent request_id")

// noteExport writes into the audit who takes what away. Without that nothing is given.
func (h *Handler) noteExport(ctx context.Context, c *call, what, format string) error {
	facts, err := json.Marshal(map[string]string{"what": what, "format": format})
	if err != nil {
		return err
	}
	return h.Store.Durable(ctx, func(tx presence.Tx) error {
		return tx.AppendAudit(presence.AuditEntry{
			Actor: c.id.User, Action: "export", TargetName: what, After: string(facts), Origin: c.from, At: stamp(c.now),
		})
	})
}

// file streams rows as they are asked for. An error in the middle breaks the answer off, so that nobody takes a part
// for the whole.
func (h *Handler) file(c *call, in *ExportInput, name string, columns []string, rows func(put func(v any, cells []string) error) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		name += "-" + c.now.UTC().Format("20060102-150405") + "." + in.Format
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		out := bufio.NewWriterSize(w, 64<<10)
		write := writeCSV
		if in.Format == "json" {
			w.Header().Set("Content-Type", "application/json")
			write = writeJSON
		} else {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
			if in.BOM == "true" {
				_, _ = out.WriteString("\ufeff") // an error stays until the end
			}
		}
		err := write(out, columns, rows)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			_ = h.tell(hc.Context(), c.op, c.id.User, err) // logged; nobody can be told any more
			panic(http.ErrAbortHandler)
		}
	}}
}

func writeCSV(out io.Writer, columns []string, rows func(put func(v any, cells []string) error) error) error {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	if err := w.Write(columns); err != nil {
		return err
	}
	err := rows(func(_ any, cells []string) error {
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		return w.Write(cells)
	})
	w.Flush()
	return cmp.Or(err, w.Error())
}

// formula begins with what a spreadsheet takes for one (OWASP, CSV injection), the full-width forms of some keyboards
// included, at the beginning of a cell and wherever a program that goes by other separators sees one begin: one that is
// set to semicolons does not know our quotes in the middle of its cells.
var formula = regexp.MustCompile(`(^|[;\t\r\n])( *[=+\-@＝＋－＠])`)

// harmless keeps a spreadsheet from taking a cell for a formula: an apostrophe comes before whatever could begin one.
func harmless(cell string) string {
	if !strings.ContainsAny(cell, "=+-@\t\r\n＝＋－＠") {
		return cell
	}
	if strings.ContainsAny(cell[:1], "\t\r\n") {
		cell = "'" + cell
	}
	return formula.ReplaceAllString(cell, "$1'$2")
}

func writeJSON(out io.Writer, _ []string, rows func(put func(v any, cells []string) error) error) error {
	next := "[\n"
	err := rows(func(v any, _ []string) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(out, next); err != nil {
			return err
		}
		next = ",\n"
		_, err = out.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	if next == "[\n" {
		_, err = io.WriteString(out, "[]\n")
	} else {
		_, err = io.WriteString(out, "\n]\n")
	}
	return err
}
