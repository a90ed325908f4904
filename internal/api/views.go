package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/offchat/presence"
	"github.com/offchat/presence/wire"
)

const (
	viewKind = "view"
	// maxViews bounds the views of one person, maxSharedViews those that everybody sees.
	maxViews, maxSharedViews = 100, 200
)

func (h *Handler) registerViews() {
	add(h, operation{
		id: "list_views", method: get, path: "/views", tag: "Dashboard", need: Staff, summary: "Your saved views, and the shared ones",
	}, h.views)
	add(h, operation{
		id: "save_view", method: post, path: "/views", tag: "Dashboard", need: Staff, errors: []int{400, 409, 413, 415}, summary: "Save a view",
	}, h.saveView)
	add(h, operation{
		id: "change_view", method: put, path: "/views/{view}", tag: "Dashboard", need: Staff, errors: []int{400, 404, 409, 413, 415},
		summary: "Change a view", text: "Your own, or as an admin a shared one.",
	}, h.changeView)
	add(h, operation{
		id: "remove_view", method: del, path: "/views/{view}", tag: "Dashboard", need: Staff, errors: []int{404},
		summary: "Remove a view", text: "Your own, or as an admin a shared one.",
	}, h.removeView)
}

// ViewPath is the id of a view in a path.
type ViewPath struct {
	View string `path:"view" pattern:"^[0-9a-f]{16}$" patternDescription:"the id of a view" doc:"The view's id."`
}

// keptView is a view as its document has it.
type keptView struct {
	wire.NewView
	presence.Document
}

func readView(d presence.Document) (keptView, bool) {
	v := keptView{Document: d}
	return v, json.Unmarshal([]byte(d.Body), &v.NewView) == nil
}

// seenBy and changedBy say who may do what with a view.
func (v *keptView) seenBy(c *call) bool { return v.Shared || v.Owner == c.id.User }

func (v *keptView) changedBy(c *call) bool { return v.Owner == c.id.User || v.Shared && c.id.IsAdmin() }

func (h *Handler) views(ctx context.Context, c *call, _ *nothing) (*reply[wire.ViewList], error) {
	docs, err := h.Store.Documents(ctx, viewKind)
	if err != nil {
		return nil, err
	}
	var seen []keptView
	var owners []presence.UserID
	for _, d := range docs {
		if v, ok := readView(d); ok && v.seenBy(c) {
			seen, owners = append(seen, v), append(owners, v.Owner)
		}
	}
	slices.Sort(owners)
	accounts, err := h.Store.AccountsByID(ctx, slices.Compact(owners))
	if err != nil {
		return nil, err
	}
	names := map[presence.UserID]string{}
	for i := range accounts {
		names[accounts[i].ID] = accounts[i].Username
	}
	list := wire.ViewList{Items: []wire.View{}}
	for _, v := range seen {
		list.Items = append(list.Items, viewOf(&v, c, names[v.Owner]))
	}
	slices.SortStableFunc(list.Items, func(a, b wire.View) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return answer(list), nil
}

func viewOf(v *keptView, c *call, owner string) wire.View {
	return wire.View{ID: v.ID, NewView: v.NewView, Owner: somebody(v.Owner), OwnerName: owner, Mine: v.Owner == c.id.User, At: stamp(v.At)}
}

func checkView(v *wire.NewView) error {
	v.Name = strings.TrimSpace(v.Name)
	if v.Name == "" || !utf8.ValidString(v.Name) || strings.ContainsFunc(v.Name, func(r rune) bool {
		return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}) {
		return invalid("body", "name", "this is no name", "1 to 80 characters that can be seen")
	}
	if _, err := url.ParseQuery(v.Query); err != nil {
		return invalid("body", "query", "this is no query", "a query as in an address")
	}
	return nil
}

func (h *Handler) saveView(ctx context.Context, c *call, in *struct{ Body wire.NewView }) (*reply[wire.View], error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return h.keepView(ctx, c, presence.Document{Kind: viewKind, ID: hex.EncodeToString(random[:]), Owner: c.id.User}, in.Body, true)
}

func (h *Handler) changeView(ctx context.Context, c *call, in *struct {
	ViewPath
	Body wire.NewView
},
) (*reply[wire.View], error) {
	return h.keepView(ctx, c, presence.Document{Kind: viewKind, ID: in.View}, in.Body, false)
}

// keepView writes a view down. Of one that is there already the owner stays.
func (h *Handler) keepView(ctx context.Context, c *call, d presence.Document, v wire.NewView, fresh bool) (*reply[wire.View], error) {
	if err := checkView(&v); err != nil {
		return nil, err
	}
	if err := h.roomForView(ctx, c, d.ID, v.Shared); err != nil {
		return nil, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d.At, d.Body = stamp(c.now), string(body)
	err = h.Store.Durable(ctx, func(tx presence.Tx) error {
		if !fresh {
			old, err := changeableView(tx, c, d.ID)
			if err != nil {
				return err
			}
			d.Owner = old.Owner
		}
		return tx.(presence.DeskTx).SaveDocument(d)
	})
	if err != nil {
		return nil, err
	}
	name := ""
	if a, err := h.Store.Account(ctx, d.Owner); err == nil {
		name = a.Username
	}
	return answer(viewOf(&keptView{v, d}, c, name)), nil
}

func (h *Handler) roomForView(ctx context.Context, c *call, id string, share bool) error {
	docs, err := h.Store.Documents(ctx, viewKind)
	if err != nil {
		return err
	}
	own, shared := 0, 0
	for _, d := range docs {
		v, ok := readView(d)
		if !ok || d.ID == id {
			continue
		}
		if v.Owner == c.id.User {
			own++
		}
		if v.Shared {
			shared++
		}
	}
	if own >= maxViews || share && shared >= maxSharedViews {
		return newProblem(409, codeConflict, "There are as many views as there may be: remove one first.")
	}
	return nil
}

// changeableView finds a view that the caller may change. One that they may not see is not there.
func changeableView(tx presence.Tx, c *call, id string) (keptView, error) {
	d, err := tx.(presence.DeskTx).Document(viewKind, id)
	if err != nil {
		return keptView{}, err
	}
	v, ok := readView(d)
	switch {
	case ok && v.changedBy(c):
		return v, nil
	case ok && v.seenBy(c):
		return v, &presence.Error{Kind: presence.Forbidden, Op: "change view"}
	default:
		return v, &presence.Error{Kind: presence.NotFound, Op: "change view", Tell: "There is no such view."}
	}
}

func (h *Handler) removeView(ctx context.Context, c *call, in *ViewPath) (*nothing, error) {
	return nil, h.Store.Durable(ctx, func(tx presence.Tx) error {
		if _, err := changeableView(tx, c, in.View); err != nil {
			return err
		}
		return tx.(presence.DeskTx).RemoveDocument(viewKind, in.View)
	})
}
