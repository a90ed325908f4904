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

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/personal"
	"github.com/offchat/presence/wire"
)

// Records is what is kept; both stores have it.
type Records interface {
	Directory
	presence.AuditChain
	personal.Records
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
	everything, err := personal.Read(req.Context(), r.records, r.h.statuses, account)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, everything)
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
	answer(w, http.StatusOK, wire.ErasedPerson{ID: strconv.FormatInt(int64(account.ID), 10), AuditLines: lines})
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
	answer(w, http.StatusOK, personal.AuditLines(entries))
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
func (c *Client) Erase(ctx context.Context, name string) (did wire.ErasedPerson, err error) {
	return did, c.into(ctx, http.MethodPost, "/users/"+url.PathEscape(name)+"/erase", &did)
}

// Audit returns at most limit lines of the audit with an ID below before (0: the newest), newest first.
func (c *Client) Audit(ctx context.Context, before int64, limit int) (lines []wire.PersonAuditLine, err error) {
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
