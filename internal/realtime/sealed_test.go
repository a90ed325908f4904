package realtime

import (
	"context"
	"testing"
	"time"
)

// openly is how two nodes in a test share tickets.
type openly struct{ asked map[string]bool }

func (openly) Seal(content []byte, _ time.Duration) string { return string(content) }
func (openly) Open(text string) ([]byte, bool)             { return []byte(text), true }
func (o openly) Once(_ context.Context, name string, _ time.Duration) bool {
	known := o.asked[name]
	o.asked[name] = true
	return !known
}

func TestATicketOfOneNodeIsGoodOnceAtAnother(t *testing.T) {
	between := openly{map[string]bool{}}
	one, two := newTickets(time.Now, between), newTickets(time.Now, between)
	text, err := one.add(ticket{proof: proof{"t0ken", "op_3"}, user: 7, until: time.Now().Add(ticketLife)})
	if err != nil || !looksLikeTicket(text) {
		t.Fatalf("%q: %v", text, err)
	}
	if got, ok := two.redeem(text); !ok || got.proof != (proof{"t0ken", "op_3"}) {
		t.Errorf("at the other node: %+v, %v", got, ok)
	}
	for name, node := range map[string]*tickets{"where it was bought": one, "where it was used": two} {
		if _, ok := node.redeem(text); ok {
			t.Errorf("good once more %s", name)
		}
	}
	if _, ok := one.redeem("t0ken"); ok {
		t.Error("what has no seal is taken for a ticket")
	}
}
