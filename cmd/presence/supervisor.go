package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/offchat/presence/internal/httpd"
)

// supervisor is the service manager that started the process, if one did: systemd, or whatever speaks its protocol
// (sd_notify(3), sd_listen_fds(3)). Without one, its methods do nothing.
type supervisor struct {
	log *slog.Logger
}

// inherited are the sockets that the service manager opened and keeps open over restarts, by the names that the
// socket unit gives them (FileDescriptorName=public, ops). A single one without such a name is the public one.
func (supervisor) inherited() (public, ops net.Listener, err error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the service manager's sockets: %w", err)
	}
	for name, listeners := range named {
		for _, ln := range listeners {
			switch {
			case ln == nil: // a datagram socket
			case name == "ops" && ops == nil:
				ops = httpd.Adopt(ln)
			case name != "ops" && public == nil:
				public = httpd.Adopt(ln)
			default:
				return nil, nil, fmt.Errorf("the service manager hands over more sockets than there is use for: %q at %s", name, ln.Addr())
			}
		}
	}
	return public, ops, nil
}

func (s supervisor) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("the service manager cannot be told how things are", slog.String("state", state), slog.Any("err", err))
	}
}

func (s supervisor) ready() { s.tell(daemon.SdNotifyReady) }

func (s supervisor) stopping() { s.tell(daemon.SdNotifyStopping) }

// reloading brackets the time in which the configuration is read again.
func (s supervisor) reloading() (done func()) {
	s.tell(daemon.SdNotifyReloading)
	return s.ready
}

// watch says that the process is alive, twice in the time the service manager allows, as long as alive returns: a
// server that hangs is started anew. It returns when ctx ends.
func (s supervisor) watch(ctx context.Context, alive func(context.Context)) error {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("read the service manager's watchdog time: %w", err)
	}
	if limit == 0 {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(limit / 2)
	defer ticker.Stop()
	for {
		alive(ctx)
		s.tell(daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
