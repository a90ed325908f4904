package api

import (
	"compress/flate"
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

// maxRosterIDs bounds the accounts that can be asked for by id.
const maxRosterIDs = 500

func (h *Handler) registerRoster() {
	add(h, operation{
		id: "get_roster", method: get, path: "/roster", tag: "Users", need: Staff, scopes: presence.ScopeAdminRead,
		summary: "Everybody at once, by columns, or what changed about accounts",
		text: "What a table of everybody starts from. Open scope all of the feed with roster: true, then take the roster, then " +
			"apply the deltas, item by item where the version is higher; ask again with since when the feed says that accounts " +
			"changed. The answer is streamed and, where that is accepted, packed with gzip.",
		body: reflect.TypeFor[wire.Roster](), media: "application/json",
	}, h.roster)
}

type rosterInput struct {
	Since string `query:"since" maxLength:"64" doc:"version of an answer before: only accounts that changed since. Where that is not known any more, the answer is full."`
	IDs   string `query:"ids" maxLength:"10000" doc:"Only these accounts, comma-separated, at most 500. Not together with since."`
}

// AccountChanged notes that an account was made, changed or deleted, or with presence.Everybody that any may have
// been, and returns the version of the accounts that readers of the roster are to be told.
func (h *Handler) AccountChanged(user presence.UserID) string { return h.accounts.changed(user) }

// AccountVersion is the present version of the accounts.
func (h *Handler) AccountVersion() string {
	h.accounts.mu.Lock()
	defer h.accounts.mu.Unlock()
	return h.accounts.nameLocked(h.accounts.version)
}

func (h *Handler) roster(ctx context.Context, _ *call, in *rosterInput) (*huma.StreamResponse, error) {
	cursor, _, err := h.Presence.Snapshot(ctx) // before anything is read: what changes meanwhile comes as deltas, too
	if err != nil {
		return nil, err
	}
	view, removed, full, err := h.rosterAccounts(ctx, in)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		out := newRosterWriter(w, r)
		if err := h.writeRoster(ctx, out, cursor, view, removed, full); err != nil {
			// The status is out. An answer that breaks off is one that cannot be mistaken for a whole one.
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// rosterAccounts are the account columns of an answer.
func (h *Handler) rosterAccounts(ctx context.Context, in *rosterInput) (view accountView, removed []string, full bool, err error) {
	removed = []string{}
	var wanted []presence.UserID
	switch {
	case in.IDs != "" && in.Since != "":
		return view, nil, false, invalid("query", "ids", "ids and since do not go together", "one of the two")
	case in.IDs != "":
		view.version = h.AccountVersion()
		if wanted, err = parseUsers(in.IDs); err != nil {
			return view, nil, false, err
		}
	default:
		known := false
		if wanted, view.version, known = h.accounts.since(in.Since); !known || len(wanted) > pageAccounts {
			view, err = h.accounts.view(ctx)
			return view, removed, true, err
		}
	}
	accounts, err := h.Store.AccountsByID(ctx, wanted)
	if err != nil {
		return view, nil, false, err
	}
	page := &accountPage{columns: appendAccountColumns(nil, accounts)}
	for i := range accounts {
		page.ids = append(page.ids, accounts[i].ID)
	}
	for _, id := range wanted {
		if !slices.Contains(page.ids, id) {
			removed = append(removed, formatUser(id))
		}
	}
	if len(page.ids) > 0 {
		view.pages = []*accountPage{page}
	}
	_, view.total, err = h.Store.AccountCounts(ctx)
	return view, removed, false, err
}

func parseUsers(list string) ([]presence.UserID, error) {
	words := strings.Split(list, ",")
	if len(words) > maxRosterIDs {
		return nil, invalid("query", "ids", "too many ids", "at most "+strconv.Itoa(maxRosterIDs))
	}
	ids := make([]presence.UserID, len(words))
	for i, word := range words {
		var ok bool
		if ids[i], ok = parseUser(word); !ok {
			return nil, invalid("query", "ids", "this is no id of a user", idBound)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// writeRoster writes wire.Roster.
func (h *Handler) writeRoster(ctx context.Context, out *rosterWriter, cursor presence.Cursor, view accountView, removed []string, full bool) error {
	now := stamp(h.Now())
	frame := wire.Roster{
		Epoch: strconv.FormatUint(cursor.Epoch, 16), Seq: cursor.Seq, Version: view.version, Now: now.UnixMilli(), Full: full,
		Total: view.total, Words: rosterWords, Removed: removed, Parts: []wire.RosterPart{},
	}
	text, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	out.write(text[:len(text)-len("]}")])
	out.flush() // the first byte does not wait for the rest
	var buffer []byte
	for i, page := range view.pages {
		if buffer, err = h.appendPresenceColumns(ctx, buffer[:0], page.ids, now); err != nil {
			return err
		}
		if i > 0 {
			out.write([]byte(",\n{"))
		} else {
			out.write([]byte("\n{"))
		}
		out.page(page)
		out.write(append(buffer, '}'))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	out.write([]byte("\n]}\n"))
	return out.close()
}

var rosterWords = wire.RosterWords{
	Statuses: words(presence.Online, presence.Status.String), Causes: words(presence.CauseAdmin, presence.Cause.String),
	Roles: words(presence.RoleAdmin, presence.Role.String), AccountStatuses: words(presence.AccountBanned, presence.AccountStatus.String),
}

// words are those of all values up to the last one.
func words[T ~uint8](last T, word func(T) string) (all []string) {
	for v := range last + 1 {
		all = append(all, word(v))
	}
	return all
}

// appendPresenceColumns appends the columns of wire.RosterPart that are about presence.
func (h *Handler) appendPresenceColumns(ctx context.Context, b []byte, ids []presence.UserID, now time.Time) ([]byte, error) {
	states, err := h.Presence.State(ctx, ids)
	if err != nil {
		return nil, err
	}
	devices, err := h.Presence.Devices(ctx, ids)
	if err != nil {
		return nil, err
	}
	number := func(name string, value func(i int) int64) {
		b = append(b, ',')
		b = appendColumn(b, name, len(ids), func(b []byte, i int) []byte { return strconv.AppendInt(b, value(i), 10) })
	}
	moment := func(name string, value func(i int) (at, from time.Time)) {
		b = append(b, ',')
		b = appendColumn(b, name, len(ids), func(b []byte, i int) []byte {
			if at, from := value(i); !at.IsZero() {
				return strconv.AppendInt(b, at.UnixMilli()-from.UnixMilli(), 10)
			}
			return append(b, "null"...)
		})
	}
	number("statuses", func(i int) int64 { return int64(states[i].Status) })
	moment("last_seen", func(i int) (at, from time.Time) { return states[i].LastSeen, now })
	moment("since", func(i int) (at, from time.Time) {
		if states[i].LastSeen.IsZero() {
			return states[i].Since, now
		}
		return states[i].Since, states[i].LastSeen // who fell silent did so a lease later: it is nearly always the same
	})
	number("causes", func(i int) int64 { return int64(states[i].Cause) })
	number("held", func(i int) int64 { return one(states[i].Held) })
	number("private", func(i int) int64 {
		p := h.Auth.Privacy(ids[i])
		return one(p.HideLastSeen) + 2*one(p.HideStatus)
	})
	number("devices", func(i int) int64 { return int64(devices[i]) })
	number("versions", func(i int) int64 { return int64(states[i].Version) })
	return b, nil
}

// presenceLevel is how hard the presence columns of 100,000 people are packed, for every reader anew: 0.82 MB in 35 ms
// of a processor. Level 1 makes 0.87 MB in 19 ms of them, level 6 0.80 MB in 71 ms.
const presenceLevel = 4

// rosterWriter writes a roster, packed where the reader takes that. A packed answer is one deflate stream put together
// from pieces that refer to nothing outside themselves: the account columns were packed before, and well, the rest is
// packed now, and fast. The first error stays.
type rosterWriter struct {
	to      io.Writer
	flusher *http.ResponseController
	packer  *flate.Writer // nil: not packed
	waiting []byte        // to be packed with what follows
	sum     uint32
	size    uint32
	err     error
}

func newRosterWriter(w http.ResponseWriter, r *http.Request) *rosterWriter {
	out := &rosterWriter{to: w, flusher: http.NewResponseController(w)}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header) {
		header.Set("Content-Encoding", "gzip")
		out.packer, _ = flate.NewWriter(w, presenceLevel)
		_, out.err = w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255})
	}
	return out
}

// acceptsGzip reads Accept-Encoding as far as it goes about gzip.
func acceptsGzip(h http.Header) bool {
	for word := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(word, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000"
		}
	}
	return false
}

func (o *rosterWriter) write(text []byte) {
	if o.packer == nil {
		o.raw(text)
		return
	}
	o.waiting = append(o.waiting, text...)
}

func (o *rosterWriter) raw(b []byte) {
	if o.err == nil {
		_, o.err = o.to.Write(b)
	}
}

// pack packs what waits. The stream is at a byte's end then.
func (o *rosterWriter) pack() {
	if o.packer == nil || len(o.waiting) == 0 || o.err != nil {
		return
	}
	o.packer.Reset(o.to)
	if _, o.err = o.packer.Write(o.waiting); o.err == nil {
		o.err = o.packer.Flush()
	}
	o.count(o.waiting)
	o.waiting = o.waiting[:0]
}

func (o *rosterWriter) count(text []byte) {
	o.sum = crc32.Update(o.sum, crc32.IEEETable, text)
	o.size += uint32(len(text))
}

// page writes the account columns of a page.
func (o *rosterWriter) page(p *accountPage) {
	if o.packer == nil || p.packed == nil {
		o.write(p.columns)
		return
	}
	o.pack()
	o.raw(p.packed)
	o.count(p.columns)
}

func (o *rosterWriter) flush() {
	o.pack()
	_ = o.flusher.Flush() // who cannot sends it later
}

func (o *rosterWriter) close() error {
	if o.packer == nil {
		return o.err
	}
	o.pack()
	if o.err == nil {
		o.packer.Reset(o.to)
		o.err = o.packer.Close()
	}
	o.raw(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, o.sum), o.size))
	return o.err
}
