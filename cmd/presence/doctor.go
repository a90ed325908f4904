package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
	"github.com/offchat/presence/internal/doctor"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/sqlite"
)

type doctorCmd struct {
	settingFlags
	URL     string `name:"url" placeholder:"https://presence.example.org" help:"Public address: the server is asked by way of it, to see what the proxy makes of a request."`
	Sockets int    `name:"sockets" default:"1000" help:"How many sockets are expected at a time."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help is shown by --help.
func (doctorCmd) Help() string {
	return `Looks at everything that usually goes wrong, changes nothing, and says of each what helps. Run it as the user the server runs as, with the same settings, while the server runs or not.

Exits with 0 when all is well, 1 with a warning, 2 with a failure.

Examples:

    presence doctor
    presence doctor --config /etc/presence.toml --url https://presence.example.org --sockets 20000
    presence doctor --json`
}

// doctorVerdict is the exit code of a doctor who found something.
type doctorVerdict int

func (v doctorVerdict) Error() string { return "something is not well" }

// checkTime is how long each look at another machine may take.
const checkTime = 5 * time.Second

// Run looks.
func (c *doctorCmd) Run(p *process) error {
	lines := c.examine(p)
	if c.JSON {
		if err := printJSON(p, lines); err != nil {
			return err
		}
	} else {
		out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		for _, line := range lines {
			fmt.Fprintf(out, "%s\t%s\t%s\n", line.Level, line.Name, printable(line.Text))
			if line.Fix != "" {
				fmt.Fprintf(out, "\t\t  -> %s\n", printable(line.Fix))
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if code := doctor.Code(lines); code > 0 {
		return doctorVerdict(code)
	}
	return nil
}

func (c *doctorCmd) examine(p *process) []doctor.Line {
	cfg, err := c.load(p)
	if err != nil {
		return []doctor.Line{doctor.Bad("config", "presence config check", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	lines := []doctor.Line{doctor.Fine("config", "every setting can be read")}
	server := control.Dial(dataDir(cfg.Data).dialControl)
	running := server.Ping(p.ctx) == nil
	lines = append(lines, lookAtFiles(cfg)...)
	if limit, ok := descriptorLimit(); ok {
		lines = append(lines, doctor.Descriptors(limit, c.Sockets))
	}
	lines = append(lines, lookAtPort(p.ctx, cfg, running))
	if cfg.Database == "" {
		lines = append(lines, lookAtSQLite(p.ctx, cfg, running))
	} else {
		lines = append(lines, lookAtPostgres(p.ctx, string(cfg.Database))...)
	}
	if cfg.Engine != "" {
		lines = append(lines, lookAtEngine(p.ctx, string(cfg.Engine))...)
	}
	lines = append(lines, doctor.Timeouts(doctor.Times{
		OfflineAfter: cfg.OfflineAfter, HeartbeatInterval: cfg.HeartbeatInterval, LeaveGrace: cfg.LeaveGrace,
		AccessToken: cfg.AccessTokenLifetime, RefreshToken: cfg.RefreshTokenLifetime,
	}))
	if free, total, err := space(cfg.Data); err == nil {
		lines = append(lines, doctor.Disk(cfg.Data, free, total))
	}
	if cfg.Database == "" {
		newest, _ := backup.Newest(backupDir(cfg))
		lines = append(lines, doctor.Backup(backupDir(cfg), newest.MadeAt, now(), cfg.BackupEvery))
	}
	if running {
		lines = append(lines, lookAtAudit(p.ctx, server))
	}
	if c.URL != "" {
		lines = append(lines, lookThrough(p.ctx, c.URL, server, running)...)
	}
	return lines
}

func lookAtFiles(cfg *config.Config) (lines []doctor.Line) {
	dir := dataDir(cfg.Data)
	for _, path := range []string{string(dir), dir.key(), dir.database()} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			if path == string(dir) {
				return []doctor.Line{doctor.Odd("permissions", "presence serve makes it; or name the right one with --data", "there is no data directory %s", dir)}
			}
			continue
		}
		lines = append(lines, doctor.Permissions(path, info, err))
	}
	if err := backup.HalfRestored(cfg.Data); err != nil {
		lines = append(lines, doctor.Bad("data", "run the restore again", "%v", err))
	}
	return lines
}

func lookAtPort(ctx context.Context, cfg *config.Config, running bool) doctor.Line {
	const name = "port"
	address := cfg.Listen
	if running {
		status, body, err := ask(ctx, "http://"+reachable(address)+"/readyz")
		switch {
		case err != nil:
			return doctor.Bad(name, "give doctor the settings the server was started with", "a server has the data directory and does not answer at %s: %v", address, err)
		case status != http.StatusOK:
			return doctor.Bad(name, "look into the server's log", "the server at %s is not ready: %s", address, body)
		case strings.Contains(string(body), `"degraded"`):
			return doctor.Odd(name, "look into the server's log", "the server at %s is worse off: %s", address, body)
		}
		return doctor.Fine(name, "the server answers at %s", address)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return doctor.Bad(name, "ss -ltnp (tells who has it); or choose another one with --listen", "the server could not listen at %s: %v", address, err)
	}
	ln.Close()
	return doctor.Fine(name, "%s is free; no server runs on this data directory", address)
}

func lookAtSQLite(ctx context.Context, cfg *config.Config, running bool) doctor.Line {
	const name = "database"
	path := dataDir(cfg.Data).database()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return doctor.Fine(name, "there is none yet; the first start makes it")
	}
	if err != nil {
		return doctor.Bad(name, "run as the user the server runs as", "%v", err)
	}
	if wal, err := os.Stat(path + "-wal"); running || err == nil && wal.Size() > 0 {
		return doctor.Fine(name, "%s, %s; a running server has it, or the next start looks through it", path, megabytes(info.Size()))
	}
	found, err := sqlite.Inspect(ctx, path)
	switch {
	case err != nil:
		return doctor.Bad(name, "presence backup list; presence backup restore NAME", "%v", withCure(cfg, err))
	case found.Newer():
		return doctor.Bad(name, "install the newer version", "a newer version of this program wrote it (tables %d, known are %d)", found.Schema, found.Known)
	case found.Schema < found.Known:
		return doctor.Odd(name, "presence upgrade --check", "its tables are of an older version (%d, known are %d): the next start brings them up to date", found.Schema, found.Known)
	}
	return doctor.Fine(name, "%s is whole: %d users, %s", path, found.Rows["users"], megabytes(info.Size()))
}

func lookAtPostgres(ctx context.Context, address string) []doctor.Line {
	const name = "database"
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return []doctor.Line{doctor.Bad(name, "psql with the same address; look whether it runs and lets this machine in", "PostgreSQL cannot be reached: %v", err)}
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version, fsync string
	var standby bool
	var theirs time.Time
	asked := now()
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('fsync'), pg_is_in_recovery(), clock_timestamp()`).
		Scan(&version, &fsync, &standby, &theirs)
	took := now().Sub(asked)
	switch {
	case err != nil:
		return []doctor.Line{doctor.Bad(name, "look into PostgreSQL's log", "PostgreSQL does not answer: %v", err)}
	case standby:
		return []doctor.Line{doctor.Bad(name, "give the address of the primary", "PostgreSQL %s is a standby and takes no writes", version)}
	}
	line := doctor.Fine(name, "PostgreSQL %s answers in %s", version, took.Round(100*time.Microsecond))
	if fsync != "on" {
		line = doctor.Odd(name, "ALTER SYSTEM SET fsync = on;", "PostgreSQL %s runs with fsync %s: a power cut takes what was acknowledged", version, fsync)
	}
	return []doctor.Line{line, doctor.Clock("PostgreSQL", theirs.Sub(asked.Add(took/2)), took/2)}
}

func lookAtEngine(ctx context.Context, address string) []doctor.Line {
	const name = "engine"
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if rest, ok := strings.CutPrefix(address, "valkey"); ok {
		address = "redis" + rest // valkeys, too
	}
	bad := func(err error) []doctor.Line {
		return []doctor.Line{doctor.Bad(name, "redis-cli -u with the same address, PING", "Valkey or Redis cannot be reached: %v", err)}
	}
	options, err := rueidis.ParseURL(address)
	if err != nil {
		return bad(errors.New("its address cannot be read"))
	}
	options.DisableCache, options.ForceSingleClient, options.DisableRetry = true, true, true
	options.Dialer.Timeout = checkTime
	client, err := rueidis.NewClient(options)
	if err != nil {
		return bad(err)
	}
	defer client.Close()
	asked := now()
	parts, err := client.Do(ctx, client.B().Time().Build()).AsIntSlice()
	took := now().Sub(asked)
	if err != nil || len(parts) != 2 {
		return bad(errors.Join(err, errors.New("it does not tell the time")))
	}
	theirs := time.Unix(parts[0], parts[1]*1000)
	return []doctor.Line{
		doctor.Fine(name, "it answers in %s", took.Round(100*time.Microsecond)),
		doctor.Clock("the engine's server", theirs.Sub(asked.Add(took/2)), took/2),
	}
}

func lookAtAudit(ctx context.Context, server *control.Client) doctor.Line {
	const name = "audit"
	switch found, err := server.VerifyAudit(ctx, ""); {
	case err != nil:
		return doctor.Odd(name, "presence audit verify", "it could not be looked through: %v", err)
	case !found.OK:
		return doctor.Bad(name, "presence audit verify; compare with a backup: somebody changed the database", "the chain is broken at line %d: %s", found.BadID, found.Reason)
	default:
		return doctor.Fine(name, "the chain of %d lines is whole", found.Entries)
	}
}

// probePath is where a running server tells what it sees of a request that carries a mark.
const probePath = "/.well-known/presence-probe/"

// lookThrough sends the server a request by way of its public address.
func lookThrough(ctx context.Context, address string, server *control.Client, running bool) []doctor.Line {
	const name = "proxy"
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return []doctor.Line{doctor.Bad(name, "write it as https://presence.example.org", "--url is no address of a web site")}
	}
	if !running {
		return []doctor.Line{doctor.Odd(name, "start the server, then run doctor again", "no server runs on this data directory, so nothing can be sent through %s", u.Host)}
	}
	mark, err := server.Probe(ctx)
	if err != nil {
		return []doctor.Line{doctor.Bad(name, "look into the server's log", "%v", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u.String(), "/")+probePath+mark, nil)
	if err != nil {
		return []doctor.Line{doctor.Bad(name, "write it as https://presence.example.org", "%v", err)}
	}
	for key, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "cHJlc2VuY2UgZG9jdG9yIQ==",
	} {
		req.Header.Set(key, value)
	}
	transport := http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	asked := now()
	resp, err := transport.RoundTrip(req)
	took := now().Sub(asked)
	if err != nil {
		if wrong := (*tls.CertificateVerificationError)(nil); errors.As(err, &wrong) {
			if len(wrong.UnverifiedCertificates) > 0 && now().After(wrong.UnverifiedCertificates[0].NotAfter) {
				return []doctor.Line{doctor.Certificate(u.Hostname(), wrong.UnverifiedCertificates[0].NotAfter, now())}
			}
			return []doctor.Line{doctor.Bad("TLS", "install the whole chain, for this name", "browsers will refuse %s: %v", u.Host, wrong.Err)}
		}
		return []doctor.Line{doctor.Bad(name, "look whether the proxy runs and the name leads to it", "%s cannot be reached: %v", u.Host, err)}
	}
	defer resp.Body.Close()
	var lines []doctor.Line
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		lines = append(lines, doctor.Certificate(u.Hostname(), resp.TLS.PeerCertificates[0].NotAfter, now()))
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		lines = append(lines, doctor.Clock(u.Host, date.Sub(asked), took+time.Second))
	}
	var seen doctor.Seen
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 64<<10)).Decode(&seen); err != nil || resp.StatusCode != http.StatusOK {
		return append(lines, doctor.Bad(name, "let the proxy send everything of this address to "+"the server", "something else answers at %s (status %d)", u.Host, resp.StatusCode))
	}
	return append(lines, doctor.Proxy(seen, u.Scheme, u.Host)...)
}

// answerProbes answers requests that doctor sent through the public address.
func answerProbes(mux *http.ServeMux, probes *control.Probes) {
	mux.HandleFunc("GET "+probePath+"{mark}", func(w http.ResponseWriter, r *http.Request) {
		if !probes.Take(r.PathValue("mark")) {
			http.NotFound(w, r)
			return
		}
		base, err := url.Parse(httpd.BaseURL(r))
		if err != nil {
			base = &url.URL{}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(doctor.Seen{IP: httpd.ClientIP(r), Scheme: base.Scheme, Host: base.Host, Upgrade: r.Header.Get("Upgrade")})
	})
}
