package postgres

import (
	"testing"

	"github.com/offchat/presence"
)

// TestTextsThatPostgreSQLCannotHold: a zero character, or bytes that are no UTF-8, can come in over the network.
// They are nobody's name, and in texts that people do not choose they are shown as what they are.
func TestTextsThatPostgreSQLCannotHold(t *testing.T) {
	s := openNew(t)
	ada := account("ada")
	ada.Bio = "a\x00b\xffc"
	id := insert(t, s, ada)
	if a, err := s.Account(t.Context(), id); a.Bio != "a\ufffdb\ufffdc" || err != nil {
		t.Errorf("bio %q, %v", a.Bio, err)
	}
	for _, text := range []string{"ada\x00", "\xff", "\x00"} {
		if _, err := s.AccountByName(t.Context(), text); presence.KindOf(err) != presence.NotFound {
			t.Errorf("account %q: %v", text, err)
		}
		if _, total, err := s.Accounts(t.Context(), presence.AccountFilter{Search: text}, presence.IDUp, 0, 0); total != 0 || err != nil {
			t.Errorf("search for %q: %d, %v", text, total, err)
		}
		err := s.Durable(t.Context(), insertOne("x"+text))
		if presence.KindOf(err) != presence.Invalid {
			t.Errorf("a name of %q: %v", text, err)
		}
		err = s.Durable(t.Context(), func(tx presence.Tx) error {
			if err := tx.RevokeToken(text, id, noon); err != nil {
				return err
			}
			if err := tx.AppendActivity(presence.ActivityEntry{User: id, Action: "login", UserAgent: text, At: noon}); err != nil {
				return err
			}
			return tx.InsertSession(presence.LoginSession{ID: presence.SessionID(1000 + len(text)), User: id, UserAgent: text, CreatedAt: noon, ExpiresAt: noon})
		})
		if known := presence.KindOf(err); err != nil && known != presence.Conflict { // the last two are of one length
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"straße", "STRAßE", "STRAẞE"},
		{"ёлка", "ЁЛКА", "Ёлка"},
		{"ΟΔΥΣΣΕΎΣ", "οδυσσεύς", "οδυσσεύσ"},
		{"kelvin", "\u212aELVIN"},
		{"i", "I"},
		{"پری"},
		{"a b", "A\x1fB", "a\x00b"},
	} {
		for _, text := range same[1:] {
			if fold(text) != fold(same[0]) {
				t.Errorf("%q and %q fold to %q and %q", same[0], text, fold(same[0]), fold(text))
			}
		}
	}
	for _, pair := range [][2]string{{"a", "á"}, {"е", "ё"}, {"o", "0"}, {"ی", "ب"}} {
		if fold(pair[0]) == fold(pair[1]) {
			t.Errorf("%q and %q fold to the same", pair[0], pair[1])
		}
	}
}
