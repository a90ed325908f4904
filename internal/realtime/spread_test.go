package realtime

import (
	"fmt"
	"testing"
	"time"
)

// Connections that were opened at the same moment, as after a restart, are not pinged at the same moment.
func TestPingsAreSpread(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		var clients []*client
		for i := range 3 * lookSlots {
			clients = append(clients, h.dial(fmt.Sprintf(`{"t":"auth","token":"%d"}`, i+1)))
		}
		pause(h.feed.times.ping - time.Second/(2*lookSlots))
		pings := 0
		for range 2 * lookSlots {
			at := 0
			for _, c := range clients {
				for _, f := range c.take() {
					if f.T == "ping" {
						at++
					}
				}
			}
			if at > 3 {
				t.Errorf("%d of %d connections are pinged at once", at, len(clients))
			}
			pings += at
			pause(time.Second / lookSlots)
		}
		if pings != len(clients) {
			t.Errorf("%d pings for %d connections", pings, len(clients))
		}
	})
}

// A connection that ends is looked at no more.
func TestSlotsLetGo(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.dial(`{"t":"auth","token":"7"}`)
		pause(time.Second)
		_ = c.net.Close()
		pause(time.Second)
		for slot := range lookSlots {
			if n := len(h.feed.inSlot(slot, nil)); n != 0 {
				t.Errorf("slot %d has %d connections", slot, n)
			}
		}
	})
}
