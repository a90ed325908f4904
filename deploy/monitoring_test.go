// Package deploy has what operators install around the binary: units, images, packages, dashboards and alert rules.
// Its tests run them.
package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence/bench/child"
)

// tool finds a program that the tests need. A machine without it may skip the test, continuous integration may not.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: scripts/test-deps.sh installs it", name)
		}
		t.Skipf("%s is missing: scripts/test-deps.sh installs it", name)
	}
	return path
}

func TestAlertRules(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "prometheus/alerts.yml"}, {"test", "rules", "prometheus/alerts_test.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Every alert is tested by alerts_test.yml: one that nobody has seen firing is not to be trusted at night.
func TestEveryAlertIsSeenFiring(t *testing.T) {
	names := regexp.MustCompile(`(?m)^\s+- alert: (\w+)$`).FindAllStringSubmatch(read(t, "prometheus/alerts.yml"), -1)
	if len(names) == 0 {
		t.Fatal("no alerts found")
	}
	tests := read(t, "prometheus/alerts_test.yml")
	for _, name := range names {
		fires := fmt.Sprintf(`alertname="%s", alertstate="firing"`, name[1])
		if quiet := "alertname: " + name[1] + ", exp_alerts: []"; !strings.Contains(tests, quiet) {
			t.Errorf("no test says when %s stays quiet", name[1])
		}
		if !strings.Contains(tests, fires) && !strings.Contains(tests, "alertname: "+name[1]+"\n        exp_alerts:\n") {
			t.Errorf("no test says when %s fires", name[1])
		}
	}
}

// Every query of the dashboard finds something, and every metric of the alerts exists, on a server with people on it.
func TestQueriesFindSomething(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server, a crowd and Prometheus")
	}
	ops := startServer(t)
	everyMetricIsDocumented(t, ops)
	prometheus := startPrometheus(t, ops)
	for _, expr := range append(dashboardQueries(t), alertMetrics(t)...) {
		for prometheus.query(t, expr) == 0 {
			select {
			case <-prometheus.patience.Done():
				t.Fatalf("finds nothing: %s", expr)
			case <-time.After(500 * time.Millisecond):
			}
		}
	}
}

// everyMetricIsDocumented looks whether the page about metrics knows each one that the server tells.
func everyMetricIsDocumented(t *testing.T, ops string) {
	t.Helper()
	resp, err := http.Get("http://" + ops + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	page := read(t, "../docs/metrics.md")
	found := regexp.MustCompile(`(?m)^# TYPE ((?:presence|http)_\w+) `).FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatalf("no metrics:\n%s", text)
	}
	for _, name := range found {
		if !regexp.MustCompile("`" + name[1] + "[`{]").MatchString(page) {
			t.Errorf("docs/metrics.md does not say what %s means", name[1])
		}
	}
}

// startServer starts a server with a crowd that comes, goes and falls silent, and returns its operators' address.
func startServer(t *testing.T) (ops string) {
	t.Helper()
	dir := t.TempDir()
	binary, err := child.Build(t.Context(), dir)
	must(t, err)
	ops, err = child.FreeAddress()
	must(t, err)
	data := filepath.Join(dir, "data")
	must(t, os.Mkdir(data, 0o700))
	server, err := child.Start(t.Context(), child.Options{
		Binary: binary, Data: data, CPU: child.AnyCPU,
		Env: []string{"PRESENCE_OPS_LISTEN=" + ops, "PRESENCE_OFFLINE_AFTER=4s", "PRESENCE_HEARTBEAT_INTERVAL=1s", "PRESENCE_LEAVE_GRACE=1s", "PRESENCE_CANARIES=on"},
	})
	must(t, err)
	t.Cleanup(func() { server.Stop() })
	ctx, stop := context.WithCancel(context.Background())
	crowd := exec.CommandContext(ctx, binary, "bench", "--url", server.URL, "--users", "20", "--interval", "1s",
		"--duration", "10m", "--sockets", "0.5", "--churn", "1", "--measure-offline", "0")
	crowd.Stdout, crowd.Stderr = io.Discard, io.Discard
	must(t, crowd.Start())
	t.Cleanup(func() {
		stop()
		_ = crowd.Wait() // killed
	})
	for range 3 { // somebody who mistypes
		resp, err := http.Post(server.URL+"/api/auth/login/", "application/json", strings.NewReader(`{"username":"nobody","password":"wrong-password"}`))
		must(t, err)
		resp.Body.Close()
	}
	return ops
}

type promServer struct {
	url      string
	patience context.Context
}

// startPrometheus starts Prometheus on a server.
func startPrometheus(t *testing.T, ops string) promServer {
	t.Helper()
	dir := t.TempDir()
	address, err := child.FreeAddress()
	must(t, err)
	config := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(config, []byte("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: presence\n    static_configs: [{targets: ['"+ops+"']}]\n"), 0o600))
	cmd := exec.Command(tool(t, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+address)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	patience, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	p := promServer{"http://" + address, patience}
	for {
		resp, err := http.Get(p.url + "/-/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p
			}
		}
		select {
		case <-patience.Done():
			t.Fatal("Prometheus does not become ready")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// query returns how many series of an expression have a number now.
func (p promServer) query(t *testing.T, expr string) (numbers int) {
	t.Helper()
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	must(t, err)
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []struct{ Value [2]any } }
	}
	must(t, json.NewDecoder(resp.Body).Decode(&answer))
	if answer.Error != "" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	for _, series := range answer.Data.Result {
		if series.Value[1] != "NaN" {
			numbers++
		}
	}
	return numbers
}

// dashboardQueries are the queries of all panels, as Grafana would send them for every node.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal([]byte(read(t, "grafana/presence.json")), &board))
	filled := strings.NewReplacer("$__rate_interval", "30s", "$instance", ".*")
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, filled.Replace(target.Expr))
		}
	}
	if len(queries) < 20 {
		t.Fatalf("the dashboard has %d queries; is it read rightly?", len(queries))
	}
	return queries
}

var metricName = regexp.MustCompile(`\b(up|(?:presence|http|process)_\w+)`)

// onlyWithSeveralNodes are metrics of servers that share an engine and a database.
var onlyWithSeveralNodes = regexp.MustCompile(`^presence_(engine_|store_away)`)

// alertMetrics are the metrics that the alerts look at.
func alertMetrics(t *testing.T) (names []string) {
	t.Helper()
	for _, line := range strings.Split(read(t, "prometheus/alerts.yml"), "\n") {
		if expr, ok := strings.CutPrefix(strings.TrimSpace(line), "expr: "); ok {
			for _, name := range metricName.FindAllString(expr, -1) {
				if !onlyWithSeveralNodes.MatchString(name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
