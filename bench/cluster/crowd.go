package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/offchat/presence"
)

// crowd beats at a steady pace, everybody in turn and each at a node of their own. What a node does not answer well
// goes to the next one, as behind a balancer; a node that does not answer at all is not asked for ten seconds.
type crowd struct {
	cluster *cluster
	client  *http.Client
	people  []person
	every   time.Duration // from one beat of somebody to the next
	quit    context.CancelFunc
	done    sync.WaitGroup

	sent, again, lost, broken atomic.Int64

	silent [3]atomic.Int64 // until when a node is not asked, in Unix nanoseconds

	mu    sync.Mutex // guards the following fields
	times []time.Duration
	first string // the first answer of 500 and above, or what kept a beat from all nodes
}

// beating starts a crowd; end ends it.
func (c *cluster) beating(people []person, every time.Duration) *crowd {
	ctx, quit := context.WithCancel(context.Background())
	w := &crowd{cluster: c, people: people, every: every, quit: quit, client: &http.Client{
		Timeout:   3 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
	}}
	const workers = 48
	for k := range workers {
		w.done.Go(func() {
			for began := time.Now(); ctx.Err() == nil; began = began.Add(every) {
				for i := k; i < len(people); i += workers {
					wait := time.Until(began.Add(every * time.Duration(i) / time.Duration(len(people))))
					select {
					case <-ctx.Done():
						return
					case <-time.After(wait):
					}
					w.beat(i)
				}
				began = laterOf(began, time.Now().Add(-2*every)) // who is behind does not catch up at once
			}
		})
	}
	return w
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *crowd) beat(i int) {
	w.sent.Add(1)
	began := time.Now()
	order := []int{i % 3, (i + 1) % 3, (i + 2) % 3}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(w.away(a), w.away(b)) })
	for try, node := range order {
		code, text, err := w.cluster.askWith(w.client, http.MethodPost, w.cluster.nodes[node]+"/api/users/heartbeat/", w.people[i].token, "{}")
		if err == nil && code == http.StatusOK {
			w.mu.Lock()
			w.times = append(w.times, time.Since(began))
			w.mu.Unlock()
			return
		}
		if err != nil {
			w.silent[node].Store(time.Now().Add(10 * time.Second).UnixNano())
		}
		if code >= 500 {
			w.broken.Add(1)
		}
		w.mu.Lock()
		if w.first == "" && (code >= 400 || try == 2) {
			w.first = fmt.Sprintf("%d %v %.200s", code, err, text)
		}
		w.mu.Unlock()
		if try < 2 {
			w.again.Add(1)
		}
	}
	w.lost.Add(1)
}

// away is 0 of a node that is asked, else until when it is not.
func (w *crowd) away(node int) int64 {
	if until := w.silent[node].Load(); until > time.Now().UnixNano() {
		return until
	}
	return 0
}

// end stops the crowd and tells what came of its beats.
func (w *crowd) end() string {
	w.quit()
	w.done.Wait()
	slices.Sort(w.times)
	text := fmt.Sprintf("%d beats (%.0f/s asked for): p50 %s, p99 %s, longest %s; %d answered 5xx, %d tried again at another node, %d lost",
		w.sent.Load(), float64(len(w.people))/w.every.Seconds(), share(w.times, 0.5), share(w.times, 0.99), share(w.times, 1),
		w.broken.Load(), w.again.Load(), w.lost.Load())
	if w.first != "" {
		text += "; the first that was not good: " + w.first
	}
	return text
}

// share is the time that such a share of sorted times does not exceed.
func share(times []time.Duration, part float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return times[int(part*float64(len(times)-1))].Round(100 * time.Microsecond)
}

func (c *cluster) askWith(client *http.Client, method, url, token, body string) (int, []byte, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// events is what the feed of one node has told of people, in order.
type events struct {
	mu   sync.Mutex // guards the following field
	told map[string][]string
	gaps int
}

// listen reads a node's feed of everybody until ctx ends.
func (c *cluster) listenTo(ctx context.Context, node string) (*events, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, node+"/api/v1/feed?scope=all", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.admin)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("feed: %s", resp.Status)
	}
	e, ready := &events{told: map[string][]string{}}, make(chan struct{})
	go e.read(resp.Body, sync.OnceFunc(func() { close(ready) }))
	select {
	case <-ready:
		return e, nil
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("the feed of %s does not begin", node)
	}
}

func (e *events) read(body io.ReadCloser, ready func()) {
	defer body.Close()
	for lines := bufio.NewReaderSize(body, 1<<20); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		text, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var frame struct {
			T     string
			More  bool
			Users []struct {
				ID, S, C string
				V        uint64
			}
		}
		if json.Unmarshal([]byte(text), &frame) != nil {
			continue
		}
		e.mu.Lock()
		switch frame.T {
		case "delta":
			for _, u := range frame.Users {
				e.told[u.ID] = append(e.told[u.ID], fmt.Sprintf("%s by %s, %d", u.S, u.C, u.V))
			}
		case "gap":
			e.gaps++
		case "snap":
			if !frame.More {
				ready()
			}
		}
		e.mu.Unlock()
	}
}

func (e *events) of(id presence.UserID) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told[fmt.Sprint(id)])
}

// number asks the database for a number.
func (c *cluster) number(query string, args ...any) (n int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.database)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(ctx, query, args...).Scan(&n)
	return n, err
}

func ids(people []person) []int64 {
	list := make([]int64, len(people))
	for i := range people {
		list[i] = int64(people[i].id)
	}
	return list
}

// offline counts the people's recorded changes to offline since a moment, and those recorded more than once.
func (c *cluster) offline(people []person, since time.Time) (changes, twice int64, err error) {
	changes, err = c.number(`SELECT count(*) FROM history WHERE to_status = 'offline' AND at >= $1 AND user_id = ANY ($2)`,
		since.UnixMicro(), ids(people))
	if err == nil {
		twice, err = c.number(`SELECT count(*) FROM (SELECT 1 FROM history WHERE at >= $1 AND user_id = ANY ($2)
			GROUP BY user_id, version HAVING count(*) > 1) AS again`, since.UnixMicro(), ids(people))
	}
	return changes, twice, err
}
