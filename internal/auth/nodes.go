package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/offchat/presence"
)

// Where several nodes share a store, what one of them does must reach what the others keep in memory: who is out
// on one node is out on all, within the time it takes to ask (noticeEvery). The store is asked, not the engine:
// what was acknowledged is there whatever happens to the engine or to the node that did it. Asking a few times a
// second costs the store less than being told would: a NOTIFY makes commits wait for each other.

const (
	// noticeEvery is how often the store is asked what happened.
	noticeEvery = 250 * time.Millisecond
	// settleAfter is how long the node that did something has to tell Presence itself, and so the actor and the
	// exact moment, before others see to it: it may have died, or be a command line, which knows no engine.
	settleAfter = time.Second
	// maxUnheard is for how long sessions are believed to live while the store cannot be asked. Nothing can be
	// ended in a store that is away for everybody; but it may be away for this node alone.
	maxUnheard = 15 * time.Minute
)

// neighbours is where this node is in listening to the others.
type neighbours struct {
	store presence.SharedStore // nil: there are no others

	// Owned by begin, and listen after it.
	mark   presence.Mark
	heard  map[int64]struct{} // notices that may come again
	asked  time.Time          // when the store last answered
	deaf   bool
	unsure []unsettled
}

// unsettled is a notice whose consequences for Presence somebody else should have seen to by then.
type unsettled struct {
	notice presence.Notice
	at     time.Time // when it was heard
}

// begin listens from now on.
func (n *neighbours) begin(ctx context.Context) (err error) {
	if n.store != nil {
		_, n.mark, err = n.store.Notices(ctx, 0)
	}
	return err
}

// listen asks what happened until ctx ends.
func (s *Service) listen(ctx context.Context) {
	n := &s.neighbours
	n.asked = s.now()
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.hear(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			n.asked = s.now()
			if n.deaf {
				s.log.LogAttrs(ctx, slog.LevelInfo, "what other nodes did is heard again")
			}
			n.deaf = false
		case !n.deaf && s.now().Sub(n.asked) > maxUnheard:
			n.deaf = true
			s.log.LogAttrs(ctx, slog.LevelError, "what other nodes did has not been heard for too long: tokens are checked in the store",
				slog.Any("err", err))
		}
		if n.deaf {
			s.cache.clear()
		}
		s.settlePresence(ctx)
	}
}

// hear carries what happened since the last time into memory.
func (s *Service) hear(ctx context.Context) error {
	n := &s.neighbours
	notices, next, err := n.store.Notices(ctx, n.mark)
	if errors.Is(err, presence.ErrGap) {
		return s.startOver(ctx)
	}
	if err != nil {
		return err
	}
	before := n.heard
	n.mark, n.heard = next, make(map[int64]struct{}, len(notices))
	for _, notice := range notices {
		n.heard[notice.ID] = struct{}{}
		if _, again := before[notice.ID]; !again {
			s.noticed(ctx, notice)
		}
	}
	return nil
}

// noticed carries one act into memory. This node's own come by as well; they change nothing any more.
func (s *Service) noticed(ctx context.Context, notice presence.Notice) {
	switch notice.Topic {
	case presence.NoticeSession:
		s.cache.end(notice.User, notice.Session)
		s.tellEnded(notice.User, notice.Session)
	case presence.NoticeAccount:
		s.cache.changed(notice.User)
		s.tellEnded(notice.User, presence.EverySession)
		s.tellAccount(notice.User)
	case presence.NoticeProfile:
		s.tellAccount(notice.User)
		return
	case presence.NoticeToken:
		if err := s.LoadAPITokens(ctx); err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "API tokens could not be read again", slog.Any("err", err))
		}
		return
	case presence.NoticePrivacy:
		s.tellPrivacy(ctx, notice.User, s.Privacy(notice.User))
		return
	default:
		return
	}
	s.neighbours.unsure = append(s.neighbours.unsure, unsettled{notice, s.now()})
}

// startOver forgets everything: the store cannot say what happened meanwhile.
func (s *Service) startOver(ctx context.Context) error {
	n := &s.neighbours
	s.log.LogAttrs(ctx, slog.LevelWarn, "the store cannot say what happened meanwhile: everything is read anew")
	if err := n.begin(ctx); err != nil {
		return err
	}
	n.heard = nil
	users := s.cache.clear()
	s.private.Clear()
	if err := s.loadPrivacy(ctx); err != nil {
		return err
	}
	for _, user := range users {
		s.tellEnded(user, presence.EverySession)
	}
	s.tellAccount(presence.Everybody)
	return s.LoadAPITokens(ctx)
}

// settlePresence sees to it that Presence knows what was noticed a while ago. Mostly it does: then a session that
// is closed is refused at once, and somebody who is known stays as they are.
func (s *Service) settlePresence(ctx context.Context) {
	n, now := &s.neighbours, s.now()
	for len(n.unsure) > 0 && now.Sub(n.unsure[0].at) >= settleAfter {
		one := n.unsure[0]
		if one.notice.Topic == presence.NoticeAccount {
			if err := s.settleAccount(ctx, one.notice.User); err != nil {
				return // the store is away: later
			}
		} else {
			s.signal(ctx, endOf(one.notice, now))
		}
		n.unsure = n.unsure[1:]
	}
	if len(n.unsure) == 0 {
		n.unsure = nil
	}
}

// endOf is the signal for a session that was ended.
func endOf(notice presence.Notice, now time.Time) presence.Signal {
	sig := presence.Signal{User: notice.User, Session: notice.Session, Kind: presence.Logout, At: now}
	if notice.Cause != presence.CauseLogout {
		sig.Kind, sig.Sessions = presence.Forced, []presence.SessionID{notice.Session}
	}
	return sig
}

// settleAccount tells Presence what has become of an account: whoever is new is known, whoever is gone is not.
func (s *Service) settleAccount(ctx context.Context, user presence.UserID) error {
	a, err := s.store.Account(ctx, user)
	switch {
	case isKind(err, presence.NotFound):
		s.signal(ctx, presence.Signal{User: user, Kind: presence.Deleted, At: s.now()})
	case err != nil:
		return err
	case a.MaySignIn():
		s.admit(ctx, a)
	default:
		s.admit(ctx, a)
		s.signal(ctx, presence.Signal{User: user, Kind: presence.Forced, At: s.now()})
		s.tellHold(ctx, user, 0, s.now())
	}
	return nil
}
