package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

const (
	// maxJobUsers bounds one job, maxWaitingJobs those that wait on this node.
	maxJobUsers, maxWaitingJobs = 100_000, 20
	// jobHands is how many acts of a job are under way at once: acts share a flush of the disk.
	jobHands = 16
	// jobNoteEvery is how often a job's progress is written down and told.
	jobNoteEvery = time.Second
	// jobsKept is how long a job can be looked at, jobUndoable how long it can be undone.
	jobsKept, jobUndoable = 24 * time.Hour, 15 * time.Minute
	// jobTries is how often an act is tried that the store cannot do just now.
	jobTries = 5

	jobKind, jobRowsKind = "job", "job-rows/"
)

// jobs are the acts on many accounts that this node does, one after the other. What is written down about them, rows
// included, is in documents; only what is running is here.
type jobs struct {
	wake chan struct{} // holds one when there is a job to do

	mu   sync.Mutex // guards the following field and every job in it
	here []*job     // waiting ones, and the running one first
}

// job is one of them. The runner and whoever asks share it under jobs.mu.
type job struct {
	wire.Job
	by    auth.Identity
	from  presence.Origin
	users []presence.UserID
	undo  map[presence.UserID]before // of a job that undoes another
	done  *wire.Act                  // what is undone
	stop  string                     // the state it ends with before its end; empty: none
	rows  []jobRow                   // not written down yet
	noted int                        // rows that are
	key   string
}

// jobRow is what is written down about one account.
type jobRow struct {
	wire.JobRow
	Before *before `json:"before,omitempty"`
}

// keptJob is a job's document.
type keptJob struct {
	wire.Job
	Node string `json:"node"`
	Key  string `json:"key,omitempty"`
}

// JobPath is the id of a job in a path.
type JobPath struct {
	Job string `path:"job" pattern:"^[0-9a-z]{20}$" patternDescription:"the id of a job" doc:"The job's id."`
}

func (h *Handler) registerJobs() {
	add(h, operation{
		id: "start_job", method: post, path: "/jobs", tag: "Jobs", need: Admins, errors: []int{400, 409, 413, 415, 429},
		summary: "Do something to many accounts",
		text: "It runs in the background, with the rights that you have at each moment and as long as your session lasts, and refuses what the same act on one account " +
			"would. Each account gets its own line in the audit. With a header Idempotency-Key, asking again with the same key answers with the job that is there already.",
	}, h.startJob)
	add(h, operation{
		id: "list_jobs", method: get, path: "/jobs", tag: "Jobs", need: Admins, summary: "The jobs of the last day, newest first",
	}, h.listJobs)
	add(h, operation{
		id: "get_job", method: get, path: "/jobs/{job}", tag: "Jobs", need: Admins, errors: []int{404}, summary: "How far a job is",
	}, h.oneJob)
	add(h, operation{
		id: "list_job_rows", method: get, path: "/jobs/{job}/rows", tag: "Jobs", need: Admins, errors: []int{404},
		summary: "What became of each account", text: "Written down every second while the job runs.",
	}, h.jobRows)
	add(h, operation{
		id: "cancel_job", method: post, path: "/jobs/{job}/cancel", tag: "Jobs", need: Admins, errors: []int{404, 409},
		summary: "Stop a job", text: "What was done stays done; see undo_job.",
	}, h.cancelJob)
	add(h, operation{
		id: "undo_job", method: post, path: "/jobs/{job}/undo", tag: "Jobs", need: Admins, errors: []int{404, 409, 429},
		summary: "Put back what a job changed",
		text:    "A job of its own. Within 15 minutes, for hold, lift, approve, suspend, ban, activate, trash and restore. Accounts with which something else was done since stay as they are.",
	}, h.undoJob)
	add(h, operation{
		id: "act_on_user", method: post, path: "/users/{id}/acts", tag: "Users", need: Admins, errors: []int{400, 404, 409, 413, 415},
		summary: "Do something to an account", text: "What a job does to many, on one, at once.",
	}, h.actOnUser)
}

func (h *Handler) actOnUser(ctx context.Context, c *call, in *struct {
	UserPath
	Body wire.Act
},
) (*nothing, error) {
	user, err := in.user()
	if err != nil {
		return nil, err
	}
	if err := checkAct(&in.Body, c.now); err != nil {
		return nil, err
	}
	return nil, h.perform(ctx, c.id, user, &in.Body, c.from)
}

func (h *Handler) startJob(ctx context.Context, c *call, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"100" doc:"Any text that is yours and new for each job."`
	Body wire.NewJob
},
) (*reply[wire.Job], error) {
	ask := &in.Body
	if err := checkAct(&ask.Act, c.now); err != nil {
		return nil, err
	}
	if in.Key != "" {
		known, err := h.jobByKey(ctx, c, in.Key)
		if err != nil || known != nil {
			return known, err
		}
	}
	users, err := h.jobUsers(ctx, ask)
	if err != nil {
		return nil, err
	}
	if len(users) != ask.Expected {
		p := newProblem(409, codeConflict, fmt.Sprintf("This is about %d accounts now, not %d: look again.", len(users), ask.Expected))
		p.Field, p.Bound = "expected", strconv.Itoa(len(users))
		return nil, p
	}
	return h.begin(ctx, &job{
		Job: wire.Job{Act: ask.Act, Filter: ask.Filter}, by: c.id, from: c.from, users: users, key: in.Key,
	}, c.now)
}

func (h *Handler) jobByKey(ctx context.Context, c *call, key string) (*reply[wire.Job], error) {
	list, err := h.allJobs(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		if one.Key == key && one.By == somebody(c.id.User) {
			return answer(one.Job), nil
		}
	}
	return nil, nil
}

// jobUsers are those a job is about, by id.
func (h *Handler) jobUsers(ctx context.Context, ask *wire.NewJob) (users []presence.UserID, err error) {
	switch {
	case (len(ask.IDs) > 0) == (ask.Filter != nil):
		return nil, invalid("body", "ids", "give ids or a filter, one of the two", "ids or filter")
	case ask.Filter != nil && ask.Act.Act == "restore":
		return nil, invalid("body", "filter", "the trash has no filters: give ids", "ids")
	case ask.Filter != nil:
		q, err := parseFilter(*ask.Filter)
		if err != nil {
			return nil, err
		}
		err = h.eachMatch(ctx, q, func(p presence.Presence) bool {
			users = append(users, p.User)
			return len(users) <= maxJobUsers
		})
		if err != nil {
			return nil, err
		}
		if len(users) > maxJobUsers {
			return nil, invalid("body", "filter", "one job takes 100,000 accounts", "<= 100000 accounts")
		}
	default:
		for i, text := range ask.IDs {
			id, ok := parseUser(text)
			if !ok {
				return nil, invalid("body", fmt.Sprintf("ids[%d]", i), "this is no id of a user", idBound)
			}
			users = append(users, id)
		}
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// begin writes a job down and queues it.
func (h *Handler) begin(ctx context.Context, j *job, now time.Time) (*reply[wire.Job], error) {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	j.ID = fmt.Sprintf("%012x%s", now.UnixMilli(), hex.EncodeToString(random[:]))
	j.By, j.ByName, j.State, j.At = somebody(j.by.User), j.by.Username(), "waiting", stamp(now)
	j.Total, j.Left = len(j.users), len(j.users)
	j.from.RequestID = j.ID // so that the audit leads back here
	h.jobs.mu.Lock()
	full := len(h.jobs.here) >= maxWaitingJobs
	h.jobs.mu.Unlock()
	if full {
		return nil, &presence.Error{Kind: presence.Throttled, Op: "start job", Tell: "Too many jobs are waiting.", RetryAfter: time.Minute}
	}
	told := j.Job
	facts, err := json.Marshal(map[string]any{"job": j.ID, "act": j.Act, "filter": j.Filter, "accounts": j.Total, "undo_of": j.UndoOf})
	if err != nil {
		return nil, err
	}
	err = h.Store.Durable(ctx, func(tx presence.Tx) error {
		if err := saveJob(tx, &told, j.key, h.Node); err != nil {
			return err
		}
		return tx.AppendAudit(presence.AuditEntry{
			Actor: j.by.User, Action: "job", TargetName: j.Act.Act, After: string(facts), Reason: j.Reason, Origin: j.from, At: stamp(now),
		})
	})
	if err != nil {
		return nil, err
	}
	h.jobs.mu.Lock()
	h.jobs.here = append(h.jobs.here, j)
	h.jobs.mu.Unlock()
	select {
	case h.jobs.wake <- struct{}{}:
	default: // it looks already
	}
	return answer(told), nil
}

func saveJob(tx presence.Tx, j *wire.Job, key, node string) error {
	body, err := json.Marshal(keptJob{*j, node, key})
	if err != nil {
		return err
	}
	id, _ := strconv.ParseInt(j.By, 10, 64)
	return tx.(presence.DeskTx).SaveDocument(presence.Document{
		Kind: jobKind, ID: j.ID, Owner: presence.UserID(id), At: j.At, Body: string(body),
	})
}

// allJobs are those of the last day, newest first; of those here, as they are now.
func (h *Handler) allJobs(ctx context.Context) ([]keptJob, error) {
	docs, err := h.Store.Documents(ctx, jobKind)
	if err != nil {
		return nil, err
	}
	list := make([]keptJob, 0, len(docs))
	for _, d := range docs {
		var one keptJob
		if err := json.Unmarshal([]byte(d.Body), &one); err != nil {
			continue // of another version of this program
		}
		list = append(list, one)
	}
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	for _, j := range h.jobs.here {
		for i := range list {
			if list[i].ID == j.ID {
				list[i].Job = j.Job
			}
		}
	}
	return list, nil
}

func (h *Handler) findJob(ctx context.Context, id string) (keptJob, error) {
	list, err := h.allJobs(ctx)
	if err != nil {
		return keptJob{}, err
	}
	for _, one := range list {
		if one.ID == id {
			return one, nil
		}
	}
	return keptJob{}, &presence.Error{Kind: presence.NotFound, Op: "find job", Tell: "There is no such job."}
}

func (h *Handler) listJobs(ctx context.Context, _ *call, _ *nothing) (*reply[wire.JobList], error) {
	list, err := h.allJobs(ctx)
	if err != nil {
		return nil, err
	}
	told := wire.JobList{Items: []wire.Job{}}
	for _, one := range list {
		told.Items = append(told.Items, one.Job)
	}
	return answer(told), nil
}

func (h *Handler) oneJob(ctx context.Context, _ *call, in *JobPath) (*reply[wire.Job], error) {
	one, err := h.findJob(ctx, in.Job)
	if err != nil {
		return nil, err
	}
	return answer(one.Job), nil
}

// keptRows are the rows of a job that are written down, in order.
func (h *Handler) keptRows(ctx context.Context, id string) (rows []jobRow, err error) {
	docs, err := h.Store.Documents(ctx, jobRowsKind+id)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(docs, func(a, b presence.Document) int { return cmp.Compare(a.ID, b.ID) })
	for _, d := range docs {
		var some []jobRow
		if err := json.Unmarshal([]byte(d.Body), &some); err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func (h *Handler) jobRows(ctx context.Context, _ *call, in *struct {
	JobPath
	Limit  int    `query:"limit" minimum:"1" maximum:"5000" default:"1000" doc:"How many to a page."`
	Cursor int    `query:"cursor" minimum:"0" maximum:"100000" doc:"next_cursor of the page before."`
	OK     string `query:"ok" enum:"true,false" doc:"Only those that were done, or only those that were not."`
},
) (*reply[wire.JobRows], error) {
	if _, err := h.findJob(ctx, in.Job); err != nil {
		return nil, err
	}
	rows, err := h.keptRows(ctx, in.Job)
	if err != nil {
		return nil, err
	}
	page := wire.JobRows{Items: []wire.JobRow{}}
	var users []presence.UserID
	for i := in.Cursor; i < len(rows); i++ {
		if in.OK != "" && (in.OK == "true") != rows[i].OK {
			continue
		}
		if len(page.Items) == in.Limit {
			next := strconv.Itoa(i)
			page.NextCursor = &next
			break
		}
		page.Items = append(page.Items, rows[i].JobRow)
		id, _ := parseUser(rows[i].User)
		users = append(users, id)
	}
	accounts, err := h.Store.AccountsByID(ctx, users)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(accounts))
	for i := range accounts {
		names[formatUser(accounts[i].ID)] = accounts[i].Username
	}
	for i := range page.Items {
		page.Items[i].Username = names[page.Items[i].User]
	}
	return answer(page), nil
}

func (h *Handler) cancelJob(ctx context.Context, _ *call, in *JobPath) (*reply[wire.Job], error) {
	one, err := h.findJob(ctx, in.Job)
	if err != nil {
		return nil, err
	}
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	for _, j := range h.jobs.here {
		if j.ID == in.Job {
			if j.stop == "" {
				j.stop = "cancelled"
			}
			return answer(j.Job), nil
		}
	}
	if one.State == "running" || one.State == "waiting" {
		return nil, newProblem(409, codeConflict, "This job runs on the node "+one.Node+": cancel it there.")
	}
	return nil, newProblem(409, codeConflict, "This job is over.")
}

func (h *Handler) undoJob(ctx context.Context, c *call, in *JobPath) (*reply[wire.Job], error) {
	one, err := h.findJob(ctx, in.Job)
	if err != nil {
		return nil, err
	}
	switch {
	case one.Ended == nil:
		return nil, newProblem(409, codeConflict, "This job is not over yet: cancel it first.")
	case one.UndoneBy != "":
		return nil, newProblem(409, codeConflict, "This job was undone already.")
	case one.UndoUntil == nil:
		return nil, newProblem(409, codeConflict, "This cannot be undone.")
	case c.now.After(*one.UndoUntil):
		return nil, newProblem(409, codeConflict, "This could be undone for 15 minutes.")
	}
	rows, err := h.keptRows(ctx, in.Job)
	if err != nil {
		return nil, err
	}
	j := &job{Job: wire.Job{Act: one.Act, UndoOf: one.ID}, by: c.id, from: c.from, done: &one.Act, undo: map[presence.UserID]before{}}
	for _, r := range rows {
		if id, ok := parseUser(r.User); ok && r.OK && r.Before != nil {
			j.undo[id] = *r.Before
			j.users = append(j.users, id)
		}
	}
	if len(j.users) == 0 {
		return nil, newProblem(409, codeConflict, "This job changed nothing.")
	}
	told, err := h.begin(ctx, j, c.now)
	if err != nil {
		return nil, err
	}
	one.UndoneBy = told.Body.ID
	err = h.Store.Durable(ctx, func(tx presence.Tx) error { return saveJob(tx, &one.Job, one.Key, one.Node) })
	return told, err
}

// runJobs does jobs until ctx ends. Those that a server of this node left behind are told to be interrupted.
func (h *Handler) runJobs(ctx context.Context) error {
	if err := h.closeLeftJobs(ctx); err != nil && ctx.Err() == nil {
		h.Log.LogAttrs(ctx, slog.LevelWarn, "jobs of before could not be looked through", slog.Any("err", err))
	}
	purge := time.NewTicker(time.Hour)
	defer purge.Stop()
	for {
		if j := h.nextJob(); j != nil {
			h.runJob(ctx, j)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.jobs.wake:
		case <-purge.C:
			if err := h.purgeJobs(ctx); err != nil && ctx.Err() == nil {
				h.Log.LogAttrs(ctx, slog.LevelWarn, "old jobs could not be removed", slog.Any("err", err))
			}
		}
	}
}

func (h *Handler) nextJob() *job {
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	if len(h.jobs.here) == 0 {
		return nil
	}
	return h.jobs.here[0]
}

// closeLeftJobs ends the jobs that were under way when the server of this node ended.
func (h *Handler) closeLeftJobs(ctx context.Context) error {
	list, err := h.allJobs(ctx)
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.Node != h.Node || one.Ended != nil {
			continue
		}
		now := stamp(h.Now())
		one.State, one.Detail, one.Ended = "interrupted", "The server ended in the middle of it.", &now
		if reversible[one.Act.Act] && one.UndoOf == "" {
			until := now.Add(jobUndoable)
			one.UndoUntil = &until
		}
		if err := h.Store.Durable(ctx, func(tx presence.Tx) error { return saveJob(tx, &one.Job, one.Key, one.Node) }); err != nil {
			return err
		}
	}
	return nil
}

// purgeJobs removes the jobs that nobody can look at any more.
func (h *Handler) purgeJobs(ctx context.Context) error {
	list, err := h.allJobs(ctx)
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.Ended == nil || h.Now().Sub(one.At) < jobsKept {
			continue
		}
		rows, err := h.Store.Documents(ctx, jobRowsKind+one.ID)
		if err != nil {
			return err
		}
		err = h.Store.Durable(ctx, func(tx presence.Tx) error {
			for _, d := range rows {
				if err := tx.(presence.DeskTx).RemoveDocument(d.Kind, d.ID); err != nil && presence.KindOf(err) != presence.NotFound {
					return err
				}
			}
			if err := tx.(presence.DeskTx).RemoveDocument(jobKind, one.ID); presence.KindOf(err) != presence.NotFound {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// runJob does one job to its end.
func (h *Handler) runJob(ctx context.Context, j *job) {
	began := stamp(h.Now())
	h.jobs.mu.Lock()
	if j.stop == "" {
		j.State, j.Began = "running", &began
	}
	h.jobs.mu.Unlock()

	working := make(chan error, 1)
	go func() { working <- h.workThrough(ctx, j) }()
	tick := time.NewTicker(jobNoteEvery)
	defer tick.Stop()
	h.noteJob(ctx, j)
	for {
		select {
		case <-tick.C:
			h.noteJob(ctx, j)
			continue
		case err := <-working:
			h.endJob(ctx, j, err)
		}
		return
	}
}

// humaJob is what a failure in a job is logged as.
var humaJob = huma.Operation{OperationID: "job"}

// workThrough does the acts, a few at a time.
func (h *Handler) workThrough(ctx context.Context, j *job) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobHands)
	for _, user := range j.users {
		if h.stopped(j) || ctx.Err() != nil {
			break
		}
		group.Go(func() error { return h.doRow(ctx, j, user) })
	}
	return group.Wait()
}

func (h *Handler) stopped(j *job) bool {
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	return j.stop != ""
}

// doRow does one act of a job. What it returns ends the job.
func (h *Handler) doRow(ctx context.Context, j *job, user presence.UserID) error {
	row := jobRow{JobRow: wire.JobRow{User: formatUser(user)}}
	var err error
	for try := range jobTries {
		if try > 0 {
			pause := time.NewTimer(time.Duration(try) * time.Second)
			select {
			case <-ctx.Done():
				pause.Stop()
				return nil // left
			case <-pause.C:
			}
		}
		if j.undo != nil {
			err = h.undo(ctx, j.by, user, j.done, j.undo[user], j.from)
		} else {
			was := h.remember(ctx, user, j.Act.Act)
			if err = h.perform(ctx, j.by, user, &j.Act, j.from); err == nil && reversible[j.Act.Act] {
				row.Before = &was
			}
		}
		if presence.KindOf(err) != presence.Unavailable || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil && err != nil {
		return nil // left: the server is being stopped
	}
	if known := (*presence.Error)(nil); errors.As(err, &known) && known.Code == auth.CodeNotAllowed {
		return h.whyNot(ctx, j, err) // nothing of the rest would be done either
	}
	if row.OK = err == nil; !row.OK {
		p := problemOf(h.tell(ctx, &humaJob, j.by.User, err))
		row.Code, row.Detail = p.Code, p.Detail
	}
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	j.rows = append(j.rows, row)
	if row.OK {
		j.OK++
	} else {
		j.Failed++
	}
	j.Left--
	return nil
}

// whyNot says why the admin who started a job may not go on with it.
func (h *Handler) whyNot(ctx context.Context, j *job, refused error) error {
	why := "the session that started it has ended"
	a, err := h.Store.Account(ctx, j.by.User)
	switch {
	case presence.KindOf(err) == presence.NotFound && err != nil, err == nil && !a.DeletedAt.IsZero():
		why = "the account is gone"
	case err != nil:
		return refused
	case !a.MaySignIn():
		why = "the account is closed"
		if a.Status != presence.AccountActive {
			why = "the account is " + a.Status.String()
		}
	case !a.IsAdmin():
		why = "the role of admin was taken away"
	}
	return newProblem(403, auth.CodeNotAllowed, j.ByName+" may not go on with this: "+why+".")
}

// noteJob writes down how far a job is, and tells it.
func (h *Handler) noteJob(ctx context.Context, j *job) {
	h.jobs.mu.Lock()
	told, rows, from := j.Job, j.rows, j.noted
	h.jobs.mu.Unlock()
	if h.OnJob != nil {
		h.OnJob(wire.FeedJob{T: "job", ID: told.ID, State: told.State, Total: told.Total, OK: told.OK, Failed: told.Failed})
	}
	err := h.Store.Durable(ctx, func(tx presence.Tx) error {
		if len(rows) > 0 {
			body, err := json.Marshal(rows)
			if err != nil {
				return err
			}
			if err := tx.(presence.DeskTx).SaveDocument(presence.Document{
				Kind: jobRowsKind + told.ID, ID: fmt.Sprintf("%08d", from), At: told.At, Body: string(body),
			}); err != nil {
				return err
			}
		}
		return saveJob(tx, &told, j.key, h.Node)
	})
	if err != nil {
		if ctx.Err() == nil {
			h.Log.LogAttrs(ctx, slog.LevelWarn, "a job's progress could not be written down", slog.String("job", told.ID), slog.Any("err", err))
		}
		return // with the next time
	}
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	j.rows, j.noted = j.rows[len(rows):], from+len(rows)
}

// endJob says how a job ended.
func (h *Handler) endJob(ctx context.Context, j *job, err error) {
	now := stamp(h.Now())
	h.jobs.mu.Lock()
	j.Ended = &now
	switch {
	case err != nil:
		j.State, j.Detail = "failed", problemOf(err).Detail
	case j.Left == 0:
		j.State = "done"
	case j.stop != "":
		j.State = j.stop
	default:
		j.State, j.Detail = "interrupted", "The server was stopped."
	}
	if reversible[j.Act.Act] && j.undo == nil && j.OK > 0 {
		until := now.Add(jobUndoable)
		j.UndoUntil = &until
	}
	h.jobs.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	h.noteJob(ctx, j)
	h.jobs.mu.Lock()
	defer h.jobs.mu.Unlock()
	h.jobs.here = slices.DeleteFunc(h.jobs.here, func(one *job) bool { return one == j })
}
