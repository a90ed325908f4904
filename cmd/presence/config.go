package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/offchat/presence/internal/config"
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
	if c.JSON {
		return printJSON(p, cfg.Effective())
	}
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "SETTING\tVALUE\tFROM")
	for _, s := range cfg.Effective() {
		fmt.Fprintf(out, "%s\t%s\t%s\n", s.Key, shownValue(s), s.Source)
	}
	return out.Flush()
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
