package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
)

// settingFlags are the flags for all settings, made from the table that config.Config is.
type settingFlags struct {
	File string `name:"config" placeholder:"FILE" help:"TOML file with settings; also PRESENCE_CONFIG."`
	kong.Plugins

	given func() map[string]string
}

func allSettings() settingFlags {
	grammar, given := config.Flags()
	return settingFlags{Plugins: kong.Plugins{grammar}, given: given}
}

func (f *settingFlags) load(p *process) (*config.Config, error) {
	return config.Load(config.Input{Flags: f.given(), Environ: p.environ, File: f.File})
}

type configCmd struct {
	Show  configShowCmd  `cmd:"" help:"Show every effective setting and where it comes from. Secrets are masked."`
	Check configCheckCmd `cmd:"" help:"Check the configuration and tell everything that is wrong with it."`

	Document settingsDocCmd `cmd:"" hidden:"" help:"Print the page about the settings."`
}

// Help is shown by --help.
func (configCmd) Help() string {
	return `Settings come from flags, then PRESENCE_* variables, then the file, then the defaults. An unknown key or variable is an error.

Examples:

    presence config show
    PRESENCE_OFFLINE_AFTER=12s presence config show --json
    presence config check --config /etc/presence.toml`
}

type configShowCmd struct {
	settingFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the settings.
func (c *configShowCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	settings := inForce(p.ctx, cfg)
	if c.JSON {
		return printJSON(p, settings)
	}
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "SETTING\tVALUE\tFROM")
	for _, s := range settings {
		fmt.Fprintf(out, "%s\t%s\t%s\n", s.Key, shownValue(s), s.Source)
	}
	return out.Flush()
}

// fromDashboard is the source of what was set while the server runs.
const fromDashboard config.Level = "dashboard"

// inForce are the effective settings, with the timeouts that were set in the dashboard of a server that runs on them.
func inForce(ctx context.Context, cfg *config.Config) []config.Setting {
	settings := cfg.Effective()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	set, err := control.Dial(dataDir(cfg.Data).dialControl).Timeouts(ctx)
	if err != nil {
		return settings // none runs here, or one of before
	}
	for i := range settings {
		if value, ok := set[settings[i].Key]; ok {
			settings[i].Value, settings[i].Source = value, config.Source{Level: fromDashboard}
		}
	}
	return settings
}

// overruled are the timeouts that were set in the dashboard and differ from the configuration's, by their keys.
func (a *app) overruled() map[string]string {
	set, ours := a.timeouts.Load(), timeoutsOf(a.cfg)
	if set == nil || *set == ours {
		return map[string]string{}
	}
	return map[string]string{
		"heartbeat_interval": set.HeartbeatInterval.String(), "idle_after": set.IdleAfter.String(), "offline_after": set.OfflineAfter.String(),
		"leave_grace": set.LeaveGrace.String(), "refresh_interval": set.RefreshInterval.String(),
	}
}

func shownValue(s config.Setting) string {
	switch {
	case s.Value != "":
		return s.Value
	case s.Key == "signing_key":
		return "(generated in the data directory)"
	default:
		return "(none)"
	}
}

type configCheckCmd struct {
	settingFlags
}

// Run loads the settings and says so.
func (c *configCheckCmd) Run(p *process) error {
	if _, err := c.load(p); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "The configuration is good.")
	return nil
}

func printJSON(p *process, value any) error {
	out := json.NewEncoder(p.stdout)
	out.SetIndent("", "  ")
	return out.Encode(value)
}
