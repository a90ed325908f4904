package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
)

// Records is what is kept; both stores have it.
type Records interface {
	Directory
	presence.PersonStore
	presence.AuditChain
	Trash(ctx context.Context, limit int) ([]presence.Account, error)
	Activity(ctx context.Context, user presence.UserID, offset, limit int) ([]presence.ActivityEntry, int, error)
	History(ctx context.Context, user presence.UserID, from, to time.Time, limit int) ([]presence.Change, error)
	Holds(ctx context.Context) (map[presence.UserID]presence.Hold, error)
	AuditBefore(ctx context.Context, f presence.AuditFilter, before int64, limit int) ([]presence.AuditEntry, error)
}

// Eraser removes persons for good; auth.Service does.
type Eraser interface {
	Erase(ctx context.Context, actor auth.Identity, user presence.UserID, from presence.Origin) (lines int, err error)
}

// ServeRecords adds what the command line asks about persons and the audit. Call it before the handler serves.
func (h *Handler) ServeRecords(records Records, eraser Eraser) {
	r := recordsHandler{h: h, records: records, eraser: eraser}
	h.mux.HandleFunc("GET /users/{name}/export", r.export)
	h.mux.HandleFunc("POST /users/{name}/erase", r.erase)
	h.mux.HandleFunc("GET /audit", r.audit)
	h.mux.HandleFunc("GET /audit/verify", r.verify)
}

type recordsHandler struct {
	h       *Handler
	records Records
	eraser  Eraser
}

// find finds an account by its name, in the trash too: what lies there is kept, after all.
func (r *recordsHandler) find(req *http.Request) (presence.Account, error) {
	account, err := r.h.find(req)
	if presence.KindOf(err) != presence.NotFound || err == nil {
		return account, err
	}
	trash, trashErr := r.records.Trash(req.Context(), 0)
	for _, one := range trash {
		if one.Username == req.PathValue("name") {
			return one, nil
		}
	}
	return account, errors.Join(trashErr, err)
}

func (r *recordsHandler) export(w http.ResponseWriter, req *http.Request) {
	account, err := r.find(req)
	if err != nil {
		fail(w, err)
		return
	}
	person, err := r.person(req.Context(), account)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, person)
}

// Person is everything that is kept about somebody, but for the hash of their password.
type Person struct {
	ExportedAt time.Time       `json:"exported_at"`
	Account    PersonAccount   `json:"account"`
	Presence   PersonPresence  `json:"presence"`
	Hold       *PersonHold     `json:"hold,omitempty"`
	Sessions   []PersonSession `json:"sessions"`
	Activity   []PersonEntry   `json:"activity"`
	History    []PersonChange  `json:"history"`
	// AuditAbout are acts of admins on them, AuditBy their own acts as an admin.
	AuditAbout []AuditLine `json:"audit_about"`
	AuditBy    []AuditLine `json:"audit_by"`
}

// PersonAccount is the account.
type PersonAccount struct {
	ID            presence.UserID `json:"id"`
	Username      string          `json:"username"`
	Email         string          `json:"email"`
	FirstName     string          `json:"first_name"`
	LastName      string          `json:"last_name"`
	Avatar        string          `json:"avatar"`
	Bio           string          `json:"bio"`
	Role          string          `json:"role"`
	Staff         bool            `json:"is_staff"`
	Status        string          `json:"status"`
	Active        bool            `json:"is_active"`
	EmailVerified bool            `json:"email_verified"`
	HasPassword   bool            `json:"has_password"`
	HideStatus    bool            `json:"hide_status"`
	HideLastSeen  bool            `json:"hide_last_seen"`
	JoinedAt      *time.Time      `json:"join_date"`
	CreatedAt     *time.Time      `json:"created_at"`
	UpdatedAt     *time.Time      `json:"updated_at"`
	DeletedAt     *time.Time      `json:"deleted_at"`
}

// PersonPresence is how they are shown.
type PersonPresence struct {
	Status   string     `json:"online_status"`
	LastSeen *time.Time `json:"last_seen"`
	Since    *time.Time `json:"since"`
	Cause    string     `json:"cause"`
}

// PersonHold is an override.
type PersonHold struct {
	Status string          `json:"status"`
	Until  *time.Time      `json:"until"`
	Note   string          `json:"note"`
	Actor  presence.UserID `json:"actor"`
}

// PersonSession is one sign-in. Its number is left out: it would tell nobody anything, and it names tokens.
type PersonSession struct {
	CreatedAt *time.Time `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	EndedAt   *time.Time `json:"ended_at"`
	EndCause  string     `json:"end_cause"`
	IP        string     `json:"ip_address"`
	UserAgent string     `json:"user_agent"`
}

// PersonEntry is a line of their activity.
type PersonEntry struct {
	At          *time.Time `json:"at"`
	Action      string     `json:"action"`
	Description string     `json:"description"`
	IP          string     `json:"ip_address"`
	UserAgent   string     `json:"user_agent"`
}

// PersonChange is a change of their status.
type PersonChange struct {
	At    *time.Time      `json:"at"`
	From  string          `json:"from"`
	To    string          `json:"to"`
	Cause string          `json:"cause"`
	Actor presence.UserID `json:"actor,omitempty"`
}

// AuditLine is a line of the audit.
type AuditLine struct {
	ID         int64           `json:"id"`
	At         *time.Time      `json:"at"`
	Actor      presence.UserID `json:"actor"` // 0: the command line
	Action     string          `json:"action"`
	Target     presence.UserID `json:"target"`
	TargetName string          `json:"target_name"`
	Before     json.RawMessage `json:"before,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	IP         string          `json:"ip_address,omitempty"`
	UserAgent  string          `json:"user_agent,omitempty"`
	RequestID  string          `json:"request_id,omitempty"`
}

func auditLines(entries []presence.AuditEntry) []AuditLine {
	lines := make([]AuditLine, 0, len(entries))
	for _, e := range entries {
		lines = append(lines, AuditLine{
			ID: e.ID, At: at(e.At), Actor: e.Actor, Action: e.Action, Target: e.Target, TargetName: e.TargetName,
			Before: object(e.Before), After: object(e.After), Reason: e.Reason, IP: e.IP, UserAgent: e.UserAgent, RequestID: e.RequestID,
		})
	}
	return lines
}

// object is JSON as it is stored; nothing where there is none.
func object(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (r *recordsHandler) person(ctx context.Context, a presence.Account) (p Person, err error) {
	p = Person{
		ExportedAt: time.Now().UTC(),
		Account: PersonAccount{
			ID: a.ID, Username: a.Username, Email: a.Email, FirstName: a.FirstName, LastName: a.LastName, Avatar: a.Avatar, Bio: a.Bio,
			Role: a.Role.String(), Staff: a.Staff, Status: a.Status.String(), Active: a.Active, EmailVerified: a.EmailVerified,
			HasPassword: a.PasswordHash != "" && a.PasswordHash[0] != '!', HideStatus: a.Privacy.HideStatus, HideLastSeen: a.Privacy.HideLastSeen,
			JoinedAt: at(a.JoinedAt), CreatedAt: at(a.CreatedAt), UpdatedAt: at(a.UpdatedAt), DeletedAt: at(a.DeletedAt),
		},
		Sessions: []PersonSession{}, Activity: []PersonEntry{}, History: []PersonChange{},
	}
	states, err := r.h.statuses.State(ctx, []presence.UserID{a.ID})
	if err != nil {
		return p, err
	}
	if len(states) == 1 {
		p.Presence = PersonPresence{
			Status: states[0].Status.String(), LastSeen: at(states[0].LastSeen), Since: at(states[0].Since), Cause: states[0].Cause.String(),
		}
	}
	holds, err := r.records.Holds(ctx)
	if err != nil {
		return p, err
	}
	if hold, ok := holds[a.ID]; ok {
		p.Hold = &PersonHold{Status: hold.Status.String(), Until: at(hold.Until), Note: hold.Note, Actor: hold.Actor}
	}
	sessions, err := r.records.SessionsOf(ctx, a.ID)
	if err != nil {
		return p, err
	}
	for _, s := range sessions {
		p.Sessions = append(p.Sessions, PersonSession{at(s.CreatedAt), at(s.ExpiresAt), at(s.EndedAt), s.EndCause.String(), s.IP, s.UserAgent})
	}
	activity, _, err := r.records.Activity(ctx, a.ID, 0, 0)
	if err != nil {
		return p, err
	}
	for _, e := range activity {
		p.Activity = append(p.Activity, PersonEntry{at(e.At), e.Action, e.Description, e.IP, e.UserAgent})
	}
	changes, err := r.records.History(ctx, a.ID, time.Unix(0, 0), time.Now().Add(time.Hour), 0)
	if err != nil {
		return p, err
	}
	for _, c := range changes {
		p.History = append(p.History, PersonChange{at(c.At), c.From.String(), c.To.String(), c.Cause.String(), c.Actor})
	}
	about, err := r.records.AuditBefore(ctx, presence.AuditFilter{Target: a.ID}, 0, 0)
	if err != nil {
		return p, err
	}
	by, err := r.records.AuditBefore(ctx, presence.AuditFilter{Actor: a.ID}, 0, 0)
	p.AuditAbout, p.AuditBy = auditLines(about), auditLines(by)
	return p, err
}

// Erased is what an erasure did.
type Erased struct {
	User       presence.UserID `json:"user"`
	AuditLines int             `json:"audit_lines"` // that were emptied
}

func (r *recordsHandler) erase(w http.ResponseWriter, req *http.Request) {
	account, err := r.find(req)
	var lines int
	if err == nil {
		lines, err = r.eraser.Erase(req.Context(), auth.System, account.ID, from)
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, Erased{User: account.ID, AuditLines: lines})
}

// maxAudit is how many lines of the audit are sent at a time.
const maxAudit = 1000

func (r *recordsHandler) audit(w http.ResponseWriter, req *http.Request) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(req.URL.Query().Get(name), 10, 64)
		return max(n, 0)
	}
	limit := int(min(number("limit"), maxAudit))
	if limit == 0 {
		limit = maxAudit
	}
	entries, err := r.records.AuditBefore(req.Context(), presence.AuditFilter{
		Actor: presence.UserID(number("actor")), Target: presence.UserID(number("target")), Action: req.URL.Query().Get("action"),
	}, number("before"), limit)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, auditLines(entries))
}

// Verified is what was found in the audit.
type Verified struct {
	OK      bool   `json:"ok"`
	Entries int64  `json:"entries"` // that are good
	Erased  int64  `json:"erased"`  // of them, those from which a person was taken
	Head    string `json:"head"`    // the hash of the last good line, hexadecimal
	// BadID is the first line that is not as it was written; 0 with a Reason: the end is missing.
	BadID  int64  `json:"bad_id,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (r *recordsHandler) verify(w http.ResponseWriter, req *http.Request) {
	known := req.URL.Query().Get("head")
	met := known == ""
	v, err := presence.VerifyAudit(req.Context(), r.records, func(one *presence.SealedAudit) {
		met = met || hex.EncodeToString(one.Seal.Hash[:]) == known
	})
	if err == nil && !met {
		err = &presence.AuditBreak{Reason: "the head of before is not in it: the chain is another one"}
	}
	head := v.Head()
	found := Verified{OK: err == nil, Entries: v.Entries, Erased: v.Erased, Head: hex.EncodeToString(head.Hash[:])}
	if broken := (*presence.AuditBreak)(nil); errors.As(err, &broken) {
		found.BadID, found.Reason, err = broken.ID, broken.Reason, nil
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, found)
}

// Export returns everything that is kept about somebody, as JSON.
func (c *Client) Export(ctx context.Context, name string) (json.RawMessage, error) {
	resp, err := c.do(ctx, http.MethodGet, "/users/"+url.PathEscape(name)+"/export", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && !json.Valid(text) {
		err = unreachable(io.ErrUnexpectedEOF)
	}
	return text, err
}

// Erase removes somebody for good.
func (c *Client) Erase(ctx context.Context, name string) (did Erased, err error) {
	return did, c.into(ctx, http.MethodPost, "/users/"+url.PathEscape(name)+"/erase", &did)
}

// Audit returns at most limit lines of the audit with an ID below before (0: the newest), newest first.
func (c *Client) Audit(ctx context.Context, before int64, limit int) (lines []AuditLine, err error) {
	return lines, c.into(ctx, http.MethodGet, "/audit?before="+strconv.FormatInt(before, 10)+"&limit="+strconv.Itoa(limit), &lines)
}

// VerifyAudit looks through the whole audit. A head of before, unless it is empty, must be in the chain.
func (c *Client) VerifyAudit(ctx context.Context, head string) (found Verified, err error) {
	return found, c.into(ctx, http.MethodGet, "/audit/verify?head="+url.QueryEscape(head), &found)
}

func (c *Client) into(ctx context.Context, method, path string, value any) error {
	resp, err := c.do(ctx, method, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(value); err != nil {
		return unreachable(err)
	}
	return nil
}
